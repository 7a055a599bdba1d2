package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// read streams a file's bytes.
func (a *Agent) read(w http.ResponseWriter, r *http.Request, request protocol.ReadRequest) error {
	path, err := a.path(request.Path)
	if err != nil {
		return err
	}
	// Non-blocking, so that a FIFO without a writer cannot hold the operation.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return protocol.Failure(protocol.KindInvalid, "%s is a directory", request.Path)
	}
	if info.Mode().IsRegular() && info.Size() > 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
		_, err = io.CopyN(w, f, info.Size())
	} else {
		// Files of /proc and /sys have no size, and devices have no end.
		_, err = io.Copy(w, f)
	}
	if err != nil {
		// The answer has begun: only cutting it off tells that it failed.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// write puts the request's body at a path.
func (a *Agent) write(w http.ResponseWriter, r *http.Request, request protocol.WriteRequest) error {
	path, err := a.path(request.Path)
	if err != nil {
		return err
	}
	want := owned{mode: fs.FileMode(request.Mode) & fs.ModePerm, uid: request.UID, gid: request.GID}
	if a.root != "" && a.root != "/" {
		want.uid, want.gid = os.Getuid(), os.Getgid()
	}
	reply := protocol.WriteReply{}
	if sum, err := digestFile(path); err == nil && request.SHA256 != "" && sum == request.SHA256 {
		reply.SHA256 = sum
		reply.Changed, err = want.apply(path)
		if err != nil {
			return err
		}
		answer(w, reply)
		return nil
	}

	parentMode := fs.FileMode(0o755)
	if want.mode&0o077 == 0 {
		parentMode = 0o700
	}
	if err := makeParents(path, parentMode); err != nil {
		return err
	}
	staged, err := stage(path)
	if err != nil {
		return err
	}
	defer staged.discard()
	reply.SHA256, err = staged.fill(r.Body)
	if err != nil {
		return err
	}
	if request.SHA256 != "" && reply.SHA256 != request.SHA256 {
		return protocol.Failure(protocol.KindDigest, "%s: received content with digest %s, want %s", request.Path, reply.SHA256, request.SHA256)
	}
	if sum, err := digestFile(path); err == nil && sum == reply.SHA256 {
		reply.Changed, err = want.apply(path)
		if err != nil {
			return err
		}
		answer(w, reply)
		return nil
	}
	if err := staged.sync(want); err != nil {
		return err
	}
	if err := staged.commit(); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	reply.Changed = true
	answer(w, reply)
	return nil
}

// mkdir makes a directory and its parents and sets its mode.
func (a *Agent) mkdir(_ context.Context, request protocol.MkdirRequest) (protocol.ChangedReply, error) {
	path, err := a.path(request.Path)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	mode := fs.FileMode(request.Mode) & fs.ModePerm
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return protocol.ChangedReply{}, protocol.Failure(protocol.KindInvalid, "%s is there and is not a directory", request.Path)
	case err == nil && info.Mode().Perm() == mode:
		return protocol.ChangedReply{}, nil
	case err == nil:
		return protocol.ChangedReply{Changed: true}, os.Chmod(path, mode)
	case !os.IsNotExist(err):
		return protocol.ChangedReply{}, err
	}
	if err := makeParents(path, 0o755); err != nil {
		return protocol.ChangedReply{}, err
	}
	if err := os.Mkdir(path, mode); err != nil && !os.IsExist(err) {
		return protocol.ChangedReply{}, err
	}
	if err := os.Chmod(path, mode); err != nil { // the umask may have cut bits off
		return protocol.ChangedReply{}, err
	}
	return protocol.ChangedReply{Changed: true}, syncDir(filepath.Dir(path))
}

// remove removes a path, and unmounts what is below it first when asked to.
func (a *Agent) remove(_ context.Context, request protocol.RemoveRequest) (protocol.ChangedReply, error) {
	path, err := a.path(request.Path)
	if err != nil {
		return protocol.ChangedReply{}, err
	}
	if request.Path == "/" {
		return protocol.ChangedReply{}, protocol.Failure(protocol.KindInvalid, "refusing to remove /")
	}
	switch {
	case request.Empty:
		return emptyDir(path)
	case request.IfEmpty:
		return removeIfEmpty(path)
	case request.Unmount:
		if err := unmountBelow(path); err != nil {
			return protocol.ChangedReply{}, err
		}
	}
	if _, err := os.Lstat(path); err != nil {
		if os.IsNotExist(err) {
			return protocol.ChangedReply{}, nil
		}
		return protocol.ChangedReply{}, err
	}
	if request.Recursive {
		err = os.RemoveAll(path)
	} else {
		err = os.Remove(path)
	}
	if err != nil && !os.IsNotExist(err) {
		return protocol.ChangedReply{}, err
	}
	return protocol.ChangedReply{Changed: true}, syncDir(filepath.Dir(path))
}

// unmountBelow lazily unmounts every mount at or below path, the deepest first.
func unmountBelow(path string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		at := mounts[i].point
		if at != path && !strings.HasPrefix(at, path+"/") {
			continue
		}
		const lazy = syscall.MNT_DETACH
		if err := syscall.Unmount(at, lazy); err != nil && err != syscall.EINVAL && err != syscall.ENOENT {
			return fmt.Errorf("unmounting %s: %w", at, err)
		}
	}
	return nil
}

// digestFile is the hex sha256 of a regular file.
func digestFile(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
