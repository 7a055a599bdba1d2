// Package endpoint balances the control-plane endpoint: the one name under
// which all clients reach the API servers. Who balances is the cluster file's
// choice (spec.endpoint.loadBalancer.mode), a file of this package each:
//
//	external.go    a balancer of the user's, proved first (proof*.go)
//	localhost.go   a proxy of its own on every node that is not control plane;
//	               nginx.go, where it is nginx
//	kubevip.go     an address that kube-vip on the control-plane hosts shares
//	managed.go     HAProxy on load-balancer hosts; keepalived.go: the address they share;
//	               addresses.go: another one beside it, until every node goes by that
//	port.go        another port beside the one of before, likewise
//
// Where the endpoint's port is not that of the API servers, each control-plane host has
// a proxy like that of localhost.go in every mode, at its own address: the endpoint's
// name leads there.
//
// When the choice changes on a cluster that runs, the new way comes up beside the
// old one, nodes are given it one after another (move.go), and then the old one
// ends (retire.go); switch.go refuses what cannot be changed like that.
//
// All of them judge an API server by its /readyz, asked over TLS that is
// verified against the cluster's authority.
package endpoint

import (
	"embed"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

//go:embed *.tmpl
var templates embed.FS

// software is what balances on one host.
type software string

const (
	nothing      software = ""
	localHAProxy software = "a HAProxy of its own"
	localNginx   software = "an nginx of its own"
	managed      software = "HAProxy and keepalived"
	kubeVIP      software = "kube-vip"
)

// on tells what balances on a host.
func on(c *cluster.Cluster, h *cluster.Host) software {
	switch lb := &c.Endpoint.LoadBalancer; {
	case c.HasOwnProxy(h) && lb.Type == "nginx":
		return localNginx
	case c.HasOwnProxy(h):
		return localHAProxy
	case lb.Mode == cluster.BalancerKubeVIP && h.Has(cluster.RoleControlPlane):
		return kubeVIP
	case slices.Contains(c.Balancers(), h):
		return managed
	}
	return nothing
}

// Ports are the TCP ports that what balances on a host listens on, and that
// nothing else may hold when it is first started.
func Ports(c *cluster.Cluster, h *cluster.Host) []int {
	switch on(c, h) {
	case localHAProxy, localNginx:
		return []int{c.Endpoint.Port}
	case managed:
		var out []int
		if !h.Has(cluster.RoleControlPlane) || c.PortsDiffer() { // else the API server shares it
			out = append(out, c.Endpoint.Port)
		}
		for _, l := range c.Endpoint.Listeners {
			out = append(out, l.Port)
		}
		return out
	}
	return nil
}

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	if h.Has(cluster.RoleControlPlane) {
		q.Files = append(q.Files, protocol.FileQuery{Path: authorityFile, Digest: true})
	}
	queryMove(h, q)
	queryPort(h, q)
	queryRetired(q)
	switch on(c, h) {
	case localHAProxy:
		queryHAProxy(q)
	case localNginx:
		queryNginx(q)
	case kubeVIP:
		queryKubeVIP(q)
	case managed:
		queryHAProxy(q)
		queryKeepalived(q)
	}
}

// Plan makes the steps for every host that balances.
func Plan(in component.Input, out *component.Output) {
	refuseSwitch(in, out)
	refusePort(in, out)
	planExternal(in, out)
	planRestarts(in, out)
	planMoves(in, out)
	planHostPods(in, out)
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		switch on(in.Cluster, h) {
		case localHAProxy:
			planLocalhost(in, h, facts, out)
		case localNginx:
			planNginx(in, h, facts, out)
		case kubeVIP:
			planKubeVIP(in, h, facts, out)
		case managed:
			planManaged(in, h, facts, out)
		}
		planRetired(in, h, facts, out)
	}
}

// StateQueries asks what balances on a host for the state of its backends;
// there are none where nothing does, and on a host that tells of the user's balancer.
func StateQueries(c *cluster.Cluster, h *cluster.Host) []protocol.HTTPQuery {
	if slices.Contains(c.BalancerObservers(), h) {
		return nil
	}
	switch on(c, h) {
	case localHAProxy, managed:
		return []protocol.HTTPQuery{haproxyStateQuery()}
	case localNginx:
		return nginxStateQueries(c, h)
	}
	return nil
}

// StateOf reads the answers to a host's StateQueries.
func StateOf(c *cluster.Cluster, h *cluster.Host, replies []protocol.HTTPReply) *state.Proxy {
	switch on(c, h) {
	case localHAProxy, managed:
		return haproxyState(replies[0])
	case localNginx:
		return seenState(replies)
	}
	return nil
}

// step is the step that sets up what balances on a host.
func step(h *cluster.Host, title string, changes []plan.Change, impact plan.Impact, needs ...plan.ID) plan.Step {
	return plan.Step{
		ID: plan.On(component.StepProxy, h.Name), Host: h.Name, Title: title,
		Why: component.WhyOf(changes), Impact: impact, Changes: changes,
		Needs: append(slices.Clip(needs), component.StepAuthorities, plan.On(component.StepPackages, h.Name)),
	}
}

// certified are the steps after which the API servers that run prove themselves
// with all their names: those who ask under a new one must not be told to sooner.
func certified(in component.Input) []plan.ID {
	if !in.APIExpected() {
		return nil
	}
	return component.Each(component.StepCertificates, in.Cluster.ControlPlanes())
}
