package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` looks, so that its commands work on our switches.
const netnsDir = "/run/netns"

// onSpareThread runs fn on an operating system thread of its own, which ends
// with it: what fn does to the thread's namespaces touches nothing else.
func onSpareThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread dies with the goroutine
		done <- fn()
	}()
	return <-done
}

// inNetns runs fn on a thread inside the network namespace pinned at path.
// There, /proc/sys/net means the namespace's settings.
func inNetns(path string, fn func() error) error {
	return onSpareThread(func() error {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("opening network namespace %s: %w", path, err)
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering network namespace %s: %w", path, err)
		}
		return fn()
	})
}

// createNetns makes a network namespace pinned at netnsDir/name.
func createNetns(name string) error {
	if err := shareNetnsDir(); err != nil {
		return err
	}
	path := filepath.Join(netnsDir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return fmt.Errorf("creating network namespace: %w", err)
	}
	f.Close()
	err = onSpareThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	})
	if err != nil {
		return errors.Join(fmt.Errorf("creating network namespace %s: %w", name, err), os.Remove(path))
	}
	return nil
}

// netnsExists reports whether netnsDir/name is a namespace, and not the empty
// file that an interrupted creation or a reboot leaves.
func netnsExists(name string) bool {
	var stat unix.Statfs_t
	err := unix.Statfs(filepath.Join(netnsDir, name), &stat)
	return err == nil && stat.Type == unix.NSFS_MAGIC
}

// deleteNetns unpins the namespace; it ends when its last process does.
func deleteNetns(name string) error {
	path := filepath.Join(netnsDir, name)
	for netnsExists(name) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("deleting network namespace %s: %w", name, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting network namespace %s: %w", name, err)
	}
	return nil
}

// shareNetnsDir makes netnsDir a shared mount, as `ip netns add` does, so that
// deleting a namespace reaches copies of the mount in other mount namespaces.
func shareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return fmt.Errorf("creating %s: %w", netnsDir, err)
	}
	err := unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // not a mount point yet
		if err = unix.Mount(netnsDir, netnsDir, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = unix.Mount("", netnsDir, "", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		return fmt.Errorf("sharing %s: %w", netnsDir, err)
	}
	return nil
}

// isMountPoint reports whether something is mounted on dir.
func isMountPoint(dir string) bool {
	var at, above unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID, &at) != nil ||
		unix.Statx(unix.AT_FDCWD, filepath.Dir(dir), 0, unix.STATX_MNT_ID, &above) != nil {
		return false
	}
	return at.Mnt_id != above.Mnt_id
}

// removeNetnsDir undoes shareNetnsDir, if no namespace is left in it.
func removeNetnsDir(dir string) error {
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return ignoreMissing(err)
	}
	if isMountPoint(dir) {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", dir, err)
		}
	}
	return ignoreMissing(os.Remove(dir))
}
