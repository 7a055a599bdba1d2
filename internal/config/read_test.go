package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// header begins every cluster file.
const header = "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\n"

// TestLoadUnreadable checks what is no readable text file.
func TestLoadUnreadable(t *testing.T) {
	folder := t.TempDir()
	tests := []struct {
		name    string
		content []byte // nil: the file is not there
		want    string
		line    int
	}{
		{"missing", nil, "there is no such file", 0},
		{"empty", []byte{}, "the file is empty", 0},
		{"blank", []byte(" \n\t\n"), "the file is empty", 0},
		{"huge", []byte(strings.Repeat("#", strict.MaxFileSize+1)), "larger than 4 MiB", 0},
		{"binary", []byte("\x7fELF\x02\x01\x00\x00"), "not text, it holds zero bytes", 0},
		{"utf16", []byte("\xff\xfea\x00p\x00"), "UTF-16", 0},
		{"latin1", []byte("a: b\n# caf\xe9\n"), "not UTF-8 text", 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(folder, test.name)
			if test.content != nil {
				if err := os.WriteFile(path, test.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, list := Load([]string{path}, testOptions())
			if c != nil || len(list) != 1 || !strings.Contains(list[0].Summary, test.want) || list[0].File != path || list[0].Line != test.line {
				t.Errorf("Load = %v, %+v; want only %q about %s:%d", c, list, test.want, path, test.line)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		_, list := Load([]string{folder}, testOptions())
		if len(list) != 1 || !strings.Contains(list[0].Summary, "a folder") {
			t.Errorf("Load(folder) = %v", list)
		}
	})
}

// TestLoadPipe reads a file that does not know its size, as shells make them
// for <(command).
func TestLoadPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		defer out.Close()
		fmt.Fprint(out, header+"spec: {hosts: [{name: a, address: 10.0.0.1, roles: [control-plane, worker]}]}\n")
	}()
	c, list := Load([]string{fmt.Sprintf("/dev/fd/%d", in.Fd())}, testOptions())
	if c == nil || len(list) != 0 {
		t.Errorf("Load = %v, %v", c, list)
	}
}

// TestExplodingFiles checks that small files that pretend to be enormous are
// refused soon; the test would run out of memory or time otherwise.
func TestExplodingFiles(t *testing.T) {
	merges := header + "spec:\n  ssh: &m0 {user: a}\n"
	lists := header + "spec:\n  kubernetes: {version: &l0 [x]}\n"
	for i := 1; i < 40; i++ {
		merges += fmt.Sprintf("  x%d: &m%d {<<: [*m%d, *m%d, *m%d, *m%d, *m%d, *m%d, *m%d, *m%d]}\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
		lists += fmt.Sprintf("  x%d: &l%d [*l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	host := "{name: a, address: 10.0.0.1, roles: [worker], labels: {a: b, c: d, e: f}}"
	tests := map[string]string{
		"merges": merges + "  hosts: [{<<: *m39}]\n",
		"lists":  lists + "  hosts: *l39\n",
		"hosts":  header + "spec:\n  hosts:\n  - &h " + host + strings.Repeat("\n  - *h", 50_000) + "\n",
		"labels": header + "spec:\n  hosts:\n  - {name: a, labels: {" + strings.Repeat("a: b, ", 50_000) + "}}\n",
		"keys":   header + "spec:\n" + strings.Repeat("  unknown: 1\n", 30_000),
		"deep":   header + "spec: " + strings.Repeat("[", 2_000_000),
		"maps":   header + "spec: " + strings.Repeat("{a: ", 50_000),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			c, list := Parse("bomb.yaml", []byte(text), testOptions())
			if c != nil || !list.HasErrors() {
				t.Error("the file was accepted")
			}
			if len(list) > 2*(strict.MaxFindings+1) {
				t.Errorf("%d findings, want at most %d", len(list), 2*(strict.MaxFindings+1))
			}
		})
	}
}

// TestLongLine checks that the excerpt of a very long line is short, and that
// its caret stands where it should.
func TestLongLine(t *testing.T) {
	hosts := strings.Repeat("{name: a, address: 10.0.0.1, roles: [worker]}, ", 1000)
	_, list := Parse("long.yaml", []byte(header+"spec: {hosts: ["+hosts+"{nmae: x}]}\n"), testOptions())
	found := false
	for _, d := range list {
		if !strings.Contains(d.Summary, `"nmae"`) {
			continue
		}
		found = true
		excerpt := []rune(d.Excerpt)
		if len(excerpt) > 120 || !strings.HasPrefix(string(excerpt[d.Caret:]), "nmae") {
			t.Errorf("excerpt %q with the caret at %d", d.Excerpt, d.Caret)
		}
	}
	if !found {
		t.Errorf("no finding about nmae in %v", list)
	}
}

// TestErrIsDiagnostics checks that a caller who passes the error on can still
// show the excerpts.
func TestErrIsDiagnostics(t *testing.T) {
	_, list := Parse("x.yaml", []byte(header+"spec: {}\n"), testOptions())
	err := fmt.Errorf("reading the file: %w", list.Err())
	found, ok := errors.AsType[*diag.Error](err)
	if !ok || len(found.List) != len(list) || !strings.Contains(err.Error(), "x.yaml:3:7: the file lists no hosts") {
		t.Errorf("error %v", err)
	}
}
