package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/golden"
)

// testOptions are what the files in testdata are read with.
func testOptions() Options {
	return Options{
		DefaultKubernetes: "v1.37.1",
		Supported:         []string{"v1.37.1", "v1.36.3", "v1.35.4"},
		Home:              "/home/me",
	}
}

// testSecret is part of every secret in testdata, and shows nowhere.
const testSecret = "hunter"

// readTestFile reads a file of testdata under its name alone, as if it were in
// a folder that is the same on every machine.
func readTestFile(t *testing.T, path string) (*File, diag.List) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read([]*strict.File{strict.NewFile("/files/"+filepath.Base(path), data)}, testOptions())
}

// printed is a list as the user sees it.
func printed(t *testing.T, list diag.List) string {
	t.Helper()
	var b bytes.Buffer
	if err := list.Print(&b, diag.PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "/files/", "")
}

// goldenPath is the golden file of a file of testdata.
func goldenPath(path string) string { return strings.TrimSuffix(path, ".yaml") + ".txt" }

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return paths
}

// TestBadFiles checks that what is wrong with a file is told completely, with
// its place, and without showing a secret.
func TestBadFiles(t *testing.T) {
	for _, path := range files(t, "testdata/*.bad.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, list := readTestFile(t, path)
			if file != nil || !list.HasErrors() {
				t.Error("the file was accepted")
			}
			text := printed(t, list)
			if strings.Contains(text, testSecret) {
				t.Errorf("the diagnostics show a secret:\n%s", text)
			}
			golden.Check(t, goldenPath(path), text)
		})
	}
}

// TestGoodFiles checks the warnings and the effective file.
func TestGoodFiles(t *testing.T) {
	for _, path := range files(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, list := readTestFile(t, path)
			warnings := printed(t, list)
			if file == nil {
				t.Fatalf("the file was refused:\n%s", warnings)
			}
			if strings.Contains(warnings, testSecret) {
				t.Errorf("the diagnostics show a secret:\n%s", warnings)
			}
			golden.Check(t, goldenPath(path), warnings+"--- effective file ---\n"+string(Format(file.Document)))
		})
	}
}
