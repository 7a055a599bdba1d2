package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// FuzzParse feeds anything at all. Whatever it is, it is either a cluster or an
// error; errors about the content have a place inside the file; what is printed
// does not steer the terminal; and a file that is accepted means the same once
// it is written by Format.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "../../examples/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkReading(t, strict.NewFile("/files/fuzz.yaml", data)) })
}

// FuzzKubeKey is FuzzParse for KubeKey's files, of which version 4 has two.
func FuzzKubeKey(f *testing.F) {
	paths, err := filepath.Glob("kubekey/testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	pairs, err := filepath.Glob("kubekey/testdata/*/1-*.yaml")
	if err != nil || len(paths) == 0 || len(pairs) == 0 {
		f.Fatalf("%d files, %d pairs: %v", len(paths), len(pairs), err)
	}
	for _, path := range append(paths, pairs...) {
		first, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		second, err := os.ReadFile(strings.Replace(path, "1-inventory", "2-config", 1))
		if err != nil || bytes.Equal(first, second) {
			second = nil // a file that stands alone
		}
		f.Add(first, second)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		files := []*strict.File{strict.NewFile("/files/first.yaml", first)}
		if len(second) > 0 {
			files = append(files, strict.NewFile("/files/second.yaml", second))
		}
		checkReading(t, files...)
	})
}

// checkReading reads files and checks what must be so whatever is in them: they
// are either a cluster or an error; findings have a place inside their file; what
// is printed does not steer the terminal; and a cluster means the same once it is
// written in our own format.
func checkReading(t *testing.T, files ...*strict.File) {
	t.Helper()
	texts := map[string][]byte{}
	for _, f := range files {
		texts[f.Source.Name()] = f.Data
	}
	file, list := read(files, testOptions())
	if (file == nil) != list.HasErrors() {
		t.Fatalf("cluster %v with findings %v", file, list)
	}
	for _, d := range list {
		checkPlaces(t, texts[d.File], diag.List{d})
	}
	var out bytes.Buffer
	if err := list.Print(&out, diag.PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("the output holds a control character: %q", out.String()[i:])
	}
	if file == nil {
		return
	}
	again, list := read([]*strict.File{strict.NewFile("/files/fuzz.yaml", Format(file.Document))}, testOptions())
	if again == nil {
		t.Fatalf("what Format wrote is refused: %v\n%s", list, Format(file.Document))
	}
	if diff := cmp.Diff(file.Cluster, again.Cluster, compareAddresses, cmp.Comparer(sameSecret)); diff != "" {
		t.Errorf("what Format wrote means something else (-before +after):\n%s", diff)
	}
}

// checkPlaces checks that findings are inside the file, and that those without
// a place are about the file as a whole.
func checkPlaces(t *testing.T, data []byte, list diag.List) {
	t.Helper()
	lines := strings.Count(string(data), "\n") + 1
	for _, d := range list {
		whole := strings.HasPrefix(d.Summary, "the file ") || strings.HasSuffix(d.Summary, " are not shown")
		switch {
		case d.File == "" || d.Summary == "":
			t.Errorf("an empty finding: %+v", d)
		case d.Line == 0 && !whole:
			t.Errorf("no place: %+v", d)
		case d.Line > lines || d.Line > 0 && d.Column < 1:
			t.Errorf("a place outside the file of %d lines: %+v", lines, d)
		case d.Caret > len([]rune(d.Excerpt)):
			t.Errorf("the caret is outside the excerpt: %+v", d)
		}
	}
}
