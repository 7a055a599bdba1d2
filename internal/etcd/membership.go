package etcd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Situation is where a host stands in the etcd cluster.
type Situation string

// The situations.
const (
	Bootstrap Situation = "bootstrap" // part of the first membership, not started yet
	Running   Situation = "running"   // has its data and is a voter
	Joining   Situation = "joining"   // to be added, started as a learner and promoted
	Lost      Situation = "lost"      // a member whose data is gone
	Foreign   Situation = "foreign"   // has data of a membership that does not list it
	Moved     Situation = "moved"     // a member that etcd knows at another address
	Apart     Situation = "apart"     // its member runs, in another etcd cluster
	Unknown   Situation = "unknown"   // cannot be told: no member answers
)

// Membership is the assessment of all etcd hosts.
type Membership struct {
	// Situations by host name.
	Situations map[string]Situation
	// Initial is the first membership, as etcd's initial-cluster: name=url,…;
	// it is only meaningful for hosts in Bootstrap.
	Initial string
	// Members is the member list that is believed, nil while nobody tells one.
	Members []Member
	// Clusters are the etcd clusters that the hosts' members are in, the one that
	// is believed first. More than one is a fault that nobody but people can mend.
	Clusters []View
	// Silence says why no running member could be asked, where none could.
	Silence string

	corrupt []string // whom the alarm CORRUPT names, by ID

	unseen int // hosts that are not listed and cannot be looked at

	formed bool // some member was once seen healthy in a quorum
}

// Assess tells where every etcd host stands. The observed files must include
// the data folder's member folder and FormedMarker of every etcd host.
func Assess(c *cluster.Cluster, snap *state.Snapshot) Membership {
	hosts := c.EtcdHosts()
	m := Membership{Situations: map[string]Situation{}, Clusters: clusters(snap)}
	if len(m.Clusters) > 0 {
		m.corrupt = corrupted(snap, m.Clusters[0].Hosts)
		m.Members = membersOf(c, snap, m.Clusters, m.corrupt)
	}
	m.formed = slices.ContainsFunc(hosts, func(h *cluster.Host) bool {
		f := snap.Facts(h.Name)
		return f != nil && f.Files[FormedMarker].Exists
	})
	for _, h := range hosts {
		m.Situations[h.Name] = m.situation(h, hasData(c, snap, h))
		if _, listed := m.Of(h.Name); !listed && snap.Facts(h.Name) == nil {
			m.unseen++
		}
	}
	m.Initial = initialOf(hosts)
	if len(m.Members) > 0 && !m.formed {
		m.Initial = m.listed()
	}
	if m.Members == nil {
		m.Silence = silence(hosts, snap)
	}
	return m
}

// clusters are the etcd clusters that the members are in: one for each cluster
// ID, and one for each member beyond the first that says itself that it leads.
func clusters(snap *state.Snapshot) []View {
	var out []View
	for _, v := range Views(snap) {
		i := slices.IndexFunc(out, func(o View) bool { return o.ClusterID == v.ClusterID || v.ClusterID == "" || o.ClusterID == "" })
		if i < 0 || v.claimed && out[i].claimed {
			out = append(out, v)
			continue
		}
		o := &out[i]
		o.Hosts = append(slices.Clone(o.Hosts), v.Hosts...)
		slices.Sort(o.Hosts)
		o.Revision = max(o.Revision, v.Revision)
	}
	return out
}

func (m Membership) situation(h *cluster.Host, hasData bool) Situation {
	if m.Members == nil {
		switch {
		case hasData:
			return Running
		case m.formed:
			return Unknown
		default:
			// Nothing was ever healthy: the first membership is still forming.
			return Bootstrap
		}
	}
	for _, other := range m.Clusters[1:] {
		if slices.Contains(other.Hosts, h.Name) {
			return Apart
		}
	}
	p, listed := m.Of(h.Name)
	switch {
	case !listed && hasData:
		return Foreign
	case !listed:
		return Joining
	case p.Moved:
		return Moved
	case p.Learner:
		return Joining
	case hasData:
		return Running
	case p.Name == "":
		return Joining
	case len(p.ClientURLs) == 0:
		// Listed from the start, never ran.
		return Bootstrap
	}
	return Lost
}

// Of is the member of a host.
func (m Membership) Of(host string) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(p Member) bool { return p.Host == host })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

// LeftOut are the hosts with data of a membership that does not list them,
// where they may be as many as those that are listed: then what answers may be the
// lesser copy, and what is left out the better one. A host that is not listed and
// cannot be looked at may well hold data of it, too.
func (m Membership) LeftOut() []string {
	var out []string
	for host, s := range m.Situations {
		if s == Foreign {
			out = append(out, host)
		}
	}
	if len(out)+m.unseen < m.ours() {
		return nil
	}
	slices.Sort(out)
	return out
}

// ours counts the members that run on hosts of the cluster file.
func (m Membership) ours() int { return len(m.Members) - len(m.Strangers()) }

// Strangers are the members that run on none of the cluster file's hosts.
func (m Membership) Strangers() []Member {
	return slices.DeleteFunc(slices.Clone(m.Members), func(p Member) bool { return p.Host != "" })
}

// Refusal tells why nothing can be planned for a host's member, and what to do
// about it; both are empty where something can.
func (m Membership) Refusal(c *cluster.Cluster, h *cluster.Host) (why, hint string) {
	situation := m.Situations[h.Name]
	if situation == Running || situation == Bootstrap {
		return "", ""
	}
	if why, hint := m.Divided(c); why != "" {
		return why, hint // to which of them the host belongs, nobody can tell
	}
	switch situation {
	case Lost:
		why = fmt.Sprintf("the etcd member of %s has lost its data folder %s", h.Name, c.Etcd.DataDir)
		p, _ := m.Of(h.Name)
		back := "put the data back if you have it; or"
		if slices.Contains(m.corrupt, p.ID) {
			back = "it was not the others' data:"
		}
		if !m.bearsRemoval(p) {
			return why, "bring the other members back first: without them there is no quorum to add it anew"
		}
		return why, fmt.Sprintf("%s remove the member, so that apply adds it anew (nothing is lost while the others have quorum): on %s, `%s`",
			back, m.asker(), Command(c, "member remove "+p.HexID()))
	case Foreign:
		why = fmt.Sprintf("%s holds etcd data at %s, but the cluster does not list it as a member", h.Name, c.Etcd.DataDir)
		if left := m.LeftOut(); left != nil {
			return why, fmt.Sprintf("the data of %s may be the better copy: the cluster that answers has %d of the file's %d etcd hosts only. Keep all of it, and find out which is to stay; what is not is set aside, never wiped: on %s, %s",
				and(left), m.ours(), len(c.EtcdHosts()), h.Name, SetAside(c))
		}
		return why, fmt.Sprintf("if it is left over from an earlier life of the host, run `quorate reset --host %s`", h.Name)
	case Moved:
		p, _ := m.Of(h.Name)
		return AnotherAddress(h, p.Address())
	case Unknown:
		return fmt.Sprintf("%s has no etcd data, and no etcd member answers (%s)", h.Name, m.Silence),
			"bring the other etcd hosts back first: a new member can only join a cluster that answers"
	}
	return "", ""
}

// bearsRemoval reports whether a member can be removed: the quorum of now has to agree
// to it, and what is left must have one.
func (m Membership) bearsRemoval(p Member) bool {
	return m.After(Change{}).Holds() && m.After(Change{Remove: []string{p.ID}}).Holds()
}

// silence collects why the hosts' members did not answer.
func silence(hosts []*cluster.Host, snap *state.Snapshot) string {
	var reasons []string
	for _, h := range hosts {
		if e, ok := snap.Etcd[h.Name]; ok && e.Error != "" {
			reasons = append(reasons, h.Name+": "+e.Error)
		}
	}
	return strings.Join(reasons, "; ")
}

func initialOf(hosts []*cluster.Host) string {
	parts := make([]string, len(hosts))
	for i, h := range hosts {
		parts[i] = h.Name + "=" + PeerURL(h)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// listed is the member list as etcd's initial-cluster.
func (m Membership) listed() string {
	var parts []string
	for _, p := range m.Members {
		for _, url := range p.PeerURLs {
			parts = append(parts, p.Name+"="+url)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
