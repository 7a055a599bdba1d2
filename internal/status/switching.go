package status

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// Where a node notes the way by which its kubelet reaches the API servers, and
// what tells that its kubelet was started.
const (
	wayRecord     = "/etc/quorate/endpoint"
	kubeletConfig = "/var/lib/kubelet/config.yaml"
)

// switching is how far a change of the endpoint has come.
type switching struct {
	// behind are the nodes that reach the API servers another way than the file's,
	// with that way where it is known: a node in between has none.
	behind map[string]*cluster.Way
	moved  int // workers that go the file's way
}

// switchingOf tells from the nodes' notes how far a change of the endpoint has come.
func (a assessment) switchingOf() switching {
	s := switching{behind: map[string]*cluster.Way{}}
	for _, h := range a.c.Nodes() {
		facts := a.s.Facts(h.Name)
		if facts == nil || !facts.Files[kubeletConfig].Exists {
			continue
		}
		has, known := cluster.ParseWay(facts.Files[wayRecord].Content)
		switch {
		case !known:
			s.behind[h.Name] = nil
		case has != cluster.WayOf(a.c, h):
			s.behind[h.Name] = &has
		case !h.Has(cluster.RoleControlPlane):
			s.moved++
		}
	}
	return s
}

// fresh reports whether no node goes the file's way yet: what is not there of it
// yet is missed by nobody.
func (s switching) fresh() bool { return len(s.behind) > 0 && s.moved == 0 }

// switches tells that the endpoint is being changed, and judges the old way for
// the nodes that still go it.
func (a assessment) switches() {
	if len(a.moving.behind) == 0 {
		return
	}
	var names, between []string
	by := ""
	for _, h := range a.c.Nodes() {
		has, ok := a.moving.behind[h.Name]
		switch {
		case !ok:
		case has == nil:
			between = append(between, h.Name)
		default:
			names = append(names, h.Name)
			if !h.Has(cluster.RoleControlPlane) || by == "" {
				by = has.String()
			}
			a.oldWay(h, *has)
		}
	}
	const hint = "quorate apply goes on with the change; with the file of before, it goes back"
	if len(names) > 0 {
		a.warn(EndpointSwitching, "", fmt.Sprintf("the endpoint is not as the file says for %s yet, which reach the API as before (%s)", andList(names), by), hint)
	}
	if len(between) > 0 {
		a.warn(EndpointSwitching, "", fmt.Sprintf("how %s reach the API is not noted: they were being given another way", andList(between)), hint)
	}
}

// oldWay judges the way of a node that has not been given the file's yet.
func (a assessment) oldWay(h *cluster.Host, has cluster.Way) {
	if h.Has(cluster.RoleControlPlane) || !has.Address.IsValid() {
		return
	}
	facts := a.s.Facts(h.Name)
	if has.Address.IsLoopback() {
		if !facts.Units["quorate-haproxy.service"].Up(facts.Time) && !facts.Units["quorate-nginx.service"].Up(facts.Time) {
			a.error(ProxyUnreachable, h.Name, "its proxy does not run, and it has not been given another way to the API yet", "quorate apply goes on with the change")
		}
		return
	}
	ours, carried := false, false
	for i := range a.c.Hosts {
		facts := a.s.Facts(a.c.Hosts[i].Name)
		if facts == nil {
			return // who knows
		}
		ours = ours || facts.Units[keepalivedUnit].Load == "loaded"
		for _, in := range facts.Interfaces {
			carried = carried || slices.ContainsFunc(in.Addresses, func(text string) bool { return isAddress(text, has.Address) })
		}
	}
	if ours && !carried {
		a.once(Problem{
			Kind: VIPNowhere, Severity: diag.SeverityError, Summary: fmt.Sprintf("no load balancer carries %s, by which nodes still reach the API", has.Address),
			Hint: "quorate apply goes on with the change, once HAProxy and keepalived run again on one of the load balancers",
		})
	}
}
