package ssh

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// benchmarkHost is a host behind a real sshd on loopback.
func benchmarkHost(b *testing.B) (*host.Host, string) {
	options := startSSHD(b).options(b)
	h, err := Connect(b.Context(), options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close(b.Context()) })
	return h, filepath.Dir(options.agentFolder)
}

func BenchmarkOperationOverSSHD(b *testing.B) {
	h, _ := benchmarkHost(b)
	for b.Loop() {
		if _, err := h.ReadFile(b.Context(), "/proc/sys/kernel/ostype"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFactsOverSSHD(b *testing.B) {
	h, _ := benchmarkHost(b)
	request := protocol.FactsRequest{
		Packages: []string{"haproxy", "keepalived", "conntrack"}, Sysctls: []string{"net.ipv4.ip_forward"},
		Modules: []string{"overlay", "br_netfilter"}, Disks: []string{"/var/lib/etcd", "/var/lib/containerd"},
		Units: []string{"kubelet.service", "containerd.service", "etcd.service"},
	}
	for b.Loop() {
		if _, err := h.Facts(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	options := startSSHD(b).options(b)
	for b.Loop() {
		h, err := Connect(b.Context(), options)
		if err != nil {
			b.Fatal(err)
		}
		h.Close(b.Context())
	}
}

// BenchmarkUnpackOverSSHD sends files that do not compress.
func BenchmarkUnpackOverSSHD(b *testing.B) {
	h, dir := benchmarkHost(b)
	const files, size = 4, 64 << 20
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{})
	source.Read(content)
	b.SetBytes(files * size)
	n := 0
	for b.Loop() {
		n++
		content[0] = byte(n) // different each time, so that it is written
		sum := sha256.Sum256(content)
		out, in := io.Pipe()
		go func() {
			archive := tar.NewWriter(in)
			for i := range files {
				archive.WriteHeader(&tar.Header{
					Name: fmt.Sprintf("%s/unpacked/%d", dir, i), Size: size, Mode: 0o755, Typeflag: tar.TypeReg,
					PAXRecords: map[string]string{protocol.PAXSHA256: hex.EncodeToString(sum[:])},
				})
				archive.Write(content)
			}
			in.CloseWithError(archive.Close())
		}()
		changed, err := h.Unpack(b.Context(), out)
		if err != nil || len(changed) != files {
			b.Fatalf("changed %v, %v", changed, err)
		}
	}
}

// BenchmarkStreamOverSSHD measures the way to the host without its disk.
func BenchmarkStreamOverSSHD(b *testing.B) {
	h, _ := benchmarkHost(b)
	const size = 256 << 20
	b.SetBytes(size)
	for b.Loop() {
		command := host.Command{Argv: []string{"cat"}, Stdin: io.LimitReader(zeros{}, size), MaxOutput: 1}
		if _, err := h.Run(b.Context(), command); err != nil {
			b.Fatal(err)
		}
	}
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
