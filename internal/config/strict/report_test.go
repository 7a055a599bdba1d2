package strict

import (
	"fmt"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/diag"
)

// TestFindingsThatDoNotFit checks that warnings alone never refuse a file,
// however many, and that they leave room for errors.
func TestFindingsThatDoNotFit(t *testing.T) {
	r := NewReport(diag.NewSource("f", []byte("a: b\n")))
	for i := range MaxFindings + 5 {
		r.WarnAt(diag.Position{Line: 1, Column: 1}, "", "warning %d", i)
	}
	if list := r.Finish(); list.HasErrors() || len(list) != MaxFindings+1 || list[MaxFindings].Summary != "5 more warnings are not shown" {
		t.Errorf("warnings only: %d findings, errors %t, last %q", len(list), list.HasErrors(), list[len(list)-1].Summary)
	}
	r.ErrorAt(diag.Position{Line: 1, Column: 1}, "", "an error")
	if list := r.Finish(); !list.HasErrors() {
		t.Error("the error did not fit behind the warnings")
	}
}

// TestKeyOf checks that the key of a block is found where the key stands, not
// where its first entry does, and that unknown keys come with the known ones.
func TestKeyOf(t *testing.T) {
	data := []byte("block:\n  free:\n    some: thing\n  nonsense: 1\n")
	src := diag.NewSource("f", data)
	r := NewReport(src)
	roots, ok := ParseYAML(r, data)
	if !ok {
		t.Fatal(r.Finish())
	}
	var out struct {
		Block struct {
			Free  map[string]any `yaml:"free"`
			Other string         `yaml:"other"`
		} `yaml:"block"`
	}
	told := ""
	Decode(r, roots[0], &out, Options{Unknown: func(key *yaml.Node, p Path, known []string) {
		told += fmt.Sprint(p, " ", key.Value, " ", known)
	}})
	if want := "block nonsense [free other]"; told != want {
		t.Errorf("unknown keys: %q, want %q", told, want)
	}
	for path, want := range map[Path]diag.Position{
		"block": {Line: 1, Column: 1}, "block.free": {Line: 2, Column: 3}, "block.free.some": {Line: 3, Column: 5},
		"block.other": {Line: 1, Column: 1}, // it has none: the block's
	} {
		if got := r.KeyOf(path).Position; got != want {
			t.Errorf("KeyOf(%s) = %v, want %v", path, got, want)
		}
	}
}
