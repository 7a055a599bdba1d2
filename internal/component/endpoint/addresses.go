package endpoint

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// virtual is a virtual address as a load balancer carries it. Each has a VRRP
// instance of its own: hosts whose adverts name different addresses do not listen
// to each other, and one after another they are given a new one.
type virtual struct {
	Address   netip.Addr
	Interface string
	RouterID  int
}

// instanceIn finds the VRRP instances in settings that Quorate has written.
var instanceIn = regexp.MustCompile(`(?s)\nvrrp_instance \S+ \{.*?\sinterface (\S+)\s.*?virtual_router_id (\d+)\s.*?virtual_ipaddress \{\s*([0-9a-fA-F.:]+)/`)

// virtualsOn are the virtual addresses that a host's keepalived was told to carry.
func virtualsOn(facts *protocol.Facts) []virtual {
	var out []virtual
	for _, m := range instanceIn.FindAllStringSubmatch(facts.Files[keepalivedFile].Content, -1) {
		id, err := strconv.Atoi(m[2])
		if address, wrong := netip.ParseAddr(m[3]); err == nil && wrong == nil {
			out = append(out, virtual{Address: address, Interface: m[1], RouterID: id})
		}
	}
	return out
}

// used reports whether a node that is to reach the API servers another way may
// still do so by an address.
func used(in component.Input, address netip.Addr) bool {
	return slices.ContainsFunc(in.Moving(), func(h *cluster.Host) bool {
		if h.Has(cluster.RoleControlPlane) {
			return false
		}
		has, known := component.RecordedWay(in.Snapshot.Facts(h.Name))
		return !known || has.Address == address
	})
}

// formerVirtuals are the addresses beside the file's that the load balancers carry
// as long as there are nodes that may go by them.
func formerVirtuals(in component.Input) []virtual {
	known := map[netip.Addr]virtual{}
	for _, h := range in.Cluster.Balancers() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		for _, v := range virtualsOn(facts) {
			if v.Address != in.Cluster.Endpoint.LoadBalancer.VIP && used(in, v.Address) {
				known[v.Address] = v
			}
		}
	}
	return sorted(slices.Collect(maps.Values(known)))
}

// on is a former address as a host carries it: by the interface that has it there, or
// that would. One that is in no subnet of the host is left to the others.
func (v virtual) on(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) (virtual, bool) {
	for _, has := range virtualsOn(facts) {
		if has.Address == v.Address {
			return has, true
		}
	}
	iface, err := interfaceOf(h, facts, v.Address, c.Endpoint.LoadBalancer.Interface)
	v.Interface = iface
	return v, err == nil
}

// refuseNewVIP refuses another virtual address where the load balancers cannot carry
// it beside the one of before.
func refuseNewVIP(in component.Input, out *component.Output) {
	lb := &in.Cluster.Endpoint.LoadBalancer
	former := formerVirtuals(in)
	for _, v := range former {
		if id := routerID(lb); v.RouterID == id {
			out.Refuse("give another number, 1 to 255, in spec.endpoint.loadBalancer.virtualRouterID",
				"while nodes move from %s to %s, the load balancers carry both, and each needs a virtual router ID of its own: %d would be that of both", v.Address, lb.VIP, id)
		}
	}
	balancers := in.Cluster.Balancers()
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil || slices.Contains(balancers, h) {
			continue
		}
		for _, v := range virtualsOn(facts) {
			stays := v.Address == lb.VIP || slices.ContainsFunc(former, func(f virtual) bool { return f.Address == v.Address })
			if !stays && used(in, v.Address) {
				out.Refuse("let at least one of the hosts that carry it have the role load-balancer until the address is changed, and take the role from it with the next apply",
					"none of the load balancers in the file carries %s, by which nodes reach the API: %s does, and is none any more", v.Address, h.Name)
			}
		}
	}
}

// stepFormer is the subject of the step by which a load balancer stops to carry an
// address of before.
const stepFormer = "endpoint/former-vip"

// planFormer plans that a load balancer carries the file's address alone, once every
// node goes by it. Both is what the host is made to run until then.
func planFormer(in component.Input, h *cluster.Host, facts *protocol.Facts, own virtual, both loadBalancer, former []virtual, out *component.Output) {
	alone, then := loadBalancerOf(in.Cluster, h, []virtual{own}, portsOf(in)), balancing(facts, slices.Concat(both.haproxy.Files, both.keepalived.Files))
	_, changes := component.FileChanges(then, slices.Concat(alone.haproxy.Files, alone.keepalived.Files))
	if len(changes) == 0 {
		return // it is in the subnet of none of them
	}
	needs := afterMoves(in)
	for _, before := range in.Cluster.Balancers() {
		if before.Name == h.Name {
			break
		}
		needs = append(needs, plan.On(stepFormer, before.Name))
	}
	for _, s := range []component.Service{alone.haproxy, alone.keepalived} {
		changes = append(changes, plan.Change{What: s.Unit, Action: string(plan.ImpactReload)})
	}
	out.Add(plan.Step{
		ID: plan.On(stepFormer, h.Name), Host: h.Name, Title: "carry " + addressesOf(former) + " no more",
		Why: "no node goes by it any more", Impact: plan.ImpactReload, Changes: changes, Needs: needs,
	}, leaveAddresses{
		runHAProxy{alone.haproxy, "", facts.SELinux != ""},
		runKeepalived{Service: alone.keepalived, vip: in.Cluster.Endpoint.LoadBalancer.VIP, port: in.Cluster.Endpoint.Port, carried: true, drop: former},
	})
}

// balancing is what would be observed of a host where these files were written.
func balancing(facts *protocol.Facts, files []component.File) *protocol.Facts {
	then := *facts
	then.Files = maps.Clone(facts.Files)
	for _, f := range files {
		then.Files[f.Path] = protocol.File{Exists: true, Content: string(f.Content), SHA256: f.SHA256(), Mode: uint32(f.Mode)}
	}
	return &then
}

// leaveAddresses is the work of a load balancer that stops to carry addresses.
type leaveAddresses struct {
	haproxy    runHAProxy
	keepalived runKeepalived
}

// Apply implements component.Op: who still comes by an address is refused before
// nobody has it any more.
func (o leaveAddresses) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.haproxy.Apply(ctx, rt, say); err != nil {
		return err
	}
	if err := o.haproxy.Verify(ctx, rt, say); err != nil {
		return err
	}
	return o.keepalived.Apply(ctx, rt, say)
}

// Verify implements component.Verifier.
func (o leaveAddresses) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return o.keepalived.Verify(ctx, rt, say)
}

// dropped waits until a host has none of the addresses any more, and cuts the
// connections that came by them: their packets reach nobody, and their clients would
// learn so late.
func dropped(ctx context.Context, h *host.Host, addresses []virtual, say func(string)) error {
	for _, v := range addresses {
		err := component.Until(ctx, carriedTimeout, h.Name()+" to give "+v.Address.String()+" up", say, func(ctx context.Context) error {
			facts, err := h.Facts(ctx, protocol.FactsRequest{})
			if err == nil && carries(facts, v.Address) {
				err = errors.New("it still has it")
			}
			return err
		})
		if err != nil {
			return err
		}
		// A kernel that cannot leaves it to their keep-alive probes.
		_, _ = h.Run(ctx, host.Command{Argv: []string{"ss", "--kill", "--no-header", "src", v.Address.String()}})
		// Nor does the host hold it when it is to carry it again.
		if err := h.Remove(ctx, holdingFile+"-"+v.Address.String()); err != nil {
			return err
		}
	}
	return nil
}

// sorted are virtual addresses in an order that does not depend on which is the
// file's, so that a change that is taken back changes nothing that runs.
func sorted(all []virtual) []virtual {
	return slices.SortedFunc(slices.Values(all), func(a, b virtual) int { return a.Address.Compare(b.Address) })
}

// addressesOf names virtual addresses for people.
func addressesOf(all []virtual) string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = v.Address.String()
	}
	return strings.Join(texts, " and ")
}
