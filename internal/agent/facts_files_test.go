package agent

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// A pattern describes each file that it matches, and takes nothing from what is asked
// of one by its name.
func TestPatterns(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"units/q-a.service", "units/q-b.service", "units/other.service"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := New(Options{Root: root})
	defer a.Close()
	got := a.describeFiles([]protocol.FileQuery{
		{Path: "/units/q-*.service", Pattern: true, Content: true}, {Path: "/units/[", Pattern: true}, {Path: "/none/*", Pattern: true},
		{Path: "/units/q-a.service", Content: true, Digest: true},
	})
	if d := cmp.Diff([]string{"/units/q-a.service", "/units/q-b.service"}, slices.Sorted(maps.Keys(got))); d != "" {
		t.Errorf("described (-want +got):\n%s", d)
	}
	if f := got["/units/q-a.service"]; f.SHA256 == "" || f.Content != "units/q-a.service" {
		t.Errorf("what is asked by name: %+v", f)
	}
	if f := got["/units/q-b.service"]; f.SHA256 != "" || f.Content != "units/q-b.service" {
		t.Errorf("what matches: %+v", f)
	}
}
