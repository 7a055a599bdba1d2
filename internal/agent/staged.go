package agent

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// staged is a file on its way to path: written under a temporary name in the
// same directory, synced, then renamed over it. A reader of path sees the old
// content or the new, a power cut leaves one of them, and a program that runs
// from path goes on running from the old one.
type staged struct {
	path string
	file *os.File // nil once committed or discarded
}

// stage opens a temporary file beside path. Its name begins with a dot, which
// the readers of configuration folders (the kubelet, HAProxy) pass over.
func stage(path string) (*staged, error) {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil, protocol.Failure(protocol.KindInvalid, "%s is a directory", path)
	}
	dir, name := filepath.Split(path)
	prefix := ".quorate-" + name + "-"
	if len(prefix) > maxStagedPrefix {
		prefix = prefix[:maxStagedPrefix]
	}
	sweepStaged(dir, prefix)
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	// Whoever still writes holds the lock, so that others know what is dead.
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return &staged{path: path, file: f}, nil
}

// maxStagedPrefix leaves a temporary name room within the 255 bytes of a name.
const maxStagedPrefix = 200

// sweepStaged removes what an agent that was killed, or a host that lost
// power, left half written for the same path.
func sweepStaged(dir, prefix string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // creating the file says what is wrong
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.Remove(name)
		}
		f.Close()
	}
}

// fill writes the content and gives its hex sha256.
func (s *staged) fill(content io.Reader) (string, error) {
	h := sha256.New()
	buffered := bufio.NewWriterSize(s.file, 256<<10)
	if _, err := io.Copy(io.MultiWriter(h, buffered), content); err != nil {
		return "", err
	}
	if err := buffered.Flush(); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sync sets owner and mode and waits until all is on the disk.
func (s *staged) sync(want owned) error {
	if err := s.file.Chown(want.uid, want.gid); err != nil {
		return err
	}
	if err := s.file.Chmod(want.mode); err != nil {
		return err
	}
	return s.file.Sync()
}

// commit gives the file its name. The directory is not yet synced.
func (s *staged) commit() error {
	name := s.file.Name()
	err := s.file.Close()
	if err == nil {
		err = os.Rename(name, s.path)
	}
	if err != nil {
		os.Remove(name)
	}
	s.file = nil
	return err
}

// discard removes the temporary file unless it was committed.
func (s *staged) discard() {
	if s.file == nil {
		return
	}
	s.file.Close()
	os.Remove(s.file.Name())
	s.file = nil
}

// owned is who may do what with a file.
type owned struct {
	mode     fs.FileMode
	uid, gid int
}

// apply sets mode and owner where they differ and tells whether they did.
func (o owned) apply(path string) (changed bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if int(stat.Uid) != o.uid || int(stat.Gid) != o.gid {
		if err := os.Lchown(path, o.uid, o.gid); err != nil {
			return false, err
		}
		changed = true
	}
	if info.Mode().Perm() != o.mode {
		if err := os.Chmod(path, o.mode); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

// makeParents makes the missing directories above path, each synced into its
// own parent.
func makeParents(path string, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err == nil {
		return nil // when it is no directory, creating the file says so
	} else if !os.IsNotExist(err) {
		return err
	}
	if err := makeParents(dir, mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !os.IsExist(err) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
