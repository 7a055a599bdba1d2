package kubekey_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
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

// TestFiles reads each file of testdata (and each folder of files that belong
// together) with everything that comes after the importer: what is said about
// it, and the cluster file that it becomes. Files named .good are accepted,
// those named .bad are not.
func TestFiles(t *testing.T) {
	entries, err := filepath.Glob("testdata/*.good*")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := filepath.Glob("testdata/*.bad*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(entries, bad...) {
		if filepath.Ext(path) == ".txt" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			paths := []string{path}
			if inside, _ := filepath.Glob(path + "/*.yaml"); len(inside) > 0 {
				paths = inside
			}
			file, findings := config.Read(paths, testOptions())
			text := printed(t, findings)
			if wanted := strings.Contains(path, ".good"); (file != nil) != wanted {
				t.Errorf("accepted %t, want %t:\n%s", file != nil, wanted, text)
			}
			if strings.Contains(text, testSecret) {
				t.Errorf("the diagnostics show a secret:\n%s", text)
			}
			written := imported(t, paths)
			golden(t, path, text+"--- cluster file ---\n"+written)
			if file == nil {
				return
			}
			again, findings := config.Parse(filepath.Join(filepath.Dir(paths[0]), "cluster.yaml"), []byte(written), testOptions())
			if again == nil {
				t.Fatalf("what the import writes is refused:\n%s", printed(t, findings))
			}
			if !reflect.DeepEqual(file.Cluster, again) {
				t.Errorf("what the import writes means something else:\n%+v\n%+v", file.Cluster, again)
			}
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
	path = strings.TrimSuffix(path, ".yaml") + ".txt"
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
