// Package importtest tests the importers of other tools' files together with all
// that comes before and after them: reading, checking, and writing as our own.
package importtest

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/golden"
)

// Options are what the files in testdata are read with.
func Options() config.Options {
	return config.Options{
		DefaultKubernetes: "v1.37.1",
		Supported:         []string{"v1.37.1", "v1.36.3", "v1.35.4"},
		Home:              "/home/me",
	}
}

// secret is part of every secret in testdata, and shows nowhere.
const secret = "hunter"

// Printed is a list as the user sees it.
func Printed(t testing.TB, list diag.List) string {
	t.Helper()
	var b bytes.Buffer
	if err := list.Print(&b, diag.PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "testdata/", "")
}

// Files reads each file and folder of testdata whose name has .good or .bad in
// it, under the names that named gives for it, and compares with the golden file
// beside it what is said, which further files were read, and the cluster file
// that comes out. Good ones are accepted, bad ones are not; nothing that is said
// shows a secret; and what is written means what was read.
func Files(t *testing.T, named func(path string) []string) {
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
		t.Run(filepath.Base(path), func(t *testing.T) { check(t, path, named(path)) })
	}
}

func check(t *testing.T, path string, named []string) {
	o, note := Options(), ""
	file, findings := config.Read(named, o)
	if strings.Contains(path, ".good") && asksForMore(findings) {
		o.NetworkPlugin, note = "flannel", "--- with --network-plugin flannel ---\n"
		file, findings = config.Read(named, o)
	}
	text := note + Printed(t, findings)
	if wanted := strings.Contains(path, ".good"); (file != nil) != wanted {
		t.Errorf("accepted %t, want %t:\n%s", file != nil, wanted, text)
	}
	if strings.Contains(text, secret) {
		t.Errorf("the diagnostics show a secret:\n%s", text)
	}
	const to = "testdata/cluster.yaml" // another folder than that of most inventories: relative paths go on to mean the same
	written := imported(named, to, o)
	golden.Check(t, strings.TrimSuffix(path, ".yaml")+".txt", text+gathered(file)+"--- cluster file ---\n"+written)
	if file == nil {
		return
	}
	again, findings := config.Parse(to, []byte(written), Options())
	if again == nil {
		t.Fatalf("what the import writes is refused:\n%s", Printed(t, findings))
	}
	if !reflect.DeepEqual(file.Cluster, again) {
		t.Errorf("what the import writes means something else:\n%+v\n%+v", file.Cluster, again)
	}
}

// asksForMore reports whether all that is wrong with files is that they ask for
// another network plugin or for IPv6, which somebody has to go without by name.
func asksForMore(findings diag.List) bool {
	errors := findings.Errors()
	for _, d := range errors {
		if !strings.Contains(d.Hint, "--network-plugin flannel") {
			return false
		}
	}
	return len(errors) > 0
}

// gathered lists the files that were read, where some were that nobody named.
func gathered(file *config.File) string {
	if file == nil {
		return ""
	}
	list, any := "--- files read ---\n", false
	for _, in := range file.Inputs {
		list += strings.TrimPrefix(in.Path, "testdata/") + "\n"
		any = any || !in.Named
	}
	if !any {
		return ""
	}
	return list
}

// imported is the cluster file that files become, without the comment at its
// head.
func imported(paths []string, to string, o config.Options) string {
	written, _ := config.Import(paths, to, o)
	if written == nil {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(string(written.Text)) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
