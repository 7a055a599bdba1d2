package agent

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// socket is a TCP socket that listens or is connected.
type socket struct {
	address netip.AddrPort
	peer    netip.AddrPort // of one that is connected
	inode   string
}

// The states of TCP sockets as the kernel counts them.
const (
	stateEstablished = 1
	stateListen      = 10
)

// listening lists the TCP sockets that listen, with the programs that own them
// as far as they can be found quickly.
func listening() []protocol.Listener {
	sockets := socketsIn(stateListen)
	inodes := map[string]string{}
	for _, s := range sockets {
		inodes[s.inode] = ""
	}
	nameOwners(inodes, time.Now().Add(10*time.Millisecond))
	listeners := make([]protocol.Listener, 0, len(sockets))
	for _, s := range sockets {
		listeners = append(listeners, protocol.Listener{
			Address: s.address.Addr().String(),
			Port:    int(s.address.Port()),
			Process: inodes[s.inode],
		})
	}
	return listeners
}

// connectedPatience bounds the search for the programs behind connections.
const connectedPatience = time.Second

// connectedTo lists the connections to a port of whatever host.
func connectedTo(port int) []protocol.Connection {
	sockets := slices.DeleteFunc(socketsIn(stateEstablished), func(s socket) bool { return int(s.peer.Port()) != port })
	inodes := map[string]string{}
	for _, s := range sockets {
		inodes[s.inode] = ""
	}
	nameOwners(inodes, time.Now().Add(connectedPatience))
	var out []protocol.Connection
	for _, s := range sockets {
		out = append(out, protocol.Connection{Address: s.peer.Addr().Unmap().String(), Port: int(s.peer.Port()), Process: inodes[s.inode]})
	}
	return out
}

// socketsIn lists the TCP sockets in a state.
func socketsIn(state int) []socket {
	sockets, err := askSockets(state)
	if err != nil {
		sockets = parseSockets(text("/proc/net/tcp"), state)
		sockets = append(sockets, parseSockets(text("/proc/net/tcp6"), state)...)
	}
	return sockets
}

// askSockets asks the kernel for its sockets in a state alone. To read
// /proc/net/tcp, it walks its table of all connections, which takes several
// milliseconds on a machine with much memory.
func askSockets(state int) ([]socket, error) {
	const sockDiag = 4 // NETLINK_SOCK_DIAG
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, sockDiag)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	timeout := syscall.Timeval{Sec: 1}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout); err != nil {
		return nil, err
	}
	var sockets []socket
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		if err := syscall.Sendto(fd, socketsRequest(family, state), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			return nil, err
		}
		found, err := receiveSockets(fd)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, found...)
	}
	return sockets, nil
}

// socketsRequest is a netlink header with a struct inet_diag_req_v2 that asks
// for the TCP sockets of one family that are in a state.
func socketsRequest(family byte, state int) []byte {
	const (
		byFamily = 20 // SOCK_DIAG_BY_FAMILY
		size     = 16 + 56
	)
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b[0:], size)
	binary.NativeEndian.PutUint16(b[4:], byFamily)
	binary.NativeEndian.PutUint16(b[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	b[16], b[17] = family, syscall.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[20:], 1<<state)
	return b
}

// receiveSockets reads the answers to one request until they are done.
func receiveSockets(fd int) ([]socket, error) {
	var sockets []socket
	buffer := make([]byte, 64<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, buffer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return nil, err
		}
		for _, message := range messages {
			switch message.Header.Type {
			case syscall.NLMSG_DONE:
				return sockets, nil
			case syscall.NLMSG_ERROR:
				return nil, syscall.EOPNOTSUPP
			}
			if s, ok := parseDiag(message.Data); ok {
				sockets = append(sockets, s)
			}
		}
	}
}

// parseDiag reads a struct inet_diag_msg: the family at 0, the ports at 4 and 6
// and the addresses at 8 and 24 (all as on the wire, the local one first), the
// inode at 68.
func parseDiag(b []byte) (socket, bool) {
	if len(b) < 72 {
		return socket{}, false
	}
	var address, peer netip.Addr
	switch b[0] {
	case syscall.AF_INET:
		address, peer = netip.AddrFrom4([4]byte(b[8:12])), netip.AddrFrom4([4]byte(b[24:28]))
	case syscall.AF_INET6:
		address, peer = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	default:
		return socket{}, false
	}
	return socket{
		address: netip.AddrPortFrom(address, binary.BigEndian.Uint16(b[4:])),
		peer:    netip.AddrPortFrom(peer, binary.BigEndian.Uint16(b[6:])),
		inode:   strconv.FormatUint(uint64(binary.NativeEndian.Uint32(b[68:])), 10),
	}, true
}

// parseSockets reads those in a state from /proc/net/tcp or tcp6. Lines it does
// not understand are passed over.
func parseSockets(text string, state int) []socket {
	code := fmt.Sprintf("%02X", state)
	var sockets []socket
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != code {
			continue
		}
		address, ok := parseProcAddress(fields[1])
		if !ok {
			continue
		}
		peer, _ := parseProcAddress(fields[2])
		sockets = append(sockets, socket{address: address, peer: peer, inode: fields[9]})
	}
	return sockets
}

// parseProcAddress reads an address as the kernel prints it: 32-bit words in
// the machine's byte order (little-endian on all that we support), a colon,
// and the port in hexadecimal.
func parseProcAddress(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	if err != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(number)), true
}

// nameOwners fills in the program that holds each socket inode. It walks the
// open files of all processes, so it stops as soon as every owner is known or
// the deadline has passed.
func nameOwners(inodes map[string]string, deadline time.Time) {
	missing := len(inodes)
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, process := range processes {
		if missing == 0 || time.Now().After(deadline) {
			return
		}
		pid := process.Name()
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		missing -= nameOwner(pid, inodes)
	}
}

// nameOwner looks among the open files of one process and tells how many of
// the sockets it named.
func nameOwner(pid string, inodes map[string]string) (named int) {
	folder, err := os.Open("/proc/" + pid + "/fd")
	if err != nil {
		return 0
	}
	names, _ := folder.Readdirnames(-1)
	folder.Close()
	for _, name := range names {
		target, err := os.Readlink("/proc/" + pid + "/fd/" + name)
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		if !ok {
			continue
		}
		inode = strings.TrimSuffix(inode, "]")
		if owner, wanted := inodes[inode]; wanted && owner == "" {
			inodes[inode] = firstLine("/proc/" + pid + "/comm")
			named++
		}
	}
	return named
}
