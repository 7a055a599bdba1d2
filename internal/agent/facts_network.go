package agent

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// interfaces lists the network interfaces that are up. All addresses come
// from one question to the kernel: net.Interface.Addrs asks anew for each
// interface, which is slow on a node with a hundred pods.
func interfaces() []protocol.Interface {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	addresses := interfaceAddresses()
	var up []protocol.Interface
	for _, one := range all {
		if one.Flags&net.FlagUp == 0 {
			continue
		}
		up = append(up, protocol.Interface{
			Name:      one.Name,
			MAC:       one.HardwareAddr.String(),
			MTU:       one.MTU,
			Addresses: addresses[one.Index],
		})
	}
	return up
}

// interfaceAddresses maps an interface's index to its addresses in CIDR notation.
func interfaceAddresses() map[int][]string {
	addresses := map[int][]string{}
	table, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return addresses
	}
	messages, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return addresses
	}
	for _, message := range messages {
		if message.Header.Type != syscall.RTM_NEWADDR || len(message.Data) < 8 {
			continue
		}
		// struct ifaddrmsg: family, prefix length, flags, scope, index (native order).
		prefix := int(message.Data[1])
		index := int(binary.NativeEndian.Uint32(message.Data[4:8]))
		attributes, err := syscall.ParseNetlinkRouteAttr(&message)
		if err != nil {
			continue
		}
		var address, local netip.Addr
		for _, attribute := range attributes {
			switch attribute.Attr.Type {
			case syscall.IFA_ADDRESS:
				address, _ = netip.AddrFromSlice(attribute.Value)
			case syscall.IFA_LOCAL:
				local, _ = netip.AddrFromSlice(attribute.Value)
			}
		}
		if local.IsValid() { // on point-to-point links, address is the peer's
			address = local
		}
		if address.IsValid() {
			addresses[index] = append(addresses[index], netip.PrefixFrom(address, prefix).String())
		}
	}
	return addresses
}

// defaultRoute is the interface of the IPv4 default route with the least metric.
func defaultRoute() string { return parseDefaultRoute(text("/proc/net/route")) }

func parseDefaultRoute(text string) string {
	best, bestMetric := "", -1
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		metric, err := strconv.Atoi(fields[6])
		if err == nil && (bestMetric < 0 || metric < bestMetric) {
			best, bestMetric = fields[0], metric
		}
	}
	return best
}

// socket is a listening TCP socket as /proc/net/tcp shows it.
type socket struct {
	address netip.AddrPort
	inode   string
}

// listening lists the TCP sockets that listen, with the programs that own them
// as far as they can be found quickly.
func listening() []protocol.Listener {
	sockets := parseListening(text("/proc/net/tcp"))
	sockets = append(sockets, parseListening(text("/proc/net/tcp6"))...)
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

// parseListening reads /proc/net/tcp or tcp6. Lines it does not understand are
// passed over.
func parseListening(text string) []socket {
	const listen = "0A"
	var sockets []socket
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		address, ok := parseProcAddress(fields[1])
		if !ok {
			continue
		}
		sockets = append(sockets, socket{address: address, inode: fields[9]})
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
		folder, err := os.Open("/proc/" + pid + "/fd")
		if err != nil {
			continue
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
				missing--
			}
		}
	}
}
