package endpoint

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// Another port. It is the API servers' own, and the service "kubernetes" leads to all of
// them on one port: that of the one that ended last, until it is told another. As long as
// some have the new port and others, or some clients, still go by the former one,
// each control-plane host serves on both: a relay holds the one that its API server
// does not have. What balances listens on both until every node goes by the new one.

// The subjects of the steps around another port.
const (
	stepHolds      = "endpoint/relay-runs"  // a control-plane host has a relay
	stepFormerPort = "endpoint/former-port" // what balances leaves the former port
	stepService    = "endpoint/service"     // the service "kubernetes" leads to the new port
	stepRelayEnds  = "endpoint/relay-ends"  // nobody needs the former port any more
)

// queryPort asks a host for what planPort compares.
func queryPort(h *cluster.Host, q *protocol.FactsRequest) {
	if h.Has(cluster.RoleControlPlane) {
		component.AskService(q, component.RelayUnit, component.RelayUnitFile)
		q.Files = append(q.Files, protocol.FileQuery{Path: component.RelayProgram}, protocol.FileQuery{Path: apiServerManifest, Content: true})
	}
}

// relayIn finds the ports in the unit of a relay.
var relayIn = regexp.MustCompile(`(?m)^ExecStart=\S+ relay-port \S+ ([0-9]+) ([0-9]+)$`)

// relayedOn are the ports that a host's relay was told; none where it has none.
func relayedOn(facts *protocol.Facts) []int {
	m := relayIn.FindStringSubmatch(facts.Files[component.RelayUnitFile].Content)
	if m == nil {
		return nil
	}
	var out []int
	for _, text := range m[1:] {
		if port, err := strconv.Atoi(text); err == nil {
			out = append(out, port)
		}
	}
	return out
}

// formerPorts are the ports beside the file's that some API server has or that some
// node may go by.
func formerPorts(in component.Input) []int {
	var out []int
	note := func(port int) {
		if port != 0 && port != in.Cluster.Endpoint.Port && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	for _, h := range in.Cluster.ControlPlanes() {
		if facts := in.Snapshot.Facts(h.Name); facts != nil {
			note(component.APIPort(facts))
			for _, port := range relayedOn(facts) {
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

// formerPort is the port that is left for the file's; 0 while there is none.
func formerPort(in component.Input) int {
	if former := formerPorts(in); len(former) > 0 {
		return former[0]
	}
	return 0
}

// goneBy reports whether a node may still go by a port that is not the file's.
func goneBy(in component.Input, port int) bool {
	return port != 0 && slices.ContainsFunc(in.Moving(), func(h *cluster.Host) bool {
		has, known := component.RecordedWay(in.Snapshot.Facts(h.Name))
		return !known || has.Port == port
	})
}

// portsOf are the ports on which the endpoint is served to nodes: the file's, and
// the former one as long as some may go by it.
func portsOf(in component.Input) []int {
	ports := []int{in.Cluster.Endpoint.Port}
	if former := formerPort(in); goneBy(in, former) {
		ports = append(ports, former)
	}
	return ports
}

// changesPort reports whether the plan gives API servers, or nodes, another port:
// both must be served until that is done.
func changesPort(in component.Input, out *component.Output) bool {
	former := formerPort(in)
	return former != 0 && (goneBy(in, former) ||
		slices.ContainsFunc(in.Cluster.ControlPlanes(), func(h *cluster.Host) bool {
			facts := in.Snapshot.Facts(h.Name)
			return facts != nil && component.APIPort(facts) == former
		}) ||
		slices.ContainsFunc(out.Steps, func(s plan.Step) bool { return restartedAPIServer(in.Cluster, s) != "" }))
}

// planPort plans that control-plane hosts serve on both ports, and the end of that.
func planPort(in component.Input, out *component.Output) {
	former := formerPort(in)
	if former == 0 {
		return
	}
	changes := changesPort(in, out)
	for _, h := range in.Cluster.ControlPlanes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		if changes {
			planRelay(in, h, facts, former, out)
		}
		if changes || facts.Files[component.RelayUnitFile].Exists {
			planRelayEnds(in, h, out)
		}
	}
	step := plan.Step{
		ID: stepService, Title: "lead the service kubernetes to port " + strconv.Itoa(in.Cluster.Endpoint.Port),
		Why: "API servers leave it the port that they had",
		// A kube-proxy that has not heard of its API server yet would not hear of this.
		Needs: append(component.Each(component.StepControlPlane, in.Cluster.ControlPlanes()), component.Each(stepBack, in.Cluster.ControlPlanes())...),
		Changes: []plan.Change{
			{What: "service default/kubernetes", Action: "update"}, {What: "endpoints default/kubernetes", Action: "update"},
			{What: "endpointslice default/kubernetes", Action: "update"},
		},
	}
	out.Add(step, serviceLeads{port: in.Cluster.Endpoint.Port})
}

// planRelay plans a host's relay, before anything is told the new port.
func planRelay(in component.Input, h *cluster.Host, facts *protocol.Facts, former int, out *component.Output) {
	ports := []int{in.Cluster.Endpoint.Port, former}
	slices.Sort(ports) // so that one who goes back changes nothing of it
	service := relayService(h, ports)
	changes, impact := component.ServiceChanges(facts, service)
	if !facts.Files[component.RelayProgram].Exists {
		changes = append(changes, plan.Change{What: component.RelayProgram, Action: "create"})
	}
	if len(changes) > 0 {
		out.Add(plan.Step{
			ID: plan.On(stepHolds, h.Name), Host: h.Name, Impact: impact,
			Title: "serve the API on port " + strconv.Itoa(in.Cluster.Endpoint.Port) + " and on port " + strconv.Itoa(former),
			Why:   "API servers and nodes are given another port, one after another", Changes: changes,
		}, newRelay(h, service))
	}
	if !facts.Files[apiServerManifest].Exists {
		return // there is no API server yet
	}
	// Also where a relay runs already: a run may have ended because of a firewall.
	out.Add(plan.Step{
		ID: plan.On(component.StepRelay, h.Name), Host: h.Name, Title: "see the API of " + h.Name + " on both ports from every host that goes there",
		Why: "nobody is told a port that a firewall keeps from it", Needs: []plan.ID{plan.On(stepHolds, h.Name)},
	}, seePorts{host: h, ports: ports, askers: goers(in)})
}

// relayService is the unit of a host's relay.
func relayService(h *cluster.Host, ports []int) component.Service {
	data := struct {
		Program, Address string
		Ports            []int
	}{component.RelayProgram, h.InternalAddress.String(), ports}
	return component.Service{
		Host: h.Name, Unit: component.RelayUnit,
		Files: []component.File{{Path: component.RelayUnitFile, Mode: 0o644, Content: component.Render(templates, "quorate-relay.service.tmpl", data)}},
	}
}

// relayUnits is a host's relay as one of the programs that end.
func relayUnits() program {
	return program{unit: component.RelayUnit, unitFile: component.RelayUnitFile, dir: component.RelayProgram}
}

// planRelayEnds plans the end of a host's relay, once every API server has the file's
// port, and everybody goes by it.
func planRelayEnds(in component.Input, h *cluster.Host, out *component.Output) {
	relay := relayUnits()
	needs := append(afterMoves(in), stepService)
	for _, subject := range []string{component.StepControlPlane, stepHolds, component.StepRelay, stepBack} {
		needs = append(needs, component.Each(subject, in.Cluster.ControlPlanes())...)
	}
	for i := range in.Cluster.Hosts {
		needs = append(needs, plan.On(stepFormerPort, in.Cluster.Hosts[i].Name))
	}
	out.Add(plan.Step{
		ID: plan.On(stepRelayEnds, h.Name), Host: h.Name, Title: "serve the API on port " + strconv.Itoa(in.Cluster.Endpoint.Port) + " alone",
		Why: "nobody goes by another one any more", Impact: plan.ImpactRestart, Needs: needs,
		Changes: append([]plan.Change{{What: relay.unit, Action: "stop"}}, relay.removals()...),
	}, retire{host: h.Name, programs: []program{relay}})
}

// planFormerPort plans that what balances on a host leaves the former port, once every
// node goes by the file's. Alone is what it runs then, and both what the plan has it run
// until then.
func planFormerPort(in component.Input, h *cluster.Host, facts *protocol.Facts, both, alone component.Service, op component.Op, out *component.Output) {
	_, changes := component.FileChanges(balancing(facts, both.Files), alone.Files)
	if len(changes) == 0 {
		return
	}
	out.Add(plan.Step{
		ID: plan.On(stepFormerPort, h.Name), Host: h.Name, Title: "balance on port " + strconv.Itoa(in.Cluster.Endpoint.Port) + " alone",
		Why: "no node goes by port " + strconv.Itoa(formerPort(in)) + " any more", Impact: plan.ImpactReload,
		Changes: append(changes, plan.Change{What: alone.Unit, Action: string(plan.ImpactReload)}),
		Needs:   append(afterMoves(in), component.Each(stepBack, in.Cluster.ControlPlanes())...),
	}, op)
}

// refusePort refuses another port where not everybody can be served on both.
func refusePort(in component.Input, out *component.Output) {
	c := in.Cluster
	former := formerPorts(in)
	if len(former) == 0 || !in.APIExpected() {
		return
	}
	port, mode := c.Endpoint.Port, c.Endpoint.LoadBalancer.Mode
	if len(former) > 1 {
		out.Refuse("give the endpoint one of these ports, apply, and change it to the new one then",
			"the change to another port was not finished: API servers and nodes have the ports %d and %d, and cannot be given %d as well", former[0], former[1], port)
		return
	}
	if !changesPort(in, out) {
		return
	}
	if mode == cluster.BalancerExternal || mode == cluster.BalancerKubeVIP {
		out.Refuse("change to mode localhost first, and to the new port there; then back: three applies, and no node is cut off",
			"the endpoint's port cannot be changed from %d to %d in mode %s: only what Quorate balances serves on both while nodes move", former[0], port, mode)
	}
	refuseMore(in, out)
	for _, l := range c.Endpoint.Listeners {
		if l.Port == former[0] {
			out.Refuse("add the listener with the next apply", "port %d of listener %s is the endpoint's until every node goes by port %d", l.Port, l.Name, port)
		}
	}
	for i := range c.Hosts {
		refuseTakenPort(in, &c.Hosts[i], out)
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
			if facts.Files[has.file].Exists && !slices.Contains(has.by, on(in.Cluster, h)) {
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
	case facts == nil:
		return
	case h.Has(cluster.RoleControlPlane):
		if component.APIPort(facts) == port || slices.Contains(relayedOn(facts), port) {
			return
		}
	case on(in.Cluster, h) == nothing, servesOn(facts, port):
		return
	}
	for _, l := range facts.Listening {
		if l.Port == port {
			by := "a program"
			if l.Process != "" {
				by = l.Process
			}
			out.Refuse("stop what uses it, or choose another port", "port %d of %s is in use by %s, and is to be the endpoint's", port, h.Name, by)
			return
		}
	}
}

// servesOn reports whether what balances on a host was told a port.
func servesOn(facts *protocol.Facts, port int) bool {
	suffix := ":" + strconv.Itoa(port)
	for _, path := range []string{haproxyFile, nginxFile} {
		for line := range strings.Lines(facts.Files[path].Content) {
			f := strings.Fields(line)
			if len(f) > 1 && (f[0] == "bind" || f[0] == "listen") && strings.HasSuffix(f[1], suffix) {
				return true
			}
		}
	}
	return false
}
