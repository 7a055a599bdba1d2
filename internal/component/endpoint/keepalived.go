package endpoint

import (
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

const (
	keepalivedUnit     = "quorate-keepalived.service"
	keepalivedUnitFile = component.KeepalivedUnitFile
	keepalivedDir      = component.QuorateDir + "/keepalived"
	keepalivedFile     = keepalivedDir + "/keepalived.conf"
	keepalivedCheck    = keepalivedDir + "/check.sh"
	keepalivedNote     = keepalivedDir + "/note.sh"
	keepalivedProgram  = "/usr/sbin/keepalived"
	// holdingFile, with an address after it, says whether the host holds that.
	holdingFile = "/run/quorate-keepalived/holding"
)

// What a load balancer's priority is made of. The first host of the file has
// the highest, each further one less by one; one that holds the VIP is above
// those that do not, and one that fails a check below those that do not. With
// both checks failed the least of cluster.MaxBalancers is still above zero.
const (
	firstPriority   = 150
	holdingPriority = 50
	failedPriority  = 70
)

// keepalivedConfig is what keepalived's files are made of.
type keepalivedConfig struct {
	Cluster, Host, Address string
	Addresses              string // all that it carries, for people
	VIPs                   []virtual
	Peers                  []string
	Priority               int
	Preempt                bool

	ConfigFile, CheckFile, NoteFile, DownFile, HoldingFile string
	Holding, Failed                                        int
}

func keepalivedOf(c *cluster.Cluster, h *cluster.Host, vips []virtual) keepalivedConfig {
	d := keepalivedConfig{
		Cluster: c.Name, Host: h.Name, Address: h.InternalAddress.String(), Addresses: addressesOf(vips), VIPs: vips, Preempt: c.Endpoint.LoadBalancer.Preempt,
		ConfigFile: keepalivedFile, CheckFile: keepalivedCheck, NoteFile: keepalivedNote,
		DownFile: haproxyDownFile, HoldingFile: holdingFile,
		Holding: holdingPriority, Failed: failedPriority,
	}
	for i, peer := range c.Balancers() {
		if peer.Name == h.Name {
			d.Priority = firstPriority - i
			continue
		}
		d.Peers = append(d.Peers, peer.InternalAddress.String())
	}
	return d
}

// routerID is VRRP's virtual router ID. One that the file does not give is
// made from the VIP, so that it is the same on every host and in every run,
// and most likely another one for another VIP. Nothing breaks where a stranger
// on the segment has the same: adverts go to the peers alone, no virtual MAC
// address is made of it, and adverts of others are not listened to. (Those that are
// sent to the host's own address are dropped, but each puts off keepalived's own.)
func routerID(lb *cluster.LoadBalancer) int {
	if lb.VirtualRouterID != 0 {
		return lb.VirtualRouterID
	}
	return routerIDOf(lb.VIP)
}

// routerIDOf is the virtual router ID that is made from a virtual address.
func routerIDOf(vip netip.Addr) int {
	sum := fnv.New32a()
	sum.Write(vip.AsSlice())
	return 1 + int(sum.Sum32()%255)
}

// keepalivedService is the unit that runs keepalived on a host.
func keepalivedService(d keepalivedConfig) component.Service {
	check := struct {
		Host string
		Port int
	}{"127.0.0.1", healthPort}
	return component.Service{
		Host: d.Host, Unit: keepalivedUnit, Reload: true,
		Files: []component.File{
			{Path: keepalivedCheck, Mode: 0o755, Content: component.Render(templates, "keepalived-check.sh.tmpl", check)},
			{Path: keepalivedNote, Mode: 0o755, Content: component.Render(templates, "keepalived-note.sh.tmpl", d)},
			{Path: keepalivedFile, Mode: 0o644, Content: component.Render(templates, "keepalived.conf.tmpl", d)},
			{Path: keepalivedUnitFile, Mode: 0o644, Content: component.Render(templates, "quorate-keepalived.service.tmpl", d)},
		},
	}
}

// queryKeepalived asks for what planKeepalived compares.
func queryKeepalived(q *protocol.FactsRequest) {
	component.AskService(q, keepalivedUnit, keepalivedUnitFile, keepalivedFile, keepalivedCheck, keepalivedNote)
}

// planKeepalived plans a load-balancer host's keepalived, which is to carry these
// addresses. It starts after HAProxy.
func planKeepalived(in component.Input, h *cluster.Host, facts *protocol.Facts, service component.Service, vips []virtual, out *component.Output) {
	lb := &in.Cluster.Endpoint.LoadBalancer
	changes, impact := component.ServiceChanges(facts, service)
	if len(changes) == 0 {
		return
	}
	op := runKeepalived{Service: service, vip: lb.VIP, port: in.Cluster.Endpoint.Port}
	op.carried, op.ours = carriers(in)
	for _, has := range virtualsOn(facts) {
		if !slices.ContainsFunc(vips, func(v virtual) bool { return v.Address == has.Address }) {
			op.drop = append(op.drop, has)
		}
	}
	needs := append(keepalivedOrder(in, h), plan.On(component.StepPackages, h.Name), plan.On(component.StepProxy, h.Name))
	out.Add(plan.Step{
		ID: plan.On(component.StepVIP, h.Name), Host: h.Name, Title: "carry " + lb.VIP.String() + " with the other load balancers",
		Why: component.WhyOf(changes), Impact: impact, Changes: changes, Needs: needs,
	}, op)
}

// keepalivedOrder is what a host's keepalived waits for. Adverts are sent to
// known peers and taken from them alone, so that of two that do not know each
// other both would carry the VIP: who leaves does so first, then those that run
// learn of the others, one after another, and those that are new start last.
func keepalivedOrder(in component.Input, h *cluster.Host) []plan.ID {
	running := runningBalancers(in)
	if len(running) == 0 {
		return nil // who leaves waits for those that start
	}
	if i := slices.Index(running, h); i >= 0 {
		running = running[:i]
	}
	needs := component.Each(component.StepVIP, running)
	for i := range in.Cluster.Hosts {
		needs = append(needs, plan.On(component.StepLeave, in.Cluster.Hosts[i].Name))
	}
	return needs
}

// runningBalancers are the load balancers whose keepalived runs.
func runningBalancers(in component.Input) []*cluster.Host {
	return slices.DeleteFunc(in.Cluster.Balancers(), func(h *cluster.Host) bool {
		f := in.Snapshot.Facts(h.Name)
		return f == nil || !f.Units[keepalivedUnit].Up(f.Time)
	})
}

// refuseTakenVIP refuses a VIP that a host of the cluster has which is no load
// balancer, and was none.
func refuseTakenVIP(in component.Input, out *component.Output) {
	balancers, vip := in.Cluster.Balancers(), in.Cluster.Endpoint.LoadBalancer.VIP
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		f := in.Snapshot.Facts(h.Name)
		if f != nil && !slices.Contains(balancers, h) && !f.Files[keepalivedUnitFile].Exists && carries(f, vip) {
			out.Refuse("give a free address in the load balancers' subnet", "loadBalancer.vip %s is an address of %s", vip, h.Name)
		}
	}
}

// carriers tells whether some load balancer has the VIP, so that who answers at
// it is known, and the load balancers' MAC addresses: where none has it yet,
// another one may be quicker.
func carriers(in component.Input) (carried bool, macs []string) {
	for _, h := range in.Cluster.Balancers() {
		f := in.Snapshot.Facts(h.Name)
		if f == nil {
			continue
		}
		carried = carried || carries(f, in.Cluster.Endpoint.LoadBalancer.VIP)
		for _, i := range f.Interfaces {
			macs = append(macs, i.MAC)
		}
	}
	return carried, macs
}
