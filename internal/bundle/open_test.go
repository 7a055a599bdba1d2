package bundle

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func TestOpenMissing(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "nothing"), t.TempDir()} {
		_, err := Open(dir)
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "quorate bundle build") {
			t.Errorf("Open(%s): %v, want ErrNotFound with the hint", dir, err)
		}
	}
}

func TestOpenDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"missing file":   {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "bin/runc.zst"))) }, "bin/runc.zst is missing"},
		"truncated file": {func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, "bin/runc.zst"), 3)) }, "bin/runc.zst has 3 bytes"},
		"half a manifest": {func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, manifestName), 100))
		}, "manifest.json: not valid JSON"},
		"huge manifest": {func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, manifestName), maxManifestSize+1))
		}, "manifest.json is larger"},
		"link out of the bundle": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "bin/runc.zst")))
			must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "bin/runc.zst")))
		}, "bin/runc.zst"},
		"folder instead of a file": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "bin/runc.zst")))
			must(t, os.Mkdir(filepath.Join(dir, "bin/runc.zst"), 0o755))
		}, "bin/runc.zst is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallBundle(t)
			c.damage(t, dir)
			b, err := Open(dir)
			if err == nil {
				b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want one with %q and the directory", err, c.want)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	f, ok := b.Binary("kubelet")
	if !ok || f.InstallPath != "/usr/local/bin/kubelet" || f.Mode != 0o755 {
		t.Fatalf("Binary(kubelet) = %+v, %v", f, ok)
	}
	stored, err := b.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	content, err := zstd.NewReader(stored)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	got, err := io.ReadAll(content)
	if err != nil || string(got) != strings.Repeat("the kubelet", 1000) {
		t.Errorf("content has %d bytes and error %v", len(got), err)
	}
	// The image's blobs are files too, but not binaries.
	for _, name := range []string{"etcd", "haproxy", "layer base", ""} {
		if _, ok := b.Binary(name); ok {
			t.Errorf("Binary(%q) found something", name)
		}
	}
}

func TestImageDigest(t *testing.T) {
	m := mustOpen(t, smallBundle(t)).Manifest()
	if got := m.ImageDigest(secondImage); got != m.Images[1].Digest {
		t.Errorf("ImageDigest(%s) = %q, want %q", secondImage, got, m.Images[1].Digest)
	}
	if got := m.ImageDigest("registry.example/third:v3"); got != "" {
		t.Errorf("an image that is not there has digest %q", got)
	}
}

func TestPackages(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	names := func(wanted ...string) []string {
		files, err := b.Packages("debian", "12", wanted...)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, f := range files {
			list = append(list, f.Name)
		}
		return list
	}
	if diff := cmp.Diff([]string{"haproxy", "liblua"}, names("haproxy")); diff != "" {
		t.Errorf("closure of haproxy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"haproxy", "liblua", "nginx"}, names("haproxy", "nginx-light")); diff != "" {
		t.Errorf("a shared dependency is not in it once (-want +got):\n%s", diff)
	}
	if _, err := b.Packages("debian", "12", "haproxy", "chrony"); err == nil || !strings.Contains(err.Error(), "no package chrony") {
		t.Errorf("unknown package: %v", err)
	}
	if _, err := b.Packages("rocky", "9", "haproxy"); !errors.Is(err, ErrNoPackages) || !strings.Contains(err.Error(), "debian-12") {
		t.Errorf("unknown distribution: error %v does not say which there are", err)
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
