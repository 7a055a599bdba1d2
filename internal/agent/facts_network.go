package agent

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

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
