package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestShow checks both forms against golden files, and, for every good file,
// that what is shown can be read again, comes to the same cluster but for its
// hidden passwords, and shows none of them.
func TestShow(t *testing.T) {
	for _, path := range append(files(t, "testdata/*.good.yaml"), files(t, "../../examples/*.yaml")...) {
		file, list := readTestFile(t, path)
		if file == nil {
			t.Errorf("%s: %v", path, list)
			continue
		}
		for _, defaults := range []bool{false, true} {
			text := string(file.Show(defaults))
			if strings.Contains(text, testSecret) {
				t.Errorf("%s: a secret is shown:\n%s", path, text)
			}
			again, list := read([]*strict.File{strict.NewFile("/files/"+filepath.Base(path), []byte(text))}, testOptions())
			if again == nil {
				t.Errorf("%s: what is shown is not read: %v\n%s", path, list, text)
				continue
			}
			want, _ := hideLiterals(file.Document)
			if diff := cmp.Diff(want, again.Document); diff != "" {
				t.Errorf("%s, defaults %t: not the same (-want +got):\n%s", path, defaults, diff)
			}
		}
	}
	for _, name := range []string{"minimal", "secrets"} {
		path := "testdata/show-" + name + ".yaml"
		file, list := readTestFile(t, path)
		if file == nil {
			t.Fatal(list)
		}
		golden(t, path, string(file.Show(false))+"--- with defaults ---\n"+string(file.Show(true)))
	}
}

// TestShowIsWhatWasRead checks that nothing of the defaults is in a file that is
// shown without them.
func TestShowIsWhatWasRead(t *testing.T) {
	data, err := os.ReadFile("testdata/show-minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, list := readTestFile(t, "testdata/show-minimal.yaml")
	if file == nil {
		t.Fatal(list)
	}
	if diff := cmp.Diff(string(data), string(file.Show(false))); diff != "" {
		t.Errorf("(-file +shown):\n%s", diff)
	}
}
