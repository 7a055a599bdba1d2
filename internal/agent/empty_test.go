package agent

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestEmptyRemovesAPlainDirectory(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "var/lib/kubelet/pods/1/x"))
	a := New(Options{Root: root})
	defer a.Close()
	for i, want := range []bool{true, false} {
		reply, err := a.remove(t.Context(), protocol.RemoveRequest{Path: "/var/lib/kubelet", Empty: true})
		if err != nil || reply.Changed != want {
			t.Errorf("%d: %+v, %v", i, reply, err)
		}
	}
	if exists(filepath.Join(root, "var/lib/kubelet")) || !exists(filepath.Join(root, "var/lib")) {
		t.Error("removed too little or too much")
	}
}

func TestEmptyKeepsASymbolicLinkAndItsDirectory(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "data/kubelet/x"))
	write(t, filepath.Join(root, "data/other"))
	link := filepath.Join(root, "kubelet")
	if err := os.Symlink(filepath.Join(root, "data/kubelet"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := emptyDir(link); err != nil {
		t.Fatal(err)
	}
	if !exists(link) || !exists(filepath.Join(root, "data/kubelet")) || exists(filepath.Join(root, "data/kubelet/x")) || !exists(filepath.Join(root, "data/other")) {
		t.Error("removed too little or too much")
	}
}

func TestEmptyRefusesAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file)
	if _, err := emptyDir(file); err == nil || !exists(file) {
		t.Errorf("a file was removed as a directory: %v", err)
	}
}

// A mount point is kept, and what is mounted below it is unmounted, never
// removed.
func TestEmptyAndMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	root := t.TempDir()
	kept, disk := filepath.Join(root, "kubelet"), filepath.Join(root, "disk")
	write(t, filepath.Join(disk, "precious"))
	write(t, filepath.Join(kept, "below"))
	bind := func(from, to string) {
		t.Helper()
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("this machine does not let tests mount: %v", err)
		}
		t.Cleanup(func() { syscall.Unmount(to, syscall.MNT_DETACH) })
	}
	backing := filepath.Join(root, "backing")
	write(t, filepath.Join(backing, "x"))
	bind(backing, kept)
	bind(disk, filepath.Join(kept, "pods/1/volume with space"))
	bind(disk, filepath.Join(kept, "pods/1/volume with space")) // one over the other
	if reply, err := removeIfEmpty(kept); err != nil || reply.Changed {
		t.Errorf("a mount point was removed: %v", err)
	}
	if _, err := emptyDir(kept); err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(disk, "precious")) {
		t.Error("what was mounted below was removed")
	}
	entries, err := os.ReadDir(kept)
	if err != nil || len(entries) != 0 {
		t.Errorf("the mount point holds %v, %v", entries, err)
	}
	if exists(filepath.Join(backing, "x")) {
		t.Error("the mounted directory was not emptied")
	}
	if err := syscall.Unmount(kept, 0); err != nil || !exists(filepath.Join(kept, "below")) {
		t.Errorf("the mount itself did not stay: %v", err)
	}
}

func TestRemoveIfEmpty(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "full/x"))
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"full": false, "empty": true, "missing": false, "full/x": false} {
		reply, err := removeIfEmpty(filepath.Join(root, name))
		if err != nil || reply.Changed != want {
			t.Errorf("%s: %+v, %v", name, reply, err)
		}
	}
	if !exists(filepath.Join(root, "full/x")) {
		t.Error("a file was removed")
	}
}
