package endpoint

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// queryMove asks a node for what planMoves compares.
func queryMove(h *cluster.Host, q *protocol.FactsRequest) {
	if h.IsNode() {
		component.AskFiles(q, component.HostsFile, component.WayRecord)
		q.Files = append(q.Files, protocol.FileQuery{Path: component.KubeletConfig}, protocol.FileQuery{Path: component.HostPodsOwed})
	}
}

// planMoves plans how nodes that run are given another way to the API servers.
// The new way is up beside the old one, and is proved from every node that will
// go it, before the first one does; then one node after another is given it, each
// seen to use it before the next. What is behind the old way ends only after the
// last (planRetire), so that a run that fails or is cut off, and one that goes
// back, leaves every node with a way that leads somewhere.
func planMoves(in component.Input, out *component.Output) {
	hosts := in.Moving()
	if len(hosts) == 0 {
		return
	}
	planNewNames(in, hosts, out)
	planWay(in, hosts, out)
	var before []plan.ID
	for _, h := range hosts {
		op := newMove(in, h)
		facts := in.Snapshot.Facts(h.Name)
		step := plan.Step{
			ID: plan.On(component.StepMove, h.Name), Host: h.Name, Impact: plan.ImpactRestart,
			Title: "reach the API servers through " + wayName(in.Cluster, h), Why: whyMoved(in.Cluster, h, facts),
			Needs: append(before, plan.On(component.StepSettings, h.Name)),
		}
		step.Needs = append(step.Needs, component.Each(component.StepNames, in.Cluster.Nodes())...)
		for _, subject := range []string{component.StepKubelet, component.StepRegister, component.StepRuntime} { // two kubelets are never away at a time
			step.Needs = append(step.Needs, component.Each(subject, in.Cluster.Nodes())...)
		}
		text := facts.Files[component.HostsFile].Content
		_, step.Changes = component.FileChanges(facts, []component.File{{Path: component.HostsFile, Content: []byte(component.WithWay(op.way, text)), Mode: 0o644}})
		for _, path := range op.kubeconfigs {
			step.Changes = append(step.Changes, plan.Change{What: path, Action: "update"})
		}
		step.Changes = append(step.Changes, plan.Change{What: kubeletUnit, Action: "restart"})
		step.Needs = append(step.Needs, component.Each(component.StepCertificates, in.Cluster.ControlPlanes())...)
		if !in.LeavesAPIPort() { // else they are restarted in the end
			step.Needs = append(step.Needs, component.Each(component.StepControlPlane, in.Cluster.ControlPlanes())...)
		}
		if len(op.clients) > 0 {
			step.Needs = append(step.Needs, component.StepWay, component.StepKubeProxy, component.StepNetwork)
		}
		if throughProxy(in.Cluster, h) {
			step.Needs = append(step.Needs, component.StepWay)
		}
		for _, c := range op.clients {
			step.Changes = append(step.Changes, plan.Change{What: "pod of " + c.workload, Action: "replace"})
		}
		before = []plan.ID{step.ID}
		out.Add(step, op)
	}
	planLeftBehind(in, out)
}

// stepLeft is the subject of the step that sees nobody go the old way.
const stepLeft = "endpoint/left"

// planLeftBehind plans that, after the last move, the old way stays until nobody
// goes it any more.
func planLeftBehind(in component.Input, out *component.Output) {
	op := leftBehind{ways: map[string]cluster.Way{}, left: leftPorts(in)}
	for _, h := range in.Cluster.Workers() {
		if facts := in.Snapshot.Facts(h.Name); facts != nil && component.Joined(facts) {
			op.ways[h.Name] = cluster.WayOf(in.Cluster, h)
		}
	}
	if len(op.ways)+len(op.left) == 0 {
		return
	}
	out.Add(plan.Step{
		ID: stepLeft, Title: "see that no node goes the old way any more", Why: "nodes are given another way",
		Needs: append(component.Each(component.StepMove, in.Cluster.Nodes()), component.StepKubeProxy, component.StepNetwork),
	}, op)
}

// planNewNames plans that nodes which know the endpoint by another name learn the
// new one beside it: kube-proxy, whose settings all nodes share, can be told it
// only when every node knows it.
func planNewNames(in component.Input, hosts []*cluster.Host, out *component.Output) {
	for _, h := range hosts {
		facts, way := in.Snapshot.Facts(h.Name), cluster.WayOf(in.Cluster, h)
		text := facts.Files[component.HostsFile].Content
		names := namesIn(text)
		has, known := component.RecordedWay(facts)
		if !known && len(names) > 0 {
			has.Domain = names[0]
		}
		if slices.Contains(names, way.Domain) || !way.Address.IsValid() || has.Domain == way.Domain || has.Domain == "" {
			continue // one that it knows by DNS must lead there until it moves
		}
		file := component.File{Path: component.HostsFile, Content: []byte(component.WithWay(way, text)), Mode: 0o644}
		_, changes := component.FileChanges(facts, []component.File{file})
		out.Add(plan.Step{
			ID: plan.On(component.StepNames, h.Name), Host: h.Name, Title: "learn the endpoint's name " + way.Domain, Why: "not known",
			Needs: []plan.ID{plan.On(component.StepSettings, h.Name)}, Changes: changes,
		}, learnName{host: h.Name, way: way})
	}
}

// namesIn are the names in Quorate's block of a hosts file.
func namesIn(text string) []string {
	var out []string
	for line := range strings.Lines(component.Block(text)) {
		if f := strings.Fields(line); len(f) == 2 {
			out = append(out, f[1])
		}
	}
	return out
}

// newMove is a node's move. Its kubeconfigs are written only where they may have
// another name. A control-plane host's pods go to the same address under every
// name, and are told the name with all others (component/controlplane, network).
func newMove(in component.Input, h *cluster.Host) *move {
	op := &move{host: h.Name, way: cluster.WayOf(in.Cluster, h)}
	if !h.Has(cluster.RoleControlPlane) {
		op.clients = append(op.clients, hostClient{component.KubeProxy, "kube-proxy"})
		if in.Cluster.Network.Plugin == "flannel" {
			op.clients = append(op.clients, hostClient{component.Flannel, "flanneld"})
		}
	}
	facts := in.Snapshot.Facts(h.Name)
	has, known := component.RecordedWay(facts)
	if known {
		op.from = has
	}
	if known && has.Server() == op.way.Server() {
		return op
	}
	op.kubeconfigs = []string{component.KubeletConf}
	if h.Has(cluster.RoleControlPlane) {
		op.kubeconfigs = append(op.kubeconfigs, component.AdminConf, superAdminConf)
	}
	return op
}

// whyMoved words how a node reaches the API servers now.
func whyMoved(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) string {
	has, known := component.RecordedWay(facts)
	switch want := cluster.WayOf(c, h); {
	case !known:
		return "it is not known how its kubelet and kube-proxy reach them"
	case has.Server() != want.Server():
		return "it knows them as " + has.Server()
	case !has.Address.IsValid():
		return "it goes where DNS leads " + has.Domain
	case has.Address.IsLoopback():
		return "it goes through a proxy of its own"
	default:
		return "it goes through " + has.Address.String()
	}
}

// wayName is what nodes go through, for people.
func wayName(c *cluster.Cluster, h *cluster.Host) string {
	switch {
	case throughProxy(c, h):
		return "a proxy of its own, as " + cluster.WayOf(c, h).Server()
	case h.Has(cluster.RoleControlPlane):
		return "its own one, as " + cluster.WayOf(c, h).Server()
	case c.Endpoint.LoadBalancer.Mode == cluster.BalancerLocalhost:
		return "a proxy of its own"
	}
	return balancerName(c)
}

// planWay plans the proof that the way leads to the API servers.
func planWay(in component.Input, hosts []*cluster.Host, out *component.Output) {
	c := in.Cluster
	op := proveWay{single: c.Endpoint.LoadBalancer.Mode == cluster.BalancerKubeVIP, targets: map[string]string{}}
	step := plan.Step{
		ID: component.StepWay, Title: "see the API servers from every node that is to reach them another way", Why: "not seen yet",
		Needs: append(component.Each(component.StepCertificates, c.ControlPlanes()), component.StepProof, component.StepAuthorities),
	}
	if !in.LeavesAPIPort() { // else they are restarted in the end
		step.Needs = append(step.Needs, component.Each(component.StepControlPlane, c.ControlPlanes())...)
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if !lingers(in, h) {
			step.Needs = append(step.Needs, plan.On(component.StepProxy, h.Name), plan.On(component.StepVIP, h.Name))
		}
	}
	for _, h := range hosts {
		if h.Has(cluster.RoleControlPlane) && !throughProxy(c, h) {
			continue // it goes to its own API server
		}
		op.targets[h.Name] = targetOf(c, h)
		step.Changes = append(step.Changes, plan.Change{What: fmt.Sprintf("way from %s through %s", h.Name, wayName(c, h)), Action: "prove"})
	}
	out.Add(step, op)
}

// throughProxy reports whether a control-plane host's way leads to what balances there,
// and not to its API server.
func throughProxy(c *cluster.Cluster, h *cluster.Host) bool {
	return h.Has(cluster.RoleControlPlane) && c.PortsDiffer()
}

// targetOf is where a node's way leads. A balancer that has a name and no
// address is called by that name: its hosts file may still lead the endpoint's
// elsewhere.
func targetOf(c *cluster.Cluster, h *cluster.Host) string {
	host := c.Endpoint.LoadBalancer.VIPHost
	if a := cluster.WayOf(c, h).Address; a.IsValid() {
		host = a.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(c.Endpoint.Port))
}

// lingers reports whether a host's HAProxy stays as it is until all nodes have
// moved: it carries the address that they leave, and serves the host itself
// already (managedHAProxy).
func lingers(in component.Input, h *cluster.Host) bool {
	facts := in.Snapshot.Facts(h.Name)
	return facts != nil && on(in.Cluster, h) == localHAProxy && facts.Files[keepalivedUnitFile].Exists
}

// afterMoves are the steps after which nothing of the old way is needed: the new
// one is up, and every node goes it.
func afterMoves(in component.Input) []plan.ID {
	c := in.Cluster
	needs := append(component.Each(component.StepMove, c.Nodes()), component.StepWay, component.StepProof,
		component.StepClusterInit, component.StepKubeProxy, component.StepNetwork, stepLeft)
	for i := range c.Hosts {
		if h := &c.Hosts[i]; !lingers(in, h) {
			needs = append(needs, plan.On(component.StepVIP, h.Name), plan.On(component.StepProxy, h.Name))
		}
	}
	return slices.Clip(needs)
}
