package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/reset"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

// Reset plans to take the named hosts back to bare; no names mean all of
// them. Hosts that were not observed are left out of the plan: the caller
// tells which. Some hosts of a cluster are refused while they are part of it
// with others; a whole cluster never is.
func Reset(in component.Input, names []string) (*plan.Plan, diag.List, error) {
	out := &component.Output{}
	if len(names) == 0 {
		for _, h := range in.Cluster.Hosts {
			names = append(names, h.Name)
		}
	}
	chosen := func(name string) bool { return slices.Contains(names, name) }
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		if !chosen(h.Name) {
			continue
		}
		refusePart(in, h, chosen, out)
		reset.Plan(in, h, out)
	}
	if out.Refusals.HasErrors() {
		return nil, out.Refusals, nil
	}
	p, err := plan.New(in.Cluster.Name, "reset", out.Steps)
	return p, out.Refusals, err
}

// refusePart refuses a host that others of the cluster, which are not chosen
// with it, still count on.
func refusePart(in component.Input, h *cluster.Host, chosen func(string) bool, out *component.Output) {
	facts := in.Snapshot.Facts(h.Name)
	if facts == nil {
		return
	}
	const hint = "reset the whole cluster, or keep the host; removing one host from a living cluster is not built yet"
	m := etcd.Assess(in.Cluster, in.Snapshot)
	if why, hint := keepsData(in, m, h, chosen); why != "" {
		out.Refuse(hint, "%s", why)
		return
	}
	others, answered := otherMembers(m, chosen), m.Members != nil
	if _, listed := m.Of(h.Name); listed && len(others) > 0 {
		out.Refuse(hint, "%s is a member of the etcd cluster with %s", h.Name, strings.Join(others, ", "))
		return
	}
	if in.Snapshot.API != nil {
		others := otherNodes(in, chosen)
		if _, isNode := in.Snapshot.API.Nodes[h.Name]; isNode && len(others) > 0 {
			out.Refuse(hint, "%s is a node of the cluster with %s", h.Name, strings.Join(others, ", "))
		}
		return
	}
	// Nobody says who belongs to the cluster. Where its data is on hosts that
	// are to stay, a host that has joined may be needed to mend it.
	joined := facts.Files[component.KubeletConf].Exists || !answered && facts.Files[etcd.MemberDir(in.Cluster)].Exists
	if keeps := hostsWithData(in, chosen); joined && len(keeps) > 0 {
		out.Refuse("bring the API back first, or reset the whole cluster",
			"the cluster cannot be asked whether it still needs %s (%s), and its data is on %s",
			h.Name, cmp.Or(in.Snapshot.APIError, "no API server answers"), strings.Join(keeps, ", "))
	}
}

// keepsData refuses to wipe a host whose data may be the better copy, or the only
// one, where others of the etcd hosts are not chosen with it.
func keepsData(in component.Input, m etcd.Membership, h *cluster.Host, chosen func(string) bool) (why, hint string) {
	hosts := in.Cluster.EtcdHosts()
	if !slices.Contains(hosts, h) || !slices.ContainsFunc(hosts, func(o *cluster.Host) bool { return !chosen(o.Name) }) {
		return "", ""
	}
	if why, hint := m.Divided(in.Cluster); why != "" {
		return why, hint
	}
	if m.Situations[h.Name] != etcd.Foreign {
		return "", ""
	}
	if etcd.HasLeader(in.Snapshot.Etcd[h.Name]) {
		return fmt.Sprintf("the etcd member of %s runs and has a leader, though the other members do not list it", h.Name),
			"stop it first, and be sure that nobody needs its data"
	}
	if slices.Contains(m.LeftOut(), h.Name) {
		return m.Refusal(in.Cluster, h)
	}
	return "", ""
}

// otherMembers are the members that are not on the chosen hosts.
func otherMembers(m etcd.Membership, chosen func(string) bool) []string {
	var others []string
	for _, p := range m.Members {
		if p.Host == "" || !chosen(p.Host) {
			others = append(others, p.Label())
		}
	}
	return others
}

func otherNodes(in component.Input, chosen func(string) bool) []string {
	var others []string
	for name := range in.Snapshot.API.Nodes {
		if !chosen(name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return others
}

// hostsWithData are the hosts that stay and hold etcd's data.
func hostsWithData(in component.Input, chosen func(string) bool) []string {
	var out []string
	for _, h := range in.Cluster.EtcdHosts() {
		f := in.Snapshot.Facts(h.Name)
		// One that cannot be observed may well hold it.
		if !chosen(h.Name) && (f == nil || f.Files[etcd.MemberDir(in.Cluster)].Exists) {
			out = append(out, h.Name)
		}
	}
	return out
}

// NotReset words the hosts that a reset left out, and why.
func NotReset(snap *state.Snapshot, names []string) []string {
	var out []string
	for name, reason := range snap.Unreachable() {
		if len(names) == 0 || slices.Contains(names, name) {
			if !strings.HasPrefix(reason, name+":") {
				reason = name + ": " + reason
			}
			out = append(out, reason)
		}
	}
	slices.Sort(out)
	return out
}
