package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

func endpointChecks() []Check {
	return []Check{{
		Name: "vip", Cluster: judgeVIP,
		About: "the virtual address lies in its carriers' subnet, and nobody else answers at it",
	}}
}

// Carriers are the hosts that may carry the virtual address; none where the
// mode has no such address.
func Carriers(c *cluster.Cluster) []*cluster.Host {
	if !c.Endpoint.LoadBalancer.VIP.IsValid() {
		return nil
	}
	switch c.Endpoint.LoadBalancer.Mode {
	case cluster.BalancerManaged:
		return c.With(cluster.RoleLoadBalancer)
	case cluster.BalancerKubeVIP:
		return c.ControlPlanes()
	}
	return nil
}

// VIPHolder is the carrier that has the virtual address on an interface now,
// or nil.
func VIPHolder(o *Observation) *cluster.Host {
	for _, h := range Carriers(o.Cluster) {
		if f := o.Snapshot.Facts(h.Name); f != nil {
			for _, in := range f.Interfaces {
				for _, text := range in.Addresses {
					if p, err := netip.ParsePrefix(text); err == nil && p.Addr() == o.Cluster.Endpoint.LoadBalancer.VIP {
						return h
					}
				}
			}
		}
	}
	return nil
}

func judgeVIP(o *Observation) []Finding {
	carriers, vip := Carriers(o.Cluster), o.Cluster.Endpoint.LoadBalancer.VIP
	if len(carriers) == 0 {
		return skip("mode %s has no virtual address", o.Cluster.Endpoint.LoadBalancer.Mode)
	}
	var out []Finding
	for _, h := range carriers {
		if f := judgeSubnet(o, h, vip); f != nil {
			out = append(out, f.about(h.Name))
		}
	}
	if holder := VIPHolder(o); holder != nil {
		if out == nil {
			return []Finding{Finding{Status: OK, Summary: fmt.Sprintf("%s holds %s", holder.Name, vip)}.about(holder.Name)}
		}
		return out
	}
	return append(out, judgeAnswers(o, carriers, vip)...)
}

// judgeSubnet finds a virtual address that cannot be on any of a carrier's
// interfaces, or not on the one that the file names.
func judgeSubnet(o *Observation, h *cluster.Host, vip netip.Addr) *Finding {
	const hint = "choose a free address of a subnet that all the hosts which carry it are in"
	f, named := o.Snapshot.Facts(h.Name), o.Cluster.Endpoint.LoadBalancer.Interface
	if f == nil {
		return nil
	}
	var subnets []string
	for _, in := range f.Interfaces {
		if named != "" && in.Name != named {
			continue
		}
		for _, text := range in.Addresses {
			p, err := netip.ParsePrefix(text)
			if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() || p.Addr().Is4() != vip.Is4() {
				continue
			}
			subnets = append(subnets, fmt.Sprintf("%s on %s", p.Masked(), in.Name))
			switch {
			case !p.Contains(vip):
			case vip.Is4() && p.Bits() < 31 && (vip == p.Masked().Addr() || !p.Contains(vip.Next())):
				found := fail(hint, "%s is the network's or the broadcast address of %s, a subnet of %s", vip, p.Masked(), h.Name)
				return &found
			default:
				return nil
			}
		}
	}
	if named != "" && subnets == nil {
		found := fail("correct endpoint.loadBalancer.interface", "%s has no interface %s with an address", h.Name, named)
		return &found
	}
	found := fail(hint, "%s is in no subnet of %s (%s)", vip, h.Name, strings.Join(subnets, ", "))
	return &found
}

// judgeAnswers tells whether somebody else has the virtual address.
func judgeAnswers(o *Observation, carriers []*cluster.Host, vip netip.Addr) []Finding {
	var out []Finding
	var unknown []string
	asked := 0
	answers := map[string][]string{}
	for _, h := range carriers {
		a := o.probed(h).VIP
		switch {
		case a == nil:
			continue
		case a.Error != "":
			unknown = append(unknown, h.Name+": "+a.Error)
			continue
		}
		asked++
		who := a.MAC
		switch {
		case len(a.Ports) > 0 && who == "":
			who = "a host behind a router"
		case len(a.Ports) == 0 && a.MAC != "" && a.MAC == a.MACBefore:
			// It may be remembered from before, when somebody had it.
			out = append(out, warn("run preflight again in a minute", "%s remembers %s for %s, and nobody answers there now", h.Name, a.MAC, vip).about(h.Name))
			continue
		}
		if who != "" {
			answers[who] = append(answers[who], h.Name)
		}
	}
	for _, who := range sortedKeys(answers) {
		out = append(out, fail("choose a free address of the subnet, or take it away from the machine that has it",
			"somebody answers at the virtual address %s already: %s, seen from %s", vip, ownerOf(o, who), strings.Join(answers[who], ", ")).about(answers[who]...))
	}
	if unknown != nil {
		out = append(out, warn("", "whether %s is free could not be told: %s", vip, strings.Join(unknown, "; ")))
	}
	switch {
	case out != nil:
		return out
	case asked == 0:
		return skip("no host that carries %s could be asked", vip)
	}
	return fine("nobody answers at %s", vip)
}

// ownerOf names the host of the file that has a hardware address.
func ownerOf(o *Observation, mac string) string {
	for i := range o.Cluster.Hosts {
		name := o.Cluster.Hosts[i].Name
		if f := o.Snapshot.Facts(name); f != nil && slices.ContainsFunc(f.Interfaces, func(in protocol.Interface) bool { return in.MAC == mac }) {
			return fmt.Sprintf("%s (%s)", name, mac)
		}
	}
	return mac
}
