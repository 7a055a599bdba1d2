package endpoint

import (
	"slices"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// Another port of the endpoint moves no API server: what balances serves the one of
// before, too, until every node goes by the file's.

// stepFormerPort is the subject of the step by which what balances leaves a former port.
const stepFormerPort = "endpoint/former-port"

// queryPort asks a host for what tells which ports are served.
func queryPort(h *cluster.Host, q *protocol.FactsRequest) {
	component.AskFiles(q, component.HAProxyFile, component.NginxFile)
	if h.Has(cluster.RoleControlPlane) {
		q.Files = append(q.Files, protocol.FileQuery{Path: apiServerManifest, Content: true})
	}
}

// formerPorts are the ports beside the file's on which the endpoint is, or was, served,
// and that some node may still go by.
func formerPorts(in component.Input) []int {
	var out []int
	note := func(port int) {
		if port != in.Cluster.Endpoint.Port && goneBy(in, port) && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	for i := range in.Cluster.Hosts {
		if facts := in.Snapshot.Facts(in.Cluster.Hosts[i].Name); facts != nil {
			for _, port := range component.BalancedPorts(facts) {
				note(port)
			}
		}
	}
	for _, h := range in.Moving() {
		if has, known := component.RecordedWay(in.Snapshot.Facts(h.Name)); known {
			note(has.Port)
		}
	}
	slices.Sort(out)
	return out
}

// goneBy reports whether a node may still go by a port.
func goneBy(in component.Input, port int) bool {
	return slices.ContainsFunc(in.Moving(), func(h *cluster.Host) bool {
		has, known := component.RecordedWay(in.Snapshot.Facts(h.Name))
		return !known || has.Port == port
	})
}

// portsOf are the ports on which the endpoint is served to nodes: the file's, and those
// of before as long as some may go by them.
func portsOf(in component.Input) []int {
	return append([]int{in.Cluster.Endpoint.Port}, formerPorts(in)...)
}

// planFormerPorts plans that what balances on a host leaves former ports, once every
// node goes by the file's. Alone is what it runs then, and both what the plan has it run
// until then.
func planFormerPorts(in component.Input, h *cluster.Host, facts *protocol.Facts, both, alone component.Service, op component.Op, out *component.Output) {
	_, changes := component.FileChanges(balancing(facts, both.Files), alone.Files)
	if len(changes) == 0 {
		return
	}
	out.Add(plan.Step{
		ID: plan.On(stepFormerPort, h.Name), Host: h.Name, Title: "balance on port " + strconv.Itoa(in.Cluster.Endpoint.Port) + " alone",
		Why: "no node goes by another one any more", Impact: plan.ImpactReload,
		Changes: append(changes, plan.Change{What: alone.Unit, Action: string(plan.ImpactReload)}),
		Needs:   append(afterMoves(in), component.Each(stepBack, in.Cluster.ControlPlanes())...),
	}, op)
}

// leftPorts are, by node that has joined, the former ports that no program of it may be
// connected to before they end. A control-plane host's API server keeps its own.
func leftPorts(in component.Input) map[string][]int {
	out := map[string][]int{}
	for _, port := range formerPorts(in) {
		for _, h := range in.Cluster.Nodes() {
			facts := in.Snapshot.Facts(h.Name)
			own := h.Has(cluster.RoleControlPlane) && port == apiPort(in.Cluster)
			if facts != nil && component.Joined(facts) && !own {
				out[h.Name] = append(out[h.Name], port)
			}
		}
	}
	return out
}

// refusePort refuses another port where not everybody can be served on both.
func refusePort(in component.Input, out *component.Output) {
	c := in.Cluster
	former := formerPorts(in)
	if len(former) == 0 || !in.APIExpected() {
		return
	}
	refuseMore(in, out)
	for _, l := range c.Endpoint.Listeners {
		if slices.Contains(former, l.Port) {
			out.Refuse("add the listener with the next apply", "port %d of listener %s is the endpoint's until every node goes by port %d", l.Port, l.Name, c.Endpoint.Port)
		}
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		refuseTakenPort(in, h, out)
		facts := in.Snapshot.Facts(h.Name)
		if facts != nil && h.Has(cluster.RoleControlPlane) && !component.Joined(facts) && !c.PortsDiffer() {
			// Until kube-proxy is told the new port, nobody would serve the former one there.
			out.Refuse("add it with the next apply", "control-plane host %s cannot be added together with a change of the endpoint's port to that of the API servers", h.Name)
		}
	}
}

// refuseMore refuses another port together with another way of balancing.
func refuseMore(in component.Input, out *component.Output) {
	const hint = "change one of them with one apply, and the other one with the next"
	for _, h := range in.Moving() {
		has, known := component.RecordedWay(in.Snapshot.Facts(h.Name))
		if want := cluster.WayOf(in.Cluster, h); known && (has.Address != want.Address || has.Domain != want.Domain) {
			out.Refuse(hint, "the endpoint's port cannot be changed together with its name or address, or with who balances")
			return
		}
	}
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		for _, has := range []struct {
			file string
			by   []software
		}{{haproxyUnitFile, []software{localHAProxy, managed}}, {nginxUnitFile, []software{localNginx}}, {keepalivedUnitFile, []software{managed}}} {
			// A control-plane host's own proxy comes and goes with the port.
			own := h.Has(cluster.RoleControlPlane) && !facts.Files[keepalivedUnitFile].Exists
			if facts.Files[has.file].Exists && !own && !slices.Contains(has.by, on(in.Cluster, h)) {
				out.Refuse(hint, "the endpoint's port cannot be changed together with what balances on %s", h.Name)
			}
		}
	}
}

// refuseTakenPort refuses a port that somebody else has on a host that is to serve on it.
func refuseTakenPort(in component.Input, h *cluster.Host, out *component.Output) {
	facts := in.Snapshot.Facts(h.Name)
	port := in.Cluster.Endpoint.Port
	switch {
	case facts == nil, on(in.Cluster, h) == nothing, slices.Contains(component.BalancedPorts(facts), port):
		return
	case h.Has(cluster.RoleControlPlane) && !in.Cluster.PortsDiffer():
		return // its API server has it, and shares it
	}
	for _, l := range facts.Listening {
		if l.Port == port && !Beside(in.Cluster, h, l) {
			by := "a program"
			if l.Process != "" {
				by = l.Process
			}
			out.Refuse("stop what uses it, or choose another port", "port %d of %s is in use by %s, and is to be the endpoint's", port, h.Name, by)
			return
		}
	}
}

// Beside reports whether what balances on a host can have its port beside somebody who
// listens on that already. On control-plane hosts in mode external this is the user's own
// balancer: at its virtual address alone, or a HAProxy, which shares its ports.
func Beside(c *cluster.Cluster, h *cluster.Host, l protocol.Listener) bool {
	if c.Endpoint.LoadBalancer.Mode != cluster.BalancerExternal || on(c, h) == nothing || l.Port != c.Endpoint.Port {
		return false
	}
	return l.Process == "haproxy" || !slices.Contains([]string{"", "*", "0.0.0.0", "::", h.InternalAddress.String()}, l.Address)
}
