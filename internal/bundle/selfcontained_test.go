package bundle

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// installedEntries lists a program of this machine and the libraries that its
// loader finds for it, as packages would hold them.
func installedEntries(t *testing.T, program string) []layerEntry {
	t.Helper()
	said, err := exec.Command("ldd", program).Output()
	must(t, err)
	paths := []string{program}
	for field := range strings.FieldsSeq(string(said)) {
		if strings.HasPrefix(field, "/") {
			paths = append(paths, field)
		}
	}
	var entries []layerEntry
	for _, p := range paths {
		content, err := os.ReadFile(p)
		must(t, err)
		e := textEntry(mergedPath(strings.TrimPrefix(filepath.Clean(p), "/")), string(content))
		entries = append(entries, e)
	}
	return entries
}

func TestClosureOf(t *testing.T) {
	entries := installedEntries(t, "/usr/bin/true")
	// A library is often a link to the file that names its whole version.
	for i, e := range entries {
		if strings.HasPrefix(path.Base(e.Path), "libc.so") {
			entries[i].Path += ".0"
			entries = append(entries, linkEntry(e.Path, path.Base(e.Path)+".0"))
		}
	}
	got, err := closureOf(entries, map[string]string{"usr/bin/true": "usr/sbin/it"})
	must(t, err)
	loader, libc := "", ""
	for name, f := range got {
		switch base := path.Base(name); {
		case strings.HasPrefix(base, "ld-linux"):
			loader = name
		case base == "libc.so.6":
			libc = name
		}
		if len(f.content) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if loader == "" || libc == "" || got["usr/sbin/it"].content == nil || len(got) != 3 {
		t.Fatalf("found the loader %q, the library %q, and %d files", loader, libc, len(got))
	}
	// It runs where nothing else is.
	root := t.TempDir()
	for name, f := range got {
		must(t, os.MkdirAll(filepath.Join(root, path.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, name), f.content, f.mode))
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chroot", root, "/usr/sbin/it").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}

	lacks := slices.DeleteFunc(slices.Clone(entries), func(e layerEntry) bool { return strings.Contains(e.Path, "libc.so") })
	if _, err := closureOf(lacks, map[string]string{"usr/bin/true": "it"}); err == nil || !strings.Contains(err.Error(), "libc.so.6") {
		t.Errorf("without its library: %v", err)
	}
	circle := []layerEntry{linkEntry("usr/bin/a", "b"), linkEntry("usr/bin/b", "a")}
	if _, err := closureOf(circle, map[string]string{"usr/bin/a": "a"}); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("links in a circle: %v", err)
	}
}
