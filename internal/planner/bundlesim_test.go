package planner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// smallBundle writes a bundle of a release whose binaries, images and packages
// are a few bytes each, and opens it. The binaries that are named as rebuilt are
// of the same version and have other bytes.
func smallBundle(t testing.TB, r catalog.Release, arch string, rebuilt ...string) *bundle.Bundle {
	t.Helper()
	dir := t.TempDir()
	m := bundle.Manifest{FormatVersion: bundle.FormatVersion, Kubernetes: r.Kubernetes, OS: "linux", Arch: arch}
	add := func(f bundle.File, content string) string {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		f.SHA256, f.Size = digestOf([]byte(content)), int64(len(content))
		f.StoredSHA256, f.StoredSize = f.SHA256, f.Size
		m.Files = append(m.Files, f)
		return f.SHA256
	}
	seen := map[string]bool{}
	for _, b := range slices.Concat(r.Binaries(cluster.RoleControlPlane), r.Binaries(cluster.RoleEtcd)) {
		content := b.Name + " " + b.Version
		if slices.Contains(rebuilt, b.Name) {
			content += " rebuilt"
		}
		add(bundle.File{
			Path: "bin/" + b.Name, Kind: bundle.KindBinary, Name: b.Name, Version: b.Version, InstallPath: b.InstallPath, Mode: bundle.Mode(b.Mode),
		}, content)
	}
	for _, name := range slices.Concat(r.KubeadmImages(), r.Images(cluster.RoleControlPlane)) {
		if seen[name] {
			continue
		}
		seen[name] = true
		sum := digestOf([]byte(name))
		add(bundle.File{Path: "images/blobs/sha256/" + sum, Kind: bundle.KindImageBlob, Name: sum}, name)
		m.Images = append(m.Images, bundle.Image{Name: name, Digest: "sha256:" + sum, Blobs: []string{"sha256:" + sum}})
	}
	for _, name := range []string{"conntrack", "iptables", "nftables", "haproxy", "keepalived", "nginx", "libnginx-mod-stream"} {
		add(bundle.File{
			Path: "os/debian-12/" + name + ".deb", Kind: bundle.KindOSPackage, Name: name, OS: "debian-12", NeededBy: []string{name},
		}, "package "+name)
	}
	for _, name := range []string{"usr/sbin/haproxy", "lib/libc.so.6"} {
		add(bundle.File{
			Path: "self-contained/haproxy/" + strings.ReplaceAll(name, "/", "_"), Kind: bundle.KindSelfContained, Name: "haproxy", Version: "2.6",
			InstallPath: bundle.SelfContainedRoot + "haproxy/" + name, Mode: 0o755,
		}, name)
	}
	slices.SortFunc(m.Files, func(a, b bundle.File) int { return strings.Compare(a.Path, b.Path) })
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}
