package etcd

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Member is an entry of the member list that is believed.
type Member struct {
	state.EtcdPeer
	// Host is the host of the cluster file that it runs on; empty for none.
	Host string
	// Moved tells that it is the host's by its ID or its name, while etcd knows
	// it at another address than the cluster file.
	Moved bool
	// Leader tells that it leads.
	Leader bool
	// Why says why it does not count as healthy; empty where it does. Detail is
	// what it said itself, or the host that was to ask it.
	Why, Detail string
}

// Healthy reports whether the member was seen to take part in the cluster.
func (m Member) Healthy() bool { return m.Why == "" }

// Unknown reports whether nobody could ask how the member is.
func (m Member) Unknown() bool { return m.Why == notAsked }

// Started reports whether the member ever ran: until then, etcd knows neither
// its name nor where clients find it.
func (m Member) Started() bool { return m.Name != "" && len(m.ClientURLs) > 0 }

// Address is where etcd knows the member.
func (m Member) Address() string {
	for _, a := range addresses(m.PeerURLs) {
		return a.String()
	}
	return strings.Join(m.PeerURLs, ",")
}

// Label names a member to people: by its host, else by its name and address.
func (m Member) Label() string {
	switch {
	case m.Host != "" && !m.Moved:
		return m.Host
	case m.Name != "":
		return m.Name + " (" + m.Address() + ")"
	}
	return m.Address()
}

// HexID is the member's ID as etcdctl takes it.
func (m Member) HexID() string {
	id, err := strconv.ParseUint(m.ID, 10, 64)
	if err != nil {
		return m.ID
	}
	return strconv.FormatUint(id, 16)
}

// HostOf is the host of the file at whose address etcd knows a member; nil
// where there is none.
func HostOf(c *cluster.Cluster, p state.EtcdPeer) *cluster.Host {
	at := addresses(p.PeerURLs)
	for _, h := range c.EtcdHosts() {
		if slices.Contains(at, h.InternalAddress) {
			return h
		}
	}
	return nil
}

// addresses are those that URLs name; a URL that names a host by its name has none.
func addresses(urls []string) []netip.Addr {
	var out []netip.Addr
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// View is what those say who agree on one cluster and one leader.
type View struct {
	ClusterID string
	Leader    string   // the leader's member ID; empty for none
	Hosts     []string // whose members say so, sorted
	Revision  int64    // of the data, the highest
	Term      uint64
	// Peers is the member list, of the one that came farthest in the log.
	Peers []state.EtcdPeer

	applied int64
	claimed bool // the leader itself says so
}

// Views are what the members say, those first that count most: of the cluster
// to which most of the hosts belong, those with a leader.
func Views(snap *state.Snapshot) []View {
	var out []View
	for _, host := range sortedHosts(snap) {
		said := snap.Etcd[host]
		if said.Error != "" || len(said.Members) == 0 {
			continue
		}
		leader := said.Leader
		if !HasLeader(said) {
			leader = ""
		}
		i := slices.IndexFunc(out, func(v View) bool { return v.ClusterID == said.ClusterID && v.Leader == leader })
		if i < 0 {
			i, out = len(out), append(out, View{ClusterID: said.ClusterID, Leader: leader, applied: -1})
		}
		v := &out[i]
		v.Hosts = append(v.Hosts, host)
		v.Revision = max(v.Revision, said.Revision)
		v.claimed = v.claimed || leader != "" && said.ID == leader
		if term, err := strconv.ParseUint(said.RaftTerm, 10, 64); err == nil {
			v.Term = max(v.Term, term)
		}
		if said.Applied > v.applied {
			v.applied, v.Peers = said.Applied, said.Members
		}
	}
	of := map[string]int{} // hosts by cluster
	leads := map[string]int{}
	for _, v := range out {
		of[v.ClusterID] += len(v.Hosts)
		if v.Leader != "" {
			leads[v.ClusterID] = 1
		}
	}
	slices.SortStableFunc(out, func(a, b View) int {
		return cmp.Or(
			cmp.Compare(of[b.ClusterID], of[a.ClusterID]),
			cmp.Compare(leads[b.ClusterID], leads[a.ClusterID]),
			cmp.Compare(a.ClusterID, b.ClusterID),
			cmp.Compare(min(1, len(b.Leader)), min(1, len(a.Leader))),
			cmp.Compare(len(b.Hosts), len(a.Hosts)),
			cmp.Compare(b.Term, a.Term),
			cmp.Compare(a.Leader, b.Leader),
		)
	})
	return out
}

// Believed is the view that counts most, never the first by name: a member that
// was cut off knows less, and one that was restored alone knows itself only.
// Without any that answers there is none.
func Believed(snap *state.Snapshot) (View, bool) {
	views := Views(snap)
	if len(views) == 0 {
		return View{}, false
	}
	return views[0], true
}

// HasLeader tells whether a member knows a leader: etcd writes 0 for none. A
// member that lost touch with the quorum forgets its leader within an election
// timeout, and a leader steps down.
func HasLeader(m state.EtcdMember) bool { return m.Error == "" && m.Leader != "" && m.Leader != "0" }

// Full tells whether a member says that a database reached its quota, so that
// no write is taken.
func Full(m state.EtcdMember) bool {
	return slices.ContainsFunc(m.Errors, func(e string) bool { return strings.Contains(e, "NOSPACE") })
}

func sortedHosts(snap *state.Snapshot) []string {
	names := make([]string, 0, len(snap.Etcd))
	for name := range snap.Etcd {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// membersOf makes the member list that is believed, that of the first cluster.
func membersOf(c *cluster.Cluster, snap *state.Snapshot, clusters []View, corrupt []string) []Member {
	v := clusters[0]
	var out []Member
	taken := map[string]bool{} // hosts at whose address there is a member
	for _, p := range v.Peers {
		m := Member{EtcdPeer: p, Leader: p.ID != "" && p.ID == v.Leader}
		if h := HostOf(c, p); h != nil {
			m.Host = h.Name
			taken[h.Name] = true
		}
		out = append(out, m)
	}
	for i := range out {
		if m := &out[i]; m.Host == "" {
			if h := movedHost(c, snap, *m, taken); h != "" {
				m.Host, m.Moved = h, true
				taken[h] = true
			}
		}
	}
	for i := range out {
		out[i].Why, out[i].Detail = unwell(snap, clusters, out[i])
		if out[i].Why == "" && slices.Contains(corrupt, out[i].ID) {
			out[i].Why = "its data is corrupt"
		}
	}
	return out
}

// movedHost finds the host whose member this is though etcd knows it at another
// address: the one that runs it says so by its ID, or has its name and data.
func movedHost(c *cluster.Cluster, snap *state.Snapshot, m Member, taken map[string]bool) string {
	for _, h := range c.EtcdHosts() {
		if said := snap.Etcd[h.Name]; !taken[h.Name] && said.Error == "" && said.ID != "" && said.ID == m.ID {
			return h.Name
		}
	}
	for _, h := range c.EtcdHosts() {
		said, answers := snap.Etcd[h.Name]
		other := answers && said.Error == "" && said.ID != "" // and so another member
		if h.Name == m.Name && !taken[h.Name] && !other && hasData(c, snap, h) {
			return h.Name
		}
	}
	return ""
}

// hasData reports whether a host's member has data; one that answers has.
func hasData(c *cluster.Cluster, snap *state.Snapshot, h *cluster.Host) bool {
	if said, ok := snap.Etcd[h.Name]; ok && said.Error == "" && said.ID != "" {
		return true
	}
	f := snap.Facts(h.Name)
	return f != nil && f.Files[MemberDir(c)].Exists
}

// Two of the reasons why a member does not count as healthy.
const (
	notAsked = "was not asked"
	noLeader = "has no leader"
)

// unwell says why a member does not count as healthy.
func unwell(snap *state.Snapshot, clusters []View, m Member) (why, detail string) {
	said, asked := snap.Etcd[m.Host]
	apart := slices.ContainsFunc(clusters[1:], func(v View) bool { return slices.Contains(v.Hosts, m.Host) })
	if m.Host == "" {
		said, asked = snap.EtcdOthers[m.ID]
		apart = said.ClusterID != "" && clusters[0].ClusterID != "" && said.ClusterID != clusters[0].ClusterID
	}
	switch {
	case m.Host != "" && !asked && snap.Facts(m.Host) == nil:
		return "host does not answer", ""
	case !m.Started() && (!asked || said.Error != ""):
		return "never started", said.Error
	case !asked:
		return notAsked, ""
	case said.Error != "":
		return "does not answer", said.Error
	case apart:
		return "of another etcd cluster", ""
	case !HasLeader(said):
		return noLeader, ""
	}
	return "", ""
}
