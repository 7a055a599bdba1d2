package host_test

import (
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// BenchmarkOperation is the cost of one operation through a pipe.
func BenchmarkOperation(b *testing.B) {
	h := hosttest.Agent(b, b.TempDir(), nil)
	for b.Loop() {
		if err := h.Remove(b.Context(), "/none"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteFile writes 16 KiB, synced, each time with other content.
func BenchmarkWriteFile(b *testing.B) {
	h := hosttest.Agent(b, b.TempDir(), nil)
	content := make([]byte, 16<<10)
	b.SetBytes(int64(len(content)))
	for n := 0; b.Loop(); n++ {
		content[n%len(content)]++
		if _, err := h.WriteFile(b.Context(), "/file", content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFacts is what a host always reports.
func BenchmarkFacts(b *testing.B) {
	h := hosttest.Agent(b, "/", nil)
	for b.Loop() {
		if _, err := h.Facts(b.Context(), protocol.FactsRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRun starts the smallest program.
func BenchmarkRun(b *testing.B) {
	h := hosttest.Agent(b, "/", nil)
	for b.Loop() {
		if _, err := h.Run(b.Context(), host.Command{Argv: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}
