package bundle

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// The images of the small bundle.
const (
	firstImage  = "registry.example/first:v1"
	secondImage = "registry.example/team/second:v2"
)

// smallBundle writes a bundle with two binaries, two images that share a layer,
// and packages of one distribution, through the code that writes real ones.
func smallBundle(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	m := Manifest{
		FormatVersion: FormatVersion, Kubernetes: "v1.37.1", OS: "linux", Arch: "amd64",
		Provenance: Provenance{Method: "source", Builder: "test", GoVersion: "go1.26", Inputs: "none"},
	}
	release, err := catalog.Lookup(m.Kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"kubelet": "the kubelet", "runc": "runc"} {
		path := "bin/" + name + ".zst"
		mustMkdir(t, filepath.Join(dir, "bin"))
		f, err := writeCompressed(filepath.Join(dir, path), func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat(content, 1000))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Path, f.Kind, f.Name, f.Version, f.Mode = path, KindBinary, name, "v1", 0o755
		f.InstallPath, f.Roles = installsOf(release)[name].InstallPath, []cluster.Role{cluster.RoleWorker}
		m.Files = append(m.Files, f)
	}
	addSmallImages(t, dir, &m)
	for file, neededBy := range map[string][]string{
		"haproxy_2.6_amd64.deb": {"haproxy"}, "liblua_5.3_amd64.deb": {"haproxy", "nginx-light"}, "nginx_1_amd64.deb": {"nginx-light"},
	} {
		path := "os/debian-12/" + file
		mustMkdir(t, filepath.Join(dir, "os/debian-12"))
		if err := os.WriteFile(filepath.Join(dir, path), []byte("content of "+file), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := digestFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		f.Path, f.Kind, f.Name, f.OS, f.NeededBy = path, KindOSPackage, strings.Split(file, "_")[0], "debian-12", neededBy
		m.Files = append(m.Files, f)
	}
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	writeManifest(t, dir, m)
	return dir
}

// addSmallImages adds the two images to a bundle.
func addSmallImages(t *testing.T, dir string, m *Manifest) {
	t.Helper()
	layers := t.TempDir()
	layer := func(name string, entries ...layerEntry) part {
		partDir := filepath.Join(layers, name)
		mustMkdir(t, partDir)
		files, err := layerFile(partDir, name, entries)
		if err != nil {
			t.Fatal(err)
		}
		return part{dir: partDir, files: files}
	}
	base := layer("base", textEntry("etc/passwd", "root:x:0:0::/:/sbin/nologin\n"), dirEntry("tmp", 0o777))
	first := layer("first", textEntry("first", "one"), linkEntry("alias", "first"))
	second := layer("second", textEntry("opt/bin/second", strings.Repeat("two", 5000)))
	layout := newLayout(dir, m.Arch)
	for _, img := range []struct {
		spec   imageSpec
		layers []part
	}{
		{imageSpec{Name: secondImage, Version: "2", Cmd: []string{"/opt/bin/second"}}, []part{base, second}},
		{imageSpec{Name: firstImage, Version: "1", Entrypoint: []string{"/first"}}, []part{base, first}},
	} {
		img.spec.Layers = []layerSpec{{Name: "base"}, {Name: "own"}}
		if err := layout.addImage(img.spec, img.layers); err != nil {
			t.Fatal(err)
		}
	}
	if err := layout.finish(); err != nil {
		t.Fatal(err)
	}
	m.Images = layout.list
	for _, f := range layout.files {
		m.Files = append(m.Files, f)
	}
}

// writeManifest replaces a bundle's manifest.
func writeManifest(t *testing.T, dir string, m Manifest) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifestName), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// mustMkdir makes a folder and its parents.
func mustMkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// mustOpen opens a bundle for the length of a test.
func mustOpen(t *testing.T, dir string) *Bundle {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}
