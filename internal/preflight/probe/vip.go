package probe

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/preflight"
)

// neighbours is the kernel's table of the hardware addresses that answered.
const neighbours = "/proc/net/arp"

// vipTimeout is longer than the kernel asks for a hardware address that nobody
// has (three times, one second apart).
const vipTimeout = 4 * time.Second

// vip finds out whether somebody has the virtual address: to connect to it, a
// carrier must ask its subnet who that is, and what answers is remembered.
func (p *Prober) vip(ctx context.Context, h *cluster.Host, handle *host.Host) {
	c := p.Observation.Cluster
	if !slices.Contains(preflight.Carriers(c), h) || preflight.VIPHolder(p.Observation) != nil {
		return
	}
	vip := c.Endpoint.LoadBalancer.VIP.String()
	var found preflight.VIPAnswer
	note := func(err error) bool {
		if err != nil {
			found.Error = strings.TrimPrefix(err.Error(), h.Name+": ")
		}
		return err == nil
	}
	ports := []int{c.Endpoint.Port, 22}
	addresses := make([]string, len(ports))
	for i, port := range ports {
		addresses[i] = net.JoinHostPort(vip, strconv.Itoa(port))
	}
	before, err := handle.ReadFile(ctx, neighbours)
	if note(err) {
		results, err := handle.Reach(ctx, addresses, vipTimeout, "")
		if note(err) {
			for i, r := range results {
				if r.Connected || strings.Contains(r.Error, "connection refused") {
					found.Ports = append(found.Ports, ports[i])
				}
			}
			after, err := handle.ReadFile(ctx, neighbours)
			note(err)
			found.MACBefore, found.MAC = hardwareAddress(string(before), vip), hardwareAddress(string(after), vip)
		}
	}
	p.record(h, func(o *preflight.HostProbes) { o.VIP = &found })
}

// hardwareAddress reads /proc/net/arp: address, type, flags, hardware address;
// the flag 2 is set on an entry that was answered.
func hardwareAddress(table, address string) string {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != address {
			continue
		}
		if flags, err := strconv.ParseUint(f[2], 0, 16); err == nil && flags&2 != 0 {
			return f[3]
		}
	}
	return ""
}
