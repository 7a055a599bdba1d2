package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// makePart is a build function that writes one file.
func makePart(content string) func(dir string) ([]File, error) {
	return func(dir string) ([]File, error) {
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return nil, err
		}
		f, err := digestFile(name)
		f.Path, f.Name = "file", "thing"
		return []File{f}, err
	}
}

func TestStore(t *testing.T) {
	s := store{t.TempDir()}
	key := keyOf("input", 1)
	if _, ok := s.load("part", key); ok {
		t.Fatal("an empty store has a part")
	}
	made, err := s.make("part", key, makePart("content"))
	must(t, err)
	loaded, ok := s.load("part", key)
	if !ok || loaded.dir != made.dir || len(loaded.files) != 1 {
		t.Fatalf("load gives %+v, %v", loaded, ok)
	}
	if f, err := loaded.file("thing"); err != nil || f.Size != int64(len("content")) {
		t.Errorf("file gives %+v, %v", f, err)
	}
	if _, err := loaded.file("other"); err == nil {
		t.Error("a part has a file that nobody made")
	}
	if _, ok := s.load("part", keyOf("input", 2)); ok {
		t.Error("other inputs find the same part")
	}
}

// TestStoreDamagedPart throws a part away whose content changed, so that the
// next build makes it again.
func TestStoreDamagedPart(t *testing.T) {
	s := store{t.TempDir()}
	key := keyOf("input")
	p, err := s.make("part", key, makePart("content"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "file"), []byte("Content"), 0o644))
	if _, ok := s.load("part", key); ok {
		t.Fatal("a changed part was used")
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the changed part is still there (%v)", err)
	}
}

// TestStoreInterrupted leaves nothing behind that could be taken for a part,
// neither after an error nor after a build that was killed.
func TestStoreInterrupted(t *testing.T) {
	s := store{t.TempDir()}
	key := keyOf("input")
	broken := errors.New("broken")
	_, err := s.make("part", key, func(dir string) ([]File, error) {
		must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
		return nil, broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 0 {
		t.Errorf("a failed build left %v (%v)", entries, err)
	}
	killed := s.folder("part", key) + ".unfinished"
	mustMkdir(t, killed)
	must(t, os.WriteFile(filepath.Join(killed, "leftover"), nil, 0o644))
	if _, ok := s.load("part", key); ok {
		t.Error("an unfinished part was used")
	}
	p, err := s.make("part", key, makePart("content"))
	must(t, err)
	if _, err := os.Stat(filepath.Join(p.dir, "leftover")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed build left is in the part (%v)", err)
	}
}

func TestStoreLock(t *testing.T) {
	s := store{t.TempDir()}
	unlock, err := s.lock(t.Context(), func() { t.Error("waited for nobody") })
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	waited := false
	if _, err := s.lock(ctx, func() { waited = true; cancel() }); !errors.Is(err, context.Canceled) || !waited {
		t.Errorf("second lock: error %v, waited %v", err, waited)
	}
	unlock()
	again, err := s.lock(t.Context(), func() {})
	must(t, err)
	again()
}
