package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// store keeps finished parts of bundles, each in a folder named after a digest
// of its inputs.
type store struct{ dir string }

// part is a finished part. The paths of its files are relative to its folder.
type part struct {
	dir   string
	files []File
}

// partManifest is the name of the file that lists a part's files. It is
// written last, so a folder without it is not a part.
const partManifest = "part.json"

// keyOf is a digest of any values that JSON can hold.
func keyOf(inputs ...any) string {
	data, err := json.Marshal(inputs)
	if err != nil {
		// Only values of this package's own plain types get here.
		panic(fmt.Sprintf("bundle: inputs that JSON cannot hold: %v", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// folder is where a part lies. A short prefix of the key is enough to tell
// inputs apart and keeps paths readable.
func (s store) folder(name, key string) string { return filepath.Join(s.dir, name+"-"+key[:16]) }

// lock makes sure that one build at a time works on the store. waiting is
// called once if another one holds it.
func (s store) lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the bundle cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the bundle cache: %w", err)
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for first := true; ; first = false {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			// Closing the file gives the lock back, and so does dying.
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking the bundle cache %s: %w", s.dir, err)
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another build to finish: %w", stopped(ctx))
		case <-ticker.C:
		}
	}
}

// load returns a part that was finished earlier, after verifying every byte
// of it; anything else makes it worthless and removes it.
func (s store) load(name, key string) (part, bool) {
	dir := s.folder(name, key)
	data, err := os.ReadFile(filepath.Join(dir, partManifest))
	if err != nil {
		return part{}, false
	}
	p := part{dir: dir}
	if err := json.Unmarshal(data, &p.files); err != nil || p.verify() != nil {
		os.RemoveAll(dir)
		return part{}, false
	}
	return p, true
}

// make builds a part in a temporary folder that gets its final name only when
// it is complete. What an interrupted build left there is removed first.
func (s store) make(name, key string, build func(dir string) ([]File, error)) (part, error) {
	final := s.folder(name, key)
	stage := final + ".unfinished"
	for _, dir := range []string{final, stage} {
		if err := os.RemoveAll(dir); err != nil {
			return part{}, err
		}
	}
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return part{}, err
	}
	defer os.RemoveAll(stage)
	files, err := build(stage)
	if err != nil {
		return part{}, err
	}
	data, err := json.MarshalIndent(files, "", "  ")
	if err != nil {
		return part{}, err
	}
	if err := os.WriteFile(filepath.Join(stage, partManifest), data, 0o644); err != nil {
		return part{}, err
	}
	if err := os.Rename(stage, final); err != nil {
		return part{}, err
	}
	return part{dir: final, files: files}, nil
}

// verify compares the stored bytes with what the part's list says.
func (p part) verify() error {
	for _, f := range p.files {
		got, err := digestFile(filepath.Join(p.dir, f.Path))
		if err != nil {
			return err
		}
		if got.StoredSHA256 != f.StoredSHA256 || got.StoredSize != f.StoredSize {
			return fmt.Errorf("%s of part %s changed", f.Path, p.dir)
		}
	}
	return nil
}

// file finds a file of the part by its name.
func (p part) file(name string) (File, error) {
	for _, f := range p.files {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("part %s has no %s: %w", p.dir, name, fs.ErrNotExist)
}

// linkOrCopy puts a file of a part into a bundle. They share the disk's blocks
// where the file system allows it: neither is ever written to again.
func linkOrCopy(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
