package agent

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
)

func TestBeginning(t *testing.T) {
	packet := func(change func(p []byte)) []byte {
		p := make([]byte, 40)
		p[0], p[9] = 0x45, 6
		copy(p[12:], []byte{10, 0, 0, 8})
		p[22], p[23] = 0x19, 0x2b
		p[33] = tcpSYN
		change(p)
		return p
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		ok     bool
	}{
		{"the first of a connection", packet(func([]byte) {}), true},
		{"the answer to it", packet(func(p []byte) { p[33] |= tcpACK }), false},
		{"data", packet(func(p []byte) { p[33] = tcpACK }), false},
		{"UDP", packet(func(p []byte) { p[9] = 17 }), false},
		{"IPv6", packet(func(p []byte) { p[0] = 0x60 }), false},
		{"an impossible header", packet(func(p []byte) { p[0] = 0x41 }), false},
		{"a header beyond the packet", packet(func(p []byte) { p[0] = 0x4f }), false},
		{"too short", packet(func([]byte) {})[:30], false},
		{"nothing", nil, false},
	} {
		from, port, ok := beginning(tt.packet)
		if ok != tt.ok {
			t.Errorf("%s: %v", tt.name, ok)
		}
		if ok && (from != netip.MustParseAddr("10.0.0.8") || port != 6443) {
			t.Errorf("%s: from %s to %d", tt.name, from, port)
		}
	}
}

func FuzzBeginning(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 40})
	f.Fuzz(func(_ *testing.T, packet []byte) { beginning(packet) })
}

// A connection to a port that nothing listens on is seen, by the kernel's own
// filter.
func TestWatchAttempts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root sees packets")
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	seen := make(chan int, 1000)
	var wg sync.WaitGroup
	if err := watchAttempts(t.Context(), &wg, func(from string, port int) {
		if from == "127.0.0.1" {
			seen <- port
		}
	}); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", closed.Addr().String()); err == nil {
		conn.Close()
		t.Fatal("something listens there")
	}
	for port := range seen {
		if port == want {
			return
		}
	}
}
