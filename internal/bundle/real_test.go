package bundle

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// realBundle opens the bundle that `quorate bundle build` left in the cache
// directory; the test is skipped where there is none.
func realBundle(t *testing.T, r catalog.Release) *Bundle {
	t.Helper()
	dir, err := DefaultDir(r.Kubernetes, runtime.GOARCH)
	must(t, err)
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err != nil {
		t.Skipf("no bundle of %s on this machine; `quorate bundle build --kubernetes %[1]s` makes one", r.Kubernetes)
	}
	return mustOpen(t, dir)
}

// install unpacks an executable of a bundle.
func install(t *testing.T, b *Bundle, name string) string {
	t.Helper()
	f, ok := b.Binary(name)
	if !ok {
		t.Fatalf("the bundle has no %s", name)
	}
	stored, err := b.OpenFile(f)
	must(t, err)
	defer stored.Close()
	content, err := zstd.NewReader(stored)
	must(t, err)
	defer content.Close()
	target := filepath.Join(t.TempDir(), name)
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(out, content)
	must(t, err)
	must(t, out.Close())
	return target
}

// TestRealVersions runs the programs of real bundles and compares what they
// print with what the catalogue promises.
func TestRealVersions(t *testing.T) {
	everyRelease(t, func(t *testing.T, r catalog.Release) {
		b := realBundle(t, r)
		for _, c := range []struct {
			argv []string
			want string
		}{
			{[]string{"kubeadm", "version", "-o", "short"}, r.Kubernetes + "\n"},
			{[]string{"kubelet", "--version"}, "Kubernetes " + r.Kubernetes + "\n"},
			{[]string{"kubectl", "version", "--client"}, "Client Version: " + r.Kubernetes + "\n"},
			{[]string{"containerd", "--version"}, " v" + r.Containerd + " "},
			{[]string{"ctr", "--version"}, " v" + r.Containerd + "\n"},
			{[]string{"runc", "--version"}, "runc version " + r.Runc + "\n"},
			{[]string{"etcd", "--version"}, "etcd Version: " + r.Etcd + "\n"},
			{[]string{"etcdctl", "version"}, "etcdctl version: " + r.Etcd + "\n"},
			{[]string{"etcdutl", "version"}, "etcdutl version: " + r.Etcd + "\n"},
		} {
			out, err := exec.CommandContext(t.Context(), install(t, b, c.argv[0]), c.argv[1:]...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v prints %q (%v), want %q in it", c.argv, out, err, c.want)
			}
		}
	})
}

// TestRealImages asks the real kubeadm which images it wants, and looks for
// each in the bundle.
func TestRealImages(t *testing.T) {
	everyRelease(t, func(t *testing.T, r catalog.Release) {
		b := realBundle(t, r)
		cmd := exec.CommandContext(t.Context(), install(t, b, "kubeadm"), "config", "images", "list", "--kubernetes-version", r.Kubernetes)
		out, err := cmd.Output()
		must(t, err)
		if diff := cmp.Diff(strings.Fields(string(out)), r.KubeadmImages()); diff != "" {
			t.Errorf("images differ from kubeadm's (-kubeadm +catalogue):\n%s", diff)
		}
		var names []string
		for _, img := range b.Images() {
			names = append(names, img.Name)
		}
		for _, want := range slices.Concat(r.KubeadmImages(), r.Images(cluster.RoleControlPlane), r.Images(cluster.RoleWorker)) {
			if !slices.Contains(names, want) {
				t.Errorf("the bundle lacks image %s", want)
			}
		}
	})
}

// TestRealPackages looks for the packages that every host needs.
func TestRealPackages(t *testing.T) {
	everyRelease(t, func(t *testing.T, r catalog.Release) {
		b := realBundle(t, r)
		system, err := thisDistribution()
		must(t, err)
		files, err := b.Packages(system.ID, system.Version, hostPackages()...)
		must(t, err)
		for _, root := range hostPackages() {
			if !slices.ContainsFunc(files, func(f File) bool { return f.Name == root }) {
				t.Errorf("the closure of all packages lacks %s itself", root)
			}
		}
	})
}
