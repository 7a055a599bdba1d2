package status

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

// keepalivedUnit is what carries the virtual address on a load-balancer host.
const keepalivedUnit = "quorate-keepalived.service"

// loadBalancers judges the hosts that carry the endpoint in managed mode.
func (a assessment) loadBalancers() {
	var holders, waiting []string
	silent := 0
	for _, h := range a.c.Balancers() {
		b := LoadBalancer{Host: h.Name, Proxy: a.proxyOn(h, "without it, it does not carry the endpoint")}
		if !a.reached(h.Name) {
			silent++
			b.Detail = "host does not answer"
			a.Endpoint.LoadBalancers = append(a.Endpoint.LoadBalancers, b)
			continue
		}
		facts := a.s.Facts(h.Name)
		for _, i := range facts.Interfaces {
			b.HoldsVIP = b.HoldsVIP || slices.ContainsFunc(i.Addresses, a.isVIP)
		}
		if b.HoldsVIP {
			holders = append(holders, h.Name)
		}
		switch unit := facts.Units[keepalivedUnit]; {
		case !unit.Up(facts.Time):
			b.Detail = "keepalived does not run"
			a.error(VIPNotCarried, h.Name, "its keepalived does not run: it cannot take the endpoint's address over",
				fmt.Sprintf("quorate apply starts it; on %s, journalctl -u quorate-keepalived tells why it ended", h.Name))
		case !b.HoldsVIP:
			waiting = append(waiting, h.Name)
		}
		a.Endpoint.LoadBalancers = append(a.Endpoint.LoadBalancers, b)
	}
	vip := a.Endpoint.VIP
	switch {
	case len(a.Endpoint.LoadBalancers) == 0:
	case len(holders) > 1:
		a.error(VIPTwice, "", fmt.Sprintf("%s each carry the endpoint's address %s: connections break off", andList(holders), vip),
			"they do not hear each other's VRRP adverts: let IP protocol 112 pass between them")
	case len(holders) == 0 && silent == 0 && len(waiting) > 0:
		a.error(VIPNowhere, "", fmt.Sprintf("no load balancer carries the endpoint's address %s", vip),
			"if this stays so after a few seconds: HAProxy works on none of them; quorate apply puts it right")
	}
}

// kubeVIP judges who carries the address in mode kube-vip. One that is announced by
// BGP may be on several.
func (a assessment) kubeVIP() {
	lb := &a.c.Endpoint.LoadBalancer
	if lb.Mode != cluster.BalancerKubeVIP || len(lb.KubeVIP.Peers) > 0 {
		return
	}
	var holders []string
	for _, h := range a.c.VIPCarriers() {
		facts := a.s.Facts(h.Name)
		if facts != nil && slices.ContainsFunc(facts.Interfaces, func(i protocol.Interface) bool { return slices.ContainsFunc(i.Addresses, a.isVIP) }) {
			holders = append(holders, h.Name)
		}
	}
	if len(holders) > 1 {
		a.error(VIPTwice, "", fmt.Sprintf("%s each carry the endpoint's address %s: connections break off", andList(holders), a.Endpoint.VIP),
			fmt.Sprintf("kubectl -n kube-system get lease plndr-cp-lock names the host that is to carry it; on each other one: ip address del %s/32 dev INTERFACE, and /var/log/pods/kube-system_kube-vip-* tells why its kube-vip kept it", a.Endpoint.VIP))
	}
}

// isVIP reports whether an address, with its prefix length, is the endpoint's.
func (a assessment) isVIP(address string) bool {
	return isAddress(address, a.c.Endpoint.LoadBalancer.VIP)
}

// isAddress compares an address with its prefix length with one that has none.
func isAddress(text string, address netip.Addr) bool {
	prefix, err := netip.ParsePrefix(text)
	return err == nil && prefix.Addr() == address
}
