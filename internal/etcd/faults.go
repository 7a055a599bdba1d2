package etcd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// Intent is what a plan does with the members of hosts, by host name.
type Intent struct {
	Adds     []string // have no member yet and are given one
	Starts   []string // their member is started, before anything else is done with members
	Restarts []string // their member is taken down and comes back, one after another
}

// Fault is something about the membership that is told before anything is
// changed; where it refuses, nothing is.
type Fault struct {
	Why, Hint string
	Refuses   bool
}

// Faults tells what stands against a plan, and what the cluster file does not
// say of the membership.
func (m Membership) Faults(c *cluster.Cluster, in Intent) []Fault {
	if why, hint := m.Divided(c); why != "" {
		return []Fault{{why, hint, true}}
	}
	m = m.started(in.Starts)
	var out []Fault
	if why, hint := m.Corruption(c); why != "" {
		if changes := slices.Concat(in.Adds, in.Restarts); len(changes) > 0 {
			return []Fault{{beforeCorruption(changes, why), hint, true}}
		}
		out = append(out, Fault{why, hint, false})
	}
	if why, hint := m.MayAdd(c, in.Adds...); why != "" {
		out = append(out, Fault{why, hint, true})
	}
	for _, host := range in.Restarts {
		if why, hint := m.MayTakeDown(c, host); why != "" {
			out = append(out, Fault{why, hint, true})
			break // it is the same for the others
		}
	}
	if slices.ContainsFunc(out, func(f Fault) bool { return f.Refuses }) {
		return out
	}
	return append(out, m.strangers(c)...)
}

// beforeCorruption tells why no member is restarted or added while members' data
// differ: one that starts compares its data with all others' and ends where some
// are not the same, also if its own are right; a new one takes the leader's,
// whether they are or not.
func beforeCorruption(hosts []string, why string) string {
	return fmt.Sprintf("no etcd member is started on %s now, for it may not come up, or take the wrong data: %s", and(hosts), why)
}

// started is the membership once the members of some hosts run.
func (m Membership) started(hosts []string) Membership {
	m.Members = slices.Clone(m.Members)
	for i := range m.Members {
		if p := &m.Members[i]; p.Host != "" && slices.Contains(hosts, p.Host) {
			p.Why = ""
		}
	}
	return m
}

// MayTakeDown tells why the member of a host must not be taken down now, and
// what to do about it; both are empty where it may. A cluster of one has no
// others to ask: its restart is in the plan for people to see. One that never
// formed takes no writes that could stop.
func (m Membership) MayTakeDown(c *cluster.Cluster, host string) (why, hint string) {
	if why, hint := m.Divided(c); why != "" {
		return why, hint
	}
	if why, hint := m.Corruption(c); why != "" {
		return beforeCorruption([]string{host}, why), hint
	}
	if m.Members == nil {
		if len(c.EtcdHosts()) == 1 || !m.formed {
			return "", ""
		}
		return fmt.Sprintf("the etcd member of %s must not be taken down now: no member tells who the others are (%s)", host, m.Silence),
			"bring the other members back first"
	}
	p, ok := m.Of(host)
	if q := m.After(Change{}); !ok || p.Learner || q.Voters == 1 {
		return "", ""
	}
	q := m.After(Change{Down: []string{p.ID}})
	if q.Holds() {
		return "", ""
	}
	var who []string
	var cures []string
	for _, o := range m.unwell() {
		if o.ID != p.ID && !m.follows(o) {
			who = append(who, o.Label()+" "+o.reason())
			cures = append(cures, m.cure(c, o))
		}
	}
	why = fmt.Sprintf("restarting the etcd member of %s would stop all writes: %d of the %d voters would be healthy, and %d are needed", host, q.Healthy, q.Voters, q.Needed)
	if len(who) > 0 {
		return why + "; not healthy: " + strings.Join(who, ", "), sentences(cures)
	}
	// Two voters bear no restart of either.
	return why, "add a third member first: two tolerate no failure"
}

// MayAdd tells why no member can be added on the hosts, and what to do about
// it; both are empty where it can, or where there is none to add. A new member
// raises what a write needs, and etcd refuses it while too few voters answer, or
// while another learner is there.
func (m Membership) MayAdd(c *cluster.Cluster, hosts ...string) (why, hint string) {
	if len(hosts) == 0 {
		return "", ""
	}
	if m.Members == nil {
		return fmt.Sprintf("etcd is given no member on %s now: no member tells who the others are (%s)", and(hosts), m.Silence), "bring the other members back first"
	}
	if why, hint := m.Corruption(c); why != "" {
		return beforeCorruption(hosts, why), hint
	}
	var who, cures []string
	for _, p := range m.Members {
		switch {
		case p.Host != "" && slices.Contains(hosts, p.Host), m.follows(p):
			continue // one that was added before, and goes on
		case p.Learner && (p.Host == "" || !p.Healthy()):
			who = append(who, fmt.Sprintf("%s is a learner and %s", p.Label(), cmp.Or(p.reason(), "not in the cluster file")))
		case p.Learner:
			continue
		case !p.Healthy():
			who = append(who, p.Label()+" votes and "+p.reason())
		case p.Host == "":
			who = append(who, p.Label()+" votes and is not in the cluster file")
		default:
			continue
		}
		cures = append(cures, m.cure(c, p))
	}
	if who == nil {
		return "", ""
	}
	return fmt.Sprintf("etcd is given no member on %s now: %s", and(hosts), strings.Join(who, "; ")), sentences(cures)
}

// strangers tells of members that the cluster file has no host for. Where its
// hosts do not have the votes that a write needs, the file is not this cluster.
func (m Membership) strangers(c *cluster.Cluster) []Fault {
	var out []Fault
	for _, p := range m.Strangers() {
		why, hint := m.Stranger(c, p)
		out = append(out, Fault{why, hint, !p.Learner && m.votesOfFile() < m.After(Change{}).Needed})
	}
	return out
}

// votesOfFile counts the voters that run on the cluster file's hosts.
func (m Membership) votesOfFile() int {
	n := 0
	for _, p := range m.Members {
		if p.Host != "" && !p.Learner {
			n++
		}
	}
	return n
}

// Stranger tells of a member that the cluster file has no host for, and what to
// do about it.
func (m Membership) Stranger(c *cluster.Cluster, p Member) (why, hint string) {
	now := m.After(Change{})
	hint = m.cure(c, p)
	switch {
	case p.Learner:
		return fmt.Sprintf("etcd lists the learner %s, which is not in the cluster file and %s; while it is there, no other member can be added", p.Label(), cmp.Or(p.reason(), "runs")), hint
	case p.Healthy():
		return fmt.Sprintf("%s is not in the cluster file, and its etcd member still votes: %d of the %d voters are the file's, and a write needs %d", p.Label(), m.votesOfFile(), now.Voters, now.Needed), hint
	}
	return fmt.Sprintf("%s is not in the cluster file, still votes in etcd and %s: %d of the %d voters are healthy, and a write needs %d", p.Label(), p.reason(), now.Healthy, now.Voters, now.Needed), hint
}

// unwell are the voters that are not healthy.
func (m Membership) unwell() []Member {
	return slices.DeleteFunc(slices.Clone(m.Members), func(p Member) bool { return p.Healthy() || p.Learner })
}

// follows reports whether a member's having no leader merely follows from others
// that do not answer.
func (m Membership) follows(p Member) bool {
	return p.Why == noLeader && slices.ContainsFunc(m.unwell(), func(o Member) bool { return o.Why != noLeader })
}

// reason is why the member is not healthy, with what it said itself.
func (p Member) reason() string {
	if p.Detail == "" || p.Why == "never started" {
		return p.Why
	}
	return p.Why + " (" + p.Detail + ")"
}

// cure says what to do about a member. That it be removed is said only of one
// that does not answer, or never voted, and only where the rest has a quorum.
func (m Membership) cure(c *cluster.Cluster, p Member) string {
	rest := m.bearsRemoval(p)
	switch {
	case p.Host != "":
		return fmt.Sprintf("bring the etcd member of %s back: on %s, look at %s", p.Host, p.Host, Log(c))
	case p.Healthy() && !p.Learner:
		return fmt.Sprintf("put %s back into the cluster file: taking a member out of a living cluster is not built yet", p.Label())
	case p.Unknown() && p.Started():
		return fmt.Sprintf("run the same command again: whether %s answers could not be asked", p.Label())
	case !rest:
		return fmt.Sprintf("bring the host of %s back: without it the others have no quorum", p.Label())
	}
	return fmt.Sprintf("if %s is gone for good, remove it: on %s, `%s`; if not, put its host into the cluster file and bring it back", p.Label(), m.asker(), Command(c, "member remove "+p.HexID()))
}

// asker is a host whose member can be asked to change the membership.
func (m Membership) asker() string {
	for _, p := range m.Members {
		if p.Host != "" && p.Healthy() && !p.Learner {
			return p.Host
		}
	}
	return cmp.Or(strings.Join(m.Clusters[0].Hosts[:1], ""), "an etcd host")
}

// sentences joins hints, each once.
func sentences(hints []string) string {
	var out []string
	for _, h := range hints {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return strings.Join(out, ". ")
}
