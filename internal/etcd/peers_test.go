package etcd

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/state"
)

// says is what a member says: its ID, of which cluster, who leads, and whom it lists.
func says(id, of, leader string, revision int64, peers ...state.EtcdPeer) state.EtcdMember {
	return state.EtcdMember{ID: id, ClusterID: of, Leader: leader, Revision: revision, Members: peers}
}

// all are the voters a, b and c, whose IDs are their names.
func all() []state.EtcdPeer {
	return []state.EtcdPeer{peer("a", ""), peer("b", ""), peer("c", "")}
}

func TestHostOf(t *testing.T) {
	c := trio()
	c.Hosts[2].InternalAddress = netip.MustParseAddr("2001:db8::3")
	for _, tt := range []struct {
		urls []string
		want string
	}{
		{[]string{"https://10.0.0.1:2380"}, "a"},
		{[]string{"http://10.0.0.2:7001"}, "b"}, // as another tool built it
		{[]string{"https://192.0.2.7:2380", "https://10.0.0.2:2380"}, "b"},
		{[]string{"https://[2001:db8:0:0::3]:2380"}, "c"},
		{[]string{"https://10.0.0.11:2380"}, ""}, // begins like that of a
		{[]string{"https://a.example.org:2380"}, ""},
		{[]string{"::"}, ""},
		{nil, ""},
	} {
		got := ""
		if h := HostOf(c, state.EtcdPeer{PeerURLs: tt.urls}); h != nil {
			got = h.Name
		}
		if got != tt.want {
			t.Errorf("%q is on %q, want %q", tt.urls, got, tt.want)
		}
	}
}

// Whose list is believed: of the cluster of most hosts, who has a leader, and
// never who is the first by name.
func TestBelieved(t *testing.T) {
	alone := []state.EtcdPeer{peer("a", "")}
	for _, tt := range []struct {
		name  string
		said  map[string]state.EtcdMember
		hosts []string
		peers int
	}{
		{"the first by name was restored alone", map[string]state.EtcdMember{
			"a": says("a", "2", "a", 9, alone...), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
		}, []string{"b", "c"}, 3},
		{"the first by name was cut off and has no leader", map[string]state.EtcdMember{
			"a": says("a", "1", "0", 5, all()[:2]...), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
		}, []string{"b", "c"}, 3},
		{"one has a leader, two have not heard of it yet", map[string]state.EtcdMember{
			"a": says("a", "1", "", 5, all()...), "b": says("b", "1", "", 5, all()...), "c": says("c", "1", "c", 5, all()...),
		}, []string{"c"}, 3},
		{"one lags behind in the log", map[string]state.EtcdMember{
			"a": {ID: "a", ClusterID: "1", Leader: "b", Applied: 7, Members: alone}, "b": {ID: "b", ClusterID: "1", Leader: "b", Applied: 8, Members: all()},
		}, []string{"a", "b"}, 3},
		{"who does not answer says nothing", map[string]state.EtcdMember{
			"a": {Error: "refused", Members: alone}, "b": {ID: "b"}, "c": says("c", "1", "", 5, all()...),
		}, []string{"c"}, 3},
		{"nobody answers", map[string]state.EtcdMember{"a": {Error: "refused"}}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := Believed(&state.Snapshot{Etcd: tt.said})
			if ok != (tt.hosts != nil) {
				t.Errorf("believed: %v", ok)
			}
			if d := cmp.Diff(tt.hosts, v.Hosts); d != "" || len(v.Peers) != tt.peers {
				t.Errorf("hosts (-want +got):\n%s\n%d peers, want %d", d, len(v.Peers), tt.peers)
			}
		})
	}
}

func TestClusters(t *testing.T) {
	alone := []state.EtcdPeer{peer("a", "")}
	for _, tt := range []struct {
		name string
		said map[string]state.EtcdMember
		want [][]string
	}{
		{"one", map[string]state.EtcdMember{"a": says("a", "1", "b", 5, all()...), "b": says("b", "1", "b", 5, all()...)}, [][]string{{"a", "b"}}},
		{"one, and a member without a leader", map[string]state.EtcdMember{
			"a": says("a", "1", "0", 5, all()...), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
		}, [][]string{{"a", "b", "c"}}},
		{"one, during an election", map[string]state.EtcdMember{
			"a": says("a", "1", "c", 5, all()...), "b": says("b", "1", "b", 5, all()...),
		}, [][]string{{"a", "b"}}},
		{"two", map[string]state.EtcdMember{
			"a": says("a", "2", "a", 9, alone...), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
		}, [][]string{{"b", "c"}, {"a"}}},
		{"two, neither with a leader", map[string]state.EtcdMember{
			"a": says("a", "2", "", 9, all()...), "b": says("b", "1", "", 5, all()...), "c": says("c", "1", "", 5, all()...),
		}, [][]string{{"b", "c"}, {"a"}}},
		// As --force-new-cluster leaves it.
		{"two of one ID, each with a leader", map[string]state.EtcdMember{
			"a": says("a", "1", "a", 9, alone...), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
		}, [][]string{{"b", "c"}, {"a"}}},
		{"an ID that is not known is none of another cluster", map[string]state.EtcdMember{
			"a": says("a", "", "b", 5, all()...), "b": says("b", "1", "b", 5, all()...),
		}, [][]string{{"a", "b"}}},
		{"nobody answers", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got [][]string
			m := Assess(trio(), &state.Snapshot{Etcd: tt.said})
			for _, v := range m.Clusters {
				got = append(got, v.Hosts)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if why, hint := m.Divided(trio()); (why != "") != (len(tt.want) > 1) || (hint != "") != (why != "") {
				t.Errorf("divided: %q, %q", why, hint)
			}
		})
	}
}

// A member is its host's also where etcd knows it at another address, so that
// a healthy voter is never taken for what an earlier life left behind.
func TestMovedMember(t *testing.T) {
	moved := peer("c", "")
	moved.PeerURLs = []string{"https://10.0.0.33:2380"}
	list := []state.EtcdPeer{peer("a", ""), peer("b", ""), moved}
	renamed := moved
	renamed.Name = "etcd3"
	for _, tt := range []struct {
		name string
		data string // on c
		list []state.EtcdPeer
		c    state.EtcdMember
		want Situation
	}{
		{"it runs", "df", list, says("c", "1", "a", 5, list...), Moved},
		{"it runs under another name", "df", []state.EtcdPeer{peer("a", ""), peer("b", ""), renamed}, says("c", "1", "a", 5, list...), Moved},
		{"it does not answer", "df", list, state.EtcdMember{Error: "refused"}, Moved},
		{"a new host under the name of one that is gone", "", list, state.EtcdMember{Error: "refused"}, Joining},
		{"data of another life, under another name", "d", []state.EtcdPeer{peer("a", ""), peer("b", ""), renamed}, state.EtcdMember{Error: "refused"}, Foreign},
		{"there is a member at the address, too", "df", append(list, peer("c", "")), says("c", "1", "a", 5, list...), Running},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Assess(trio(), seen(map[string]string{"a": "df", "b": "df", "c": tt.data}, map[string]state.EtcdMember{
				"a": says("a", "1", "a", 5, tt.list...), "b": says("b", "1", "a", 5, tt.list...), "c": tt.c,
			}))
			if got := m.Situations["c"]; got != tt.want {
				t.Errorf("c is %s, want %s", got, tt.want)
			}
			if p, ok := m.Of("c"); tt.want == Moved && (!ok || !p.Moved || p.Address() != "10.0.0.33") {
				t.Errorf("its member: %+v", p)
			}
		})
	}
}

// A member that runs in a cluster of its own is not a left-over to be wiped.
func TestApart(t *testing.T) {
	said := map[string]state.EtcdMember{
		"a": says("a", "2", "a", 9, peer("a", "")), "b": says("b", "1", "b", 5, all()...), "c": says("c", "1", "b", 5, all()...),
	}
	m := Assess(trio(), seen(map[string]string{"a": "df", "b": "df", "c": "df"}, said))
	if d := cmp.Diff(map[string]Situation{"a": Apart, "b": Running, "c": Running}, m.Situations); d != "" {
		t.Errorf("situations (-want +got):\n%s", d)
	}
	why, _ := m.Divided(trio())
	if want := "the members belong to 2 etcd clusters: A (b, c, revision 5), B (a, revision 9)"; why != want {
		t.Errorf("%q, want %q", why, want)
	}
}
