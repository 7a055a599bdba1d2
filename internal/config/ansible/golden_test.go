package ansible_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testOptions are what the files in testdata are read with.
func testOptions() config.Options {
	return config.Options{
		DefaultKubernetes: "v1.37.1",
		Supported:         []string{"v1.37.1", "v1.36.3", "v1.35.4"},
		Home:              "/home/me",
	}
}

// testSecret is part of every secret in testdata, and shows nowhere.
const testSecret = "hunter"

// printed is a list as the user sees it.
func printed(t testing.TB, list diag.List) string {
	t.Helper()
	var b bytes.Buffer
	if err := list.Print(&b, diag.PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "testdata/", "")
}

// TestInventories reads each inventory of testdata, a file or a folder, with
// all that comes before and after the importer: what is said about it, which
// files were read, and the cluster file that it becomes. Those named .good are
// accepted, those named .bad are not.
func TestInventories(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"testdata/*.good*", "testdata/*.bad*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		if filepath.Ext(path) == ".txt" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			named := []string{path}
			if data, err := os.ReadFile(filepath.Join(path, "named.args")); err == nil {
				named = nil // the files that are named with -f
				for name := range strings.FieldsSeq(string(data)) {
					named = append(named, filepath.Join(path, name))
				}
			}
			file, findings := config.Read(named, testOptions())
			text := printed(t, findings)
			if wanted := strings.Contains(path, ".good"); (file != nil) != wanted {
				t.Errorf("accepted %t, want %t:\n%s", file != nil, wanted, text)
			}
			if strings.Contains(text, testSecret) {
				t.Errorf("the diagnostics show a secret:\n%s", text)
			}
			if file != nil {
				text += "--- files read ---\n"
				for _, in := range file.Inputs {
					text += strings.TrimPrefix(in.Path, "testdata/") + "\n"
				}
			}
			golden(t, path, text+"--- cluster file ---\n"+imported(t, named))
		})
	}
}

// imported is the cluster file that files become, without the comment at its
// head.
func imported(t *testing.T, paths []string) string {
	t.Helper()
	text, _ := config.Import(paths, testOptions())
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// golden compares a text with the file beside path, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	path += ".txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); run with -update if the change is meant:\n%s", path, diff)
	}
}
