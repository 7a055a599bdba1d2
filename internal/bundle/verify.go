package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// OpenFile returns the bytes of a file as they are stored, compressed ones
// compressed. The reader verifies while it is read: when the content is not
// what the manifest says, it holds the last bytes back and returns a
// [*DamagedError] instead of io.EOF. Whoever wrote the bytes somewhere must
// take them back on any error.
func (b *Bundle) OpenFile(f File) (io.ReadCloser, error) {
	known, ok := b.byPath[f.Path]
	if !ok {
		return nil, fmt.Errorf("bundle %s has no file %s", b.dir, f.Path)
	}
	file, err := b.root.Open(known.Path)
	if err != nil {
		return nil, fmt.Errorf("opening %s of bundle %s: %w", known.Path, b.dir, err)
	}
	return &verifyingReader{
		Closer: file, content: file, sum: sha256.New(), wantSum: known.StoredSHA256, left: known.StoredSize,
		fail: func(reason string) error { return b.damaged(known, reason) },
	}, nil
}

// verifyingReader passes content through and checks its size and digest.
type verifyingReader struct {
	io.Closer
	content io.Reader
	sum     hash.Hash
	wantSum string
	left    int64 // bytes still expected
	fail    func(reason string) error
	err     error // sticky
}

// Read returns io.EOF only after the right content.
func (r *verifyingReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.content.Read(p)
	r.sum.Write(p[:n])
	r.left -= int64(n)
	switch {
	case r.left < 0:
		// Nothing beyond the expected size is handed on.
		n, err = 0, r.fail("is longer than the manifest says")
	case err == io.EOF && r.left > 0:
		err = r.fail(fmt.Sprintf("ends %d bytes early", r.left))
	case r.left == 0:
		// The last bytes are held back until the digest is known to be right:
		// a caller that reads exactly the expected size never sees the end.
		if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.wantSum {
			n, err = 0, r.fail("has the wrong sha256 "+got)
		}
	}
	r.err = err
	return n, err
}

// verifyWorkers is how many files are hashed at the same time.
const verifyWorkers = 4

// Verify reads every file and checks its stored and its unpacked content
// against the manifest. The error is that of a damaged file, if there is one.
func (b *Bundle) Verify(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(verifyWorkers)
	for _, f := range b.manifest.Files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.verifyFile(ctx, f); err != nil {
				return fmt.Errorf("verifying bundle %s: %w", b.dir, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// verifyFile checks one file, and what it unpacks to when it is compressed.
func (b *Bundle) verifyFile(ctx context.Context, f File) error {
	stored, err := b.OpenFile(f)
	if err != nil {
		return err
	}
	defer stored.Close()
	in := contextReader{ctx, stored}
	if f.Compression == "" {
		_, err := io.Copy(io.Discard, in)
		return err
	}
	content, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer content.Close()
	sum := sha256.New()
	// A hostile file may unpack to far more than it says: stop one byte later.
	n, err := io.Copy(sum, io.LimitReader(content, f.Size+1))
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", f.Path, err)
	}
	if n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return b.damaged(f, "unpacks to other content than the manifest says")
	}
	return nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	in  io.Reader
}

// Read reads, unless the context has ended.
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
