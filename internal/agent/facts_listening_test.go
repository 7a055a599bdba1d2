package agent

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// The kernel's short answer and its long list must say the same.
func TestListening(t *testing.T) {
	var want []netip.AddrPort
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skipf("this machine has no %s: %v", address, err)
		}
		defer l.Close()
		want = append(want, netip.MustParseAddrPort(l.Addr().String()))
	}
	asked, err := askSockets(stateListen)
	if err != nil {
		t.Skipf("this kernel does not list its sockets: %v", err)
	}
	read := append(parseSockets(text("/proc/net/tcp"), stateListen), parseSockets(text("/proc/net/tcp6"), stateListen)...)
	for _, address := range want {
		var found []socket
		for _, s := range append(asked, read...) {
			if s.address == address {
				found = append(found, s)
			}
		}
		if len(found) != 2 || found[0] != found[1] {
			t.Errorf("%s: the two ways find %+v", address, found)
		}
	}
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	inodes := map[string]string{}
	for _, s := range asked {
		if s.address == want[0] {
			inodes[s.inode] = ""
		}
	}
	if named := nameOwner("self", inodes); named != 1 {
		t.Errorf("named the owners of %d sockets, want 1", named)
	}
	for inode, name := range inodes {
		if diff := cmp.Diff(strings.TrimSpace(string(self)), name); diff != "" {
			t.Errorf("the owner of socket %s (-want +got):\n%s", inode, diff)
		}
	}
}

// A connection is found by the other end's port, with the program that made it.
func TestConnectedTo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if got := connectedTo(port); len(got) != 0 {
		t.Fatalf("before anybody connects: %+v", got)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := []protocol.Connection{{Address: "127.0.0.1", Port: port, Process: strings.TrimSpace(string(self))}}
	if diff := cmp.Diff(want, connectedTo(port)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(make([]byte, 72))
	f.Add(append([]byte{2}, make([]byte, 71)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseDiag(b); ok && !s.address.IsValid() {
			t.Errorf("an invalid address from %x", b)
		}
	})
}
