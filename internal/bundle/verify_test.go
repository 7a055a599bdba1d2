package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	if err := mustOpen(t, smallBundle(t)).Verify(t.Context()); err != nil {
		t.Errorf("a good bundle: %v", err)
	}
}

// TestVerifyCorrupted flips one bit in each file in turn: size and name stay
// right, and still every one is caught.
func TestVerifyCorrupted(t *testing.T) {
	dir := smallBundle(t)
	b := mustOpen(t, dir)
	for _, f := range b.Manifest().Files {
		name := filepath.Join(dir, f.Path)
		good, err := os.ReadFile(name)
		must(t, err)
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		must(t, os.WriteFile(name, bad, 0o644))
		var damaged *DamagedError
		if err := b.Verify(t.Context()); !errors.As(err, &damaged) || damaged.Path != f.Path {
			t.Errorf("%s with a flipped bit: %v", f.Path, err)
		}
		must(t, os.WriteFile(name, good, 0o644))
	}
}

// TestVerifyUnpacked catches a file that is stored as the manifest says but
// unpacks to something else, such as far more than announced.
func TestVerifyUnpacked(t *testing.T) {
	dir := smallBundle(t)
	m := mustOpen(t, dir).Manifest()
	for i := range m.Files {
		if m.Files[i].Name == "kubelet" {
			m.Files[i].Size--
		}
	}
	writeManifest(t, dir, m)
	err := mustOpen(t, dir).Verify(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unpacks to other content") {
		t.Errorf("error %v", err)
	}
}

func TestVerifyCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := mustOpen(t, smallBundle(t)).Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// TestOpenFileHoldsBack makes sure that a reader of a damaged file never gets
// the whole of it, even one that stops at the expected size.
func TestOpenFileHoldsBack(t *testing.T) {
	for name, change := range map[string]func(content []byte) []byte{
		"flipped bit": func(c []byte) []byte { c[0] ^= 1; return c },
		"truncated":   func(c []byte) []byte { return c[:len(c)-1] },
		"longer":      func(c []byte) []byte { return append(c, 'x') },
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallBundle(t)
			b := mustOpen(t, dir)
			f, _ := b.Binary("kubelet")
			path := filepath.Join(dir, f.Path)
			content, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, change(content), 0o644))
			in, err := b.OpenFile(f)
			must(t, err)
			defer in.Close()
			got, err := io.ReadAll(in)
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Errorf("error %v, want a *DamagedError", err)
			}
			if name != "truncated" && int64(len(got)) >= f.StoredSize {
				t.Errorf("%d bytes were handed on before the error", len(got))
			}
			if n, again := in.Read(make([]byte, 1)); n != 0 || !errors.As(again, &damaged) {
				t.Errorf("reading on gives %d bytes and %v", n, again)
			}
		})
	}
}

func TestOpenFileUnknown(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	if _, err := b.OpenFile(File{Path: "../../etc/passwd"}); err == nil {
		t.Error("a file that is not in the manifest was opened")
	}
}
