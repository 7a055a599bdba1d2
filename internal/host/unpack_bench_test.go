package host_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// BenchmarkUnpack sends binaries as a bundle holds them, compressed, and
// counts the bytes that reach the disk.
func BenchmarkUnpack(b *testing.B) {
	const files, size = 12, 16 << 20
	h := hosttest.Agent(b, b.TempDir(), nil)
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{})
	source.Read(content)
	for i := range content { // about as compressible as a program
		content[i] &= 0x1f
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(files * size)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		content[0] = byte(n)
		sum := sha256.Sum256(content)
		compressed := encoder.EncodeAll(content, nil)
		b.StartTimer()
		out, in := io.Pipe()
		go func() {
			archive := tar.NewWriter(in)
			for i := range files {
				archive.WriteHeader(&tar.Header{
					Name: fmt.Sprintf("/usr/local/bin/%d", i), Size: int64(len(compressed)), Mode: 0o755, Typeflag: tar.TypeReg,
					PAXRecords: map[string]string{protocol.PAXSHA256: hex.EncodeToString(sum[:]), protocol.PAXEncoding: "zstd"},
				})
				archive.Write(compressed)
			}
			in.CloseWithError(archive.Close())
		}()
		changed, err := h.Unpack(b.Context(), out)
		if err != nil || len(changed) != files {
			b.Fatalf("changed %v, %v", changed, err)
		}
	}
}
