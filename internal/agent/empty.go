package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// lostAndFound is the file system's own, at the top of each ext4.
const lostAndFound = "lost+found"

// emptyDir removes what is in a directory, and the directory itself unless it
// is a mount point or was reached through a symbolic link: somebody put that
// there for the data's sake.
func emptyDir(path string) (protocol.ChangedReply, error) {
	real, err := filepath.EvalSymlinks(path)
	if os.IsNotExist(err) {
		return protocol.ChangedReply{}, nil
	}
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	if !info.IsDir() || real == "/" {
		return protocol.ChangedReply{}, protocol.Failure(protocol.KindInvalid, "%s is not a directory to be emptied", path)
	}
	mounted, err := unmountInside(real)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	for _, entry := range entries {
		if mounted && entry.Name() == lostAndFound {
			continue
		}
		if err := os.RemoveAll(filepath.Join(real, entry.Name())); err != nil {
			return protocol.ChangedReply{}, err
		}
	}
	changed := protocol.ChangedReply{Changed: len(entries) > 0}
	if mounted || real != path {
		return changed, syncDir(real)
	}
	if err := os.Remove(real); err != nil && !os.IsNotExist(err) {
		return changed, err
	}
	return protocol.ChangedReply{Changed: true}, syncDir(filepath.Dir(real))
}

// unmountInside lazily unmounts all below dir and tells whether dir itself is
// a mount point. It fails while anything is still mounted below.
func unmountInside(dir string) (mounted bool, err error) {
	// A mount may hide others that come to light when it is gone.
	const most = 16
	for range most {
		mounts, err := readMounts()
		if err != nil {
			return false, err
		}
		left := ""
		for i := len(mounts) - 1; i >= 0; i-- {
			at := mounts[i].point
			mounted = mounted || at == dir
			if !strings.HasPrefix(at, dir+"/") {
				continue
			}
			left = at
			const lazy = syscall.MNT_DETACH
			if err := syscall.Unmount(at, lazy); err != nil && err != syscall.EINVAL && err != syscall.ENOENT {
				return false, fmt.Errorf("unmounting %s: %w", at, err)
			}
		}
		if left == "" {
			return mounted, nil
		}
	}
	return false, protocol.Failure(protocol.KindOther, "something is mounted below %s again and again: find out what does that (findmnt)", dir)
}

// removeIfEmpty removes an empty directory. One that holds something, or is a
// mount point, is left alone, and so is all that is no directory.
func removeIfEmpty(path string) (protocol.ChangedReply, error) {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) || err == nil && !info.IsDir() {
		return protocol.ChangedReply{}, nil
	}
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	err = syscall.Rmdir(path)
	switch {
	case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.EBUSY), os.IsNotExist(err):
		return protocol.ChangedReply{}, nil
	case err != nil:
		return protocol.ChangedReply{}, fmt.Errorf("removing the empty directory %s: %w", path, err)
	}
	return protocol.ChangedReply{Changed: true}, syncDir(filepath.Dir(path))
}
