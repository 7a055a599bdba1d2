// Package internal_test holds the test of how the packages may depend on one
// another.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/quorate/quorate/"

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath string
	Doc        string
	Name       string
	Imports    []string
	Standard   bool
	GoFiles    []string
	Module     *struct{ Main bool }
}

// name is the path below the module: "internal/plan".
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// ours are its imports that are packages of this module.
func (p pkg) ours() []string {
	var out []string
	for _, i := range p.Imports {
		if rest, ok := strings.CutPrefix(i, module); ok {
			out = append(out, rest)
		}
	}
	return out
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Name,Imports,GoFiles", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var out []pkg
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			out = append(out, p)
		}
	}
	if len(out) < 20 {
		t.Fatalf("go list names %d packages only", len(out))
	}
	return out
}

func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// rules say what the packages in a folder may import of ours; the first whose
// folder fits counts. A package that no rule fits may import anything but cli.
func rules() []struct {
	folder string
	may    []string
} {
	pure := []string{"internal/cluster", "internal/state", "internal/plan", "internal/catalog", "internal/agent/protocol"}
	views := append(slices.Clone(pure), "internal/printable", "internal/diag", "internal/event", "internal/status", "internal/preflight", "internal/probe")
	parts := append(slices.Clone(pure), "internal/component", "internal/host", "internal/kube", "internal/diag", "internal/bundle", "internal/etcd", "internal/members", "internal/pki", "internal/agent/protocol")
	return []struct {
		folder string
		may    []string
	}{
		{"internal/cluster", pure},
		{"internal/state", pure},
		{"internal/plan", pure},
		{"internal/catalog", pure},
		{"internal/agent/protocol", nil},
		{"internal/agent", []string{"internal/agent/protocol"}},
		{"internal/printable", nil},
		{"internal/bounded", nil},
		{"internal/diag", []string{"internal/printable"}},
		{"internal/pki", []string{"internal/agent/protocol"}},
		{"internal/event", []string{"internal/plan"}},
		{"internal/engine", []string{"internal/plan", "internal/event"}},
		{"internal/probe", []string{"internal/bounded"}},
		{"internal/ui", views},
		{"internal/status", append(slices.Clone(views), "internal/pki", "internal/etcd")},
		{"internal/config/importtest", []string{"internal/config", "internal/diag", "internal/golden"}},
		{"internal/config", append(slices.Clone(pure), "internal/diag", "internal/config", "api/v1alpha1")},
		{"internal/component", parts},
		{"internal/etcd", pure},
		{"internal/members", append(slices.Clone(pure), "internal/component", "internal/etcd", "internal/host")},
		{"internal/kube", []string{"internal/cluster", "internal/state", "internal/host", "internal/kube", "internal/bounded"}},
		{"internal/preflight", append(slices.Clone(parts), "internal/preflight")},
		{"internal/planner", append(slices.Clone(parts), "internal/planner", "internal/preflight")},
		{"internal/observe", append(slices.Clone(parts), "internal/observe", "internal/preflight")},
		{"internal/bundle", []string{"internal/catalog", "internal/cluster"}},
		{"internal/golden", nil},
		{"internal/version", nil},
		{"internal/lab", nil},
		{"internal/journal", []string{"internal/event", "internal/plan"}},
		{"internal/lock", []string{"internal/agent/protocol", "internal/host"}},
		{"internal/secret", []string{"internal/cluster"}},
		{"internal/drill/report", []string{"internal/drill", "internal/probe", "internal/ui"}},
		{"internal/drill", append(slices.Clone(pure), "internal/etcd", "internal/host", "internal/probe", "internal/status")},
		// It prints nothing, and works on any cluster.
		{"internal/session", append(slices.Clone(parts), "internal/config", "internal/engine", "internal/event", "internal/journal", "internal/lock", "internal/observe", "internal/planner", "internal/secret", "internal/status", "internal/version")},
		{"internal/cli", []string{"internal", "api"}},
		{"internal/host", []string{"internal/agent", "internal/host", "internal/printable", "internal/bounded"}},
	}
}

func TestLayers(t *testing.T) {
	all := packages(t)
	for _, p := range all {
		for _, imported := range p.ours() {
			if below(imported, "internal/cli") && p.name() != "cmd/quorate" {
				t.Errorf("%s imports %s; only cmd/quorate does", p.name(), imported)
			}
			if below(imported, "internal/session") && !below(p.name(), "internal/cli") {
				t.Errorf("%s imports %s; only who faces people does", p.name(), imported)
			}
			for _, r := range rules() {
				if !below(p.name(), r.folder) {
					continue
				}
				if !slices.ContainsFunc(r.may, func(may string) bool { return below(imported, may) }) {
					t.Errorf("%s imports %s; of ours it may import %v", p.name(), imported, r.may)
				}
				break
			}
		}
	}
	for _, r := range rules() {
		if !slices.ContainsFunc(all, func(p pkg) bool { return below(p.name(), r.folder) }) {
			t.Errorf("no package is in %s", r.folder)
		}
	}
	for _, p := range all {
		ruled := len(p.GoFiles) == 0 || !below(p.name(), "internal")
		for _, r := range rules() {
			ruled = ruled || below(p.name(), r.folder)
		}
		if !ruled {
			t.Errorf("%s has no rule: say what it may import", p.name())
		}
	}
}

// Parts of a cluster share package component and the models, never each other.
func TestPartsNeverImportEachOther(t *testing.T) {
	for _, p := range packages(t) {
		part, ok := strings.CutPrefix(p.name(), "internal/component/")
		if !ok {
			continue
		}
		for _, imported := range p.ours() {
			if other, ok := strings.CutPrefix(imported, "internal/component/"); ok {
				t.Errorf("the part %s imports the part %s", part, other)
			}
		}
	}
}

// What runs on hosts is small and has nothing of anybody else's in it. The one
// exception unpacks what bundles are compressed with.
func TestAgentImportsTheStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if !below(p.name(), "internal/agent") && p.name() != "cmd/quorate-agent" {
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imported, module+"internal/agent") && imported != "github.com/klauspost/compress/zstd" {
				t.Errorf("%s imports %s", p.name(), imported)
			}
		}
	}
}

// Nothing on the operator's machine goes through a shell but the script that starts the
// agent there, which holds nothing of a file or a host.
func TestNoShellOnTheOperatorsMachine(t *testing.T) {
	shell := regexp.MustCompile(`"((/usr)?/bin/)?(sh|bash|dash|zsh|ksh)", "-\w*c"`)
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && shell.Match(text) {
			found = append(found, filepath.ToSlash(path))
		}
		return err
	})
	if want := []string{"host/ssh/local.go"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("shells are named in %q, %v; want %q", found, err, want)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) && (p.Name != "main" || p.Doc == "") {
			t.Errorf("%s: its doc comment begins with %q, want %q", p.name(), p.Doc, want)
		}
	}
}

// Check and Verify of an op are optional, so the compiler misses one whose signature
// is another: it would never be called.
func TestOpsAreCalled(t *testing.T) {
	want := map[string]string{"Check": "func(context.Context, *Runtime, func(string)) (bool, error)", "Verify": "func(context.Context, *Runtime, func(string)) error"}
	count := 0
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || !(below(path, "component") || below(path, "members")) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || want[f.Name.Name] == "" {
				continue
			}
			count++
			for _, p := range f.Type.Params.List {
				p.Names = nil
			}
			for _, r := range f.Type.Results.List {
				r.Names = nil
			}
			var got strings.Builder
			if err := format.Node(&got, token.NewFileSet(), f.Type); err != nil {
				return err
			}
			if text := strings.ReplaceAll(got.String(), "component.", ""); text != want[f.Name.Name] && !below(path, "component/component.go") {
				t.Errorf("%s: %s is %s, not %s", path, f.Name.Name, text, want[f.Name.Name])
			}
		}
		return nil
	})
	if err != nil || count < 20 {
		t.Errorf("%d found: %v", count, err)
	}
}
