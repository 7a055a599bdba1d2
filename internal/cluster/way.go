package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Way is how a node reaches the API servers: under the endpoint's name, which
// its hosts file leads to an address.
type Way struct {
	Domain string
	Port   int
	// Address is what the name leads to: the host's own API server, its own
	// proxy, or a balancer. It is not valid where the name is left to DNS.
	Address netip.Addr
}

// WayOf is the way that a node is to use: to its own API server on a
// control-plane host, to its own proxy on a worker in localhost mode, else to the
// balancer.
func WayOf(c *Cluster, h *Host) Way {
	w := Way{Domain: c.Endpoint.Domain, Port: c.Endpoint.Port}
	switch {
	case h.Has(RoleControlPlane):
		w.Address = h.InternalAddress
	case c.Endpoint.LoadBalancer.Mode == BalancerLocalhost:
		w.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		w.Address = c.Endpoint.LoadBalancer.VIP
	}
	return w
}

// Entry is the way as lines of a hosts file; empty where the name is left to DNS.
func (w Way) Entry() string {
	if !w.Address.IsValid() {
		return ""
	}
	return fmt.Sprintf("%s %s\n", w.Address, w.Domain)
}

// Server is what clients are told to connect to: "lb.example:6443".
func (w Way) Server() string { return net.JoinHostPort(w.Domain, strconv.Itoa(w.Port)) }

// byDNS stands for the address in a record, where the name is left to DNS.
const byDNS = "dns"

// String is the way as it is recorded and told: "10.0.0.10 lb.example:6443".
func (w Way) String() string {
	if !w.Address.IsValid() {
		return byDNS + " " + w.Server()
	}
	return w.Address.String() + " " + w.Server()
}

// ParseWay reads a way as String words it; false where it is none.
func ParseWay(text string) (Way, bool) {
	address, server, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		return Way{}, false
	}
	domain, port, err := net.SplitHostPort(server)
	if err != nil {
		return Way{}, false
	}
	w := Way{Domain: domain}
	if w.Port, err = strconv.Atoi(port); err != nil {
		return Way{}, false
	}
	if address != byDNS {
		if w.Address, err = netip.ParseAddr(address); err != nil {
			return Way{}, false
		}
	}
	return w, true
}
