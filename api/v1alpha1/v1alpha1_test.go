package v1alpha1

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretTextNeverShows prints a literal password in the ways in which a
// document may be printed.
func TestSecretTextNeverShows(t *testing.T) {
	const password = "hunter2"
	doc := Cluster{Spec: Spec{SSH: SSH{Password: password, Bastion: &Bastion{SSH: SSH{SudoPassword: password}}}}}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if shown := doc.Spec.SSH.Password.String(); shown != "(hidden)" {
		t.Errorf("the password shows as %q, want that it is hidden", shown)
	}
	texts := []string{string(asJSON)}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts = append(texts, fmt.Sprintf(format, doc), fmt.Sprintf(format, doc.Spec.SSH.Bastion))
	}
	for _, text := range texts {
		if strings.Contains(text, password) {
			t.Errorf("the password shows in %s", text)
		}
	}
}

// TestFieldsAreDocumented checks that every field has a comment and a yaml key:
// the comments are the reference that users read.
func TestFieldsAreDocumented(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, field := range structure.Fields.List {
				if len(field.Names) == 0 {
					continue // inlined: documented where it is defined
				}
				fields++
				name := field.Names[0].Name
				if field.Tag == nil || !strings.Contains(field.Tag.Value, `yaml:"`) {
					t.Errorf("%s.%s has no yaml key", spec.Name, name)
				}
				if !strings.HasPrefix(field.Doc.Text(), name+" ") {
					t.Errorf("%s.%s has no comment that begins with its name", spec.Name, name)
				}
			}
			return false
		})
	}
	if fields < 30 {
		t.Errorf("found only %d fields", fields)
	}
}
