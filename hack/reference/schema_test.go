package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/diag"
)

// compiled is the committed schema, itself checked against its draft.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(v1alpha1.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents reads a file's YAML documents as JSON has them. A file that is no
// YAML has none.
func documents(t *testing.T, path string) []any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []any
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var doc any
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return nil
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return nil
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, value)
	}
}

func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		all = append(all, paths...)
	}
	return all
}

// isOurs reports whether a document is of the format that the schema is of.
func isOurs(document any) bool {
	m, _ := document.(map[string]any)
	return m["apiVersion"] == v1alpha1.APIVersion
}

// TestSchemaTakesGoodFiles checks that editors do not complain about files that
// are read.
func TestSchemaTakesGoodFiles(t *testing.T) {
	s, checked := compiled(t), 0
	for _, path := range files(t, "examples/*.yaml", "internal/config/testdata/*.good.yaml") {
		for _, doc := range documents(t, path) {
			if !isOurs(doc) {
				continue
			}
			checked++
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d files were checked", checked)
	}
}

// structural are the bad files whose faults a schema can see.
func structural() []string {
	return strings.Fields(`empty-hosts endpoint-port-range endpoint-type-empty endpoint-words etcd-settings
		header-missing header-wrong hosts-mapping list network no-hosts roles secret-age ssh types
		unknown-keys version-1.29.3 version-latest`)
}

// TestSchemaRefusesBadFiles checks that editors find what a schema can find.
func TestSchemaRefusesBadFiles(t *testing.T) {
	s := compiled(t)
	var refused []string
	for _, path := range files(t, "internal/config/testdata/*.bad.yaml") {
		for _, doc := range documents(t, path) {
			if s.Validate(doc) != nil {
				refused = append(refused, strings.TrimSuffix(filepath.Base(path), ".bad.yaml"))
				break
			}
		}
	}
	for _, name := range structural() {
		if !slices.Contains(refused, name) {
			t.Errorf("%s.bad.yaml is not refused; those that are: %s", name, strings.Join(refused, " "))
		}
	}
}

// eachField calls f for every field of a document, shared blocks once.
func eachField(b *block, f func(field)) {
	for _, one := range b.fields {
		f(one)
		v := one.value
		for v.element != nil {
			v = *v.element
		}
		if v.block != nil && (!v.block.shared || strings.HasPrefix(v.block.path, one.path)) {
			eachField(v.block, f)
		}
	}
}

// TestExamplesAreTrue checks every field's example by reading a file that says
// it: neither the reader nor the schema has anything against it.
func TestExamplesAreTrue(t *testing.T) {
	comments, err := readComments(filepath.Join(root, "api", "v1alpha1"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := describe(comments, config.Rules(config.Options{DefaultKubernetes: "v1.37.1"}))
	if err != nil {
		t.Fatal(err)
	}
	s, tried := compiled(t), 0
	eachField(document, func(f field) {
		if f.example == "" || f.inlined {
			return
		}
		tried++
		text, at := fileWith(f)
		_, list := config.Parse("x.yaml", []byte(text), config.Options{DefaultKubernetes: "v1.37.1", Home: "/home/me"})
		for _, d := range list {
			// Errors about what is missing elsewhere stand elsewhere.
			if d.Severity == diag.SeverityError && d.Line == at.Line && d.Column >= at.Column {
				t.Errorf("%s: %s: %s", f.path, f.example, d.Summary)
			}
		}
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
		asJSON, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(parsed); err != nil && !onlyMissing(err) {
			t.Errorf("%s: %s: by the schema: %v", f.path, f.example, err)
		}
	})
	if tried < 50 {
		t.Errorf("only %d examples were tried", tried)
	}
}

// fileWith is a file that gives a field its example, and where the value stands.
func fileWith(f field) (string, diag.Position) {
	keys := strings.Split(f.path, ".")
	var b strings.Builder
	if keys[0] == "metadata" || keys[0] == "spec" {
		fmt.Fprintf(&b, "apiVersion: %s\nkind: Cluster\n", v1alpha1.APIVersion)
	}
	for i, key := range keys {
		key, isList := strings.CutSuffix(key, "[]")
		indent := strings.Repeat("    ", i)
		fmt.Fprintf(&b, "%s%s:", indent, key)
		switch {
		case i == len(keys)-1:
			fmt.Fprintf(&b, " %s\n", f.example)
		case isList:
			fmt.Fprintf(&b, "\n%s  -\n", indent)
		default:
			b.WriteString("\n")
		}
	}
	lines := strings.Split(b.String(), "\n")
	last := len(lines) - 1 // after it comes nothing but the newline
	if keys[0] == "spec" && !strings.HasPrefix(keys[1], "hosts") {
		// Hosts that examples may name. They are not complete, so that how the
		// parts of a whole file fit together is not looked at.
		b.WriteString("    hosts: [{name: node-1}, {name: node-2}]\n")
	}
	return b.String(), diag.Position{Line: last, Column: strings.LastIndex(lines[last-1], " "+f.example) + 2}
}

// onlyMissing reports whether all that a schema has against a document is that
// required keys are missing.
func onlyMissing(err error) bool {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return false
	}
	if len(invalid.Causes) == 0 {
		return strings.Contains(invalid.Error(), "missing propert")
	}
	for _, cause := range invalid.Causes {
		if !onlyMissing(cause) {
			return false
		}
	}
	return true
}
