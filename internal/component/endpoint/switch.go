package endpoint

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// carried is an address at which the endpoint is, or was, and by what.
type carried struct {
	address netip.Addr
	by      software // nothing: the user's balancer
	host    string   // on which its trace is
}

// words tells people who has the address.
func (a carried) words() string {
	switch a.by {
	case managed:
		return "the load balancers (as on " + a.host + ")"
	case kubeVIP:
		return "kube-vip (as on " + a.host + ")"
	}
	return "your balancer (as proved on " + a.host + ")"
}

var kubeVIPVIP = regexp.MustCompile(`name: address, value: "([0-9a-fA-F.:]+)"`)

// carriedNow are the addresses that were given to something before, from what is
// on the hosts.
func carriedNow(in component.Input) []carried {
	var out []carried
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		note := func(text string, by software) {
			if a, err := netip.ParseAddr(text); err == nil && !slices.ContainsFunc(out, func(c carried) bool { return c.address == a && c.by == by }) {
				out = append(out, carried{a, by, h.Name})
			}
		}
		for _, v := range virtualsOn(facts) {
			note(v.Address.String(), managed)
		}
		for _, m := range kubeVIPVIP.FindAllStringSubmatch(facts.Files[kubeVIPFile].Content, -1) {
			note(m[1], kubeVIP)
		}
		if _, was, ok := strings.Cut(strings.TrimSpace(facts.Files[provedFile].Content), " "); ok {
			if at, err := netip.ParseAddrPort(was); err == nil {
				note(at.Addr().String(), nothing)
			}
		}
	}
	return out
}

// refuseSwitch refuses what cannot be changed while both the old way and the new
// one are alive.
func refuseSwitch(in component.Input, out *component.Output) {
	if !in.APIExpected() {
		return
	}
	c := in.Cluster
	vip, mode := c.Endpoint.LoadBalancer.VIP, c.Endpoint.LoadBalancer.Mode
	by := map[cluster.BalancerMode]software{cluster.BalancerManaged: managed, cluster.BalancerKubeVIP: kubeVIP}[mode]
	if by == managed {
		refuseNewVIP(in, out)
	}
	for _, a := range carriedNow(in) {
		if by == kubeVIP && a.by == by && a.address != vip {
			// Each host has one kube-vip, which shares one address.
			out.Refuse("change to mode localhost first, and from there to the new address: two applies, and no node is cut off",
				"kube-vip of the running cluster shares %s, and cannot be given %s in one go", a.address, vip)
		}
		if vip.IsValid() && a.address == vip && a.by != by {
			out.Refuse("give another address: for a while both are there; or change to mode localhost first, and from there to this",
				"%s is the address of %s, and cannot be that of %s at the same time", vip, a.words(), ownerWords(by))
		}
	}
}

// ownerWords tells people who is to have an address.
func ownerWords(by software) string {
	switch by {
	case managed:
		return "Quorate's load balancers"
	case kubeVIP:
		return "kube-vip"
	}
	return "a balancer of your own"
}
