package status

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

// assessment is a report in the making.
type assessment struct {
	*Report
	c      *cluster.Cluster
	s      *state.Snapshot
	moving switching
	// members is etcd's membership as it is believed.
	members etcd.Membership
}

// Of judges what was observed of a cluster. Pending are the steps that an apply
// would do, planned from the same snapshot: what they change has drifted.
func Of(c *cluster.Cluster, s *state.Snapshot, pending ...plan.Step) Report {
	a := assessment{c: c, s: s, members: etcd.Assess(c, s), Report: &Report{
		Cluster: c.Name, Taken: s.Taken,
		Problems: []Problem{}, Etcd: Etcd{Members: []Member{}}, ControlPlanes: []ControlPlane{}, Nodes: []Node{},
		AddOns: []AddOn{}, Certificates: []Certificate{},
		Kubernetes: Kubernetes{Desired: c.Kubernetes.Version},
		Endpoint:   Endpoint{Domain: c.Endpoint.Domain, Port: c.Endpoint.Port, Mode: c.Endpoint.LoadBalancer.Mode},
	}}
	if vip := c.Endpoint.LoadBalancer.VIP; vip.IsValid() {
		a.Endpoint.VIP = vip.String()
	}
	if s.API != nil {
		a.Kubernetes.Running = s.API.Version
	}
	a.ToleratedByDesign = max(0, min(cluster.Tolerated(len(c.EtcdHosts())), len(c.ControlPlanes())-1))
	if a.absent() {
		a.State = Absent
		a.error(NeverBuilt, "", "there is no cluster on these hosts yet", "build it: quorate apply")
		a.hosts()
		a.even()
		a.conclude()
		return *a.Report
	}
	a.moving = a.switchingOf()
	a.misplaced()
	a.etcd()
	a.controlPlanes()
	a.hosts()
	a.switches()
	if !a.moving.fresh() {
		a.loadBalancers()
		a.kubeVIP()
	}
	a.nodes()
	a.addOns()
	a.emptied()
	a.certificates()
	a.clocks()
	a.drift(pending)
	a.asAddressed()
	a.conclude()
	return *a.Report
}

func (a assessment) add(p Problem) { a.Problems = append(a.Problems, p) }

func (a assessment) error(k Kind, subject, summary, hint string) {
	a.add(Problem{Kind: k, Severity: diag.SeverityError, Subject: subject, Summary: summary, Hint: hint})
}

func (a assessment) warn(k Kind, subject, summary, hint string) {
	a.add(Problem{Kind: k, Severity: diag.SeverityWarning, Subject: subject, Summary: summary, Hint: hint})
}

// reached reports whether a host was observed.
func (a assessment) reached(host string) bool { return a.s.Facts(host) != nil }

// absent reports whether at least one host answers and none of those that do
// holds anything of a cluster.
func (a assessment) absent() bool {
	if a.s.API != nil {
		return false
	}
	seen := false
	for i := range a.c.Hosts {
		if h := a.s.Hosts[a.c.Hosts[i].Name]; h != nil && h.AdminConf != "" {
			return false // it gave one, whatever it says of its files
		}
		facts := a.s.Facts(a.c.Hosts[i].Name)
		if facts == nil {
			continue
		}
		if a.holdsSomething(facts) {
			return false
		}
		seen = true
	}
	return seen
}

func (a assessment) holdsSomething(facts *protocol.Facts) bool {
	for path, f := range facts.Files {
		if !f.Exists {
			continue
		}
		for _, dir := range []string{"/etc/kubernetes", "/etc/etcd", a.c.Etcd.DataDir} {
			if dir != "" && strings.HasPrefix(path, dir+"/") {
				return true
			}
		}
	}
	return false
}

// hosts tells which hosts do not answer, and what of the cluster that takes along.
func (a assessment) hosts() {
	for i := range a.c.Hosts {
		h := &a.c.Hosts[i]
		if a.reached(h.Name) {
			continue
		}
		why := "it was not asked"
		if observed := a.s.Hosts[h.Name]; observed != nil && observed.Error != "" {
			why = strings.TrimPrefix(observed.Error, h.Name+": ")
		}
		p := Problem{
			Kind: HostUnreachable, Severity: diag.SeverityError, Subject: h.Name, Summary: "does not answer", Detail: why,
			Hint: "if it is off, switch it on: what runs on it rejoins by itself; if it is on, look at its load and at the way to its SSH server",
		}
		if lost := a.lostWith(h); a.State != Absent && lost != "" {
			p.Summary += ": " + lost
		}
		if seenBy := a.reachedByProxy(h.Name); seenBy != "" {
			// Right after a power-off, a proxy has not noticed it yet.
			p.Summary += fmt.Sprintf("; yet the proxy of %s reaches its API server", seenBy)
			p.Hint = "look again in a few seconds; if that stays so, the host is on: mend the way to its SSH server"
		}
		if observed := a.s.Hosts[h.Name]; observed != nil && observed.Barrier == state.BarrierAgent && observed.Unreachable {
			p.Hint = "its SSH server lets you in: look there at its load (uptime) and for a disk that hangs (dmesg); --timeout gives it longer to answer"
		}
		a.add(p)
	}
}

// lostWith words which parts of the cluster a host has that did not answer.
// Nobody knows whether they run.
func (a assessment) lostWith(h *cluster.Host) string {
	var parts []string
	for _, e := range a.c.EtcdHosts() {
		if e.Name == h.Name {
			parts = append(parts, "etcd member")
		}
	}
	if h.Has(cluster.RoleControlPlane) {
		parts = append(parts, "API server")
	}
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return "its " + parts[0] + " may be down"
	}
	return "its " + strings.Join(parts, " and ") + " may be down"
}

// reachedByProxy names a node whose proxy has the host's API server up.
func (a assessment) reachedByProxy(host string) string {
	for i := range a.c.Hosts {
		observed := a.s.Hosts[a.c.Hosts[i].Name]
		if observed == nil || observed.Proxy == nil {
			continue
		}
		for _, b := range observed.Proxy.Backends {
			if b.Name == host && b.Up {
				return observed.Name
			}
		}
	}
	return ""
}

// even warns of an even number of members: the last one adds a way to fail
// and no failure tolerated.
func (a assessment) even() {
	n := len(a.c.EtcdHosts())
	if n == 0 || n%2 == 1 {
		return
	}
	a.warn(EtcdEven, "etcd", fmt.Sprintf("%d members tolerate no more failures than %d: %d", n, n-1, cluster.Tolerated(n)),
		fmt.Sprintf("use %d or %d members", max(1, n-1), n+1))
}
