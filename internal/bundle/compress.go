package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// digestWriter counts and hashes what passes through it.
type digestWriter struct {
	out  io.Writer
	sum  hash.Hash
	size int64
}

// newDigestWriter hashes everything that is written to out.
func newDigestWriter(out io.Writer) *digestWriter { return &digestWriter{out: out, sum: sha256.New()} }

// Write hands the bytes on and counts what was taken.
func (w *digestWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	return n, err
}

// hex is the sha256 so far, in hexadecimal.
func (w *digestWriter) hex() string { return hex.EncodeToString(w.sum.Sum(nil)) }

// newCompressor returns a zstd writer whose output depends on its input alone:
// one goroutine, so that blocks are always cut in the same places.
func newCompressor(out io.Writer) (*zstd.Encoder, error) {
	return zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
}

// writeCompressed creates a zstd-compressed file from what write produces, and
// returns the digests and sizes of both forms; the caller adds the rest.
func writeCompressed(name string, write func(io.Writer) error) (File, error) {
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return File{}, err
	}
	defer out.Close()
	stored := newDigestWriter(out)
	compressor, err := newCompressor(stored)
	if err != nil {
		return File{}, err
	}
	content := newDigestWriter(compressor)
	if err := write(content); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", name, err)
	}
	if err := compressor.Close(); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", name, err)
	}
	if err := out.Close(); err != nil {
		return File{}, err
	}
	return File{
		Compression: "zstd", SHA256: content.hex(), Size: content.size,
		StoredSHA256: stored.hex(), StoredSize: stored.size,
	}, nil
}

// digestFile describes a file that is stored as it is.
func digestFile(name string) (File, error) {
	in, err := os.Open(name)
	if err != nil {
		return File{}, err
	}
	defer in.Close()
	out := newDigestWriter(io.Discard)
	if _, err := io.Copy(out, in); err != nil {
		return File{}, err
	}
	return plainFile(out.hex(), out.size), nil
}

// plainFile is a file whose stored form is its content.
func plainFile(sum string, size int64) File {
	return File{SHA256: sum, Size: size, StoredSHA256: sum, StoredSize: size}
}

// hexSHA256 is the sha256 of data, in hexadecimal.
func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
