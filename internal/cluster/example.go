package cluster

import "net/netip"

// IsExample reports whether an address is of the range that is kept for
// documentation (192.0.2.0/24, RFC 5737), which no server has: what a starter
// file holds until its user's own addresses are in it.
func IsExample(address netip.Addr) bool {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 0}), 24).Contains(address.Unmap())
}

// ExampleAddresses are the addresses of hosts and of the endpoint's balancer
// that are examples, in the file's order.
func (c *Cluster) ExampleAddresses() []string {
	var out []string
	for _, h := range c.Hosts {
		address, err := netip.ParseAddr(h.Address)
		switch {
		case err == nil && IsExample(address):
			out = append(out, h.Address)
		case IsExample(h.InternalAddress):
			out = append(out, h.InternalAddress.String())
		}
	}
	if vip := c.Endpoint.LoadBalancer.VIP; IsExample(vip) {
		out = append(out, vip.String())
	}
	return out
}
