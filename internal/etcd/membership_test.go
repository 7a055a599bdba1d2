package etcd

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// trio is a cluster of three etcd hosts, a, b and c.
func trio() *cluster.Cluster {
	c := &cluster.Cluster{Name: "prod", Etcd: cluster.Etcd{Mode: cluster.EtcdExternal, DataDir: "/var/lib/etcd"}}
	for i, name := range []string{"a", "b", "c"} {
		c.Hosts = append(c.Hosts, cluster.Host{
			Name: name, Roles: []cluster.Role{cluster.RoleEtcd}, InternalAddress: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
		})
	}
	return c
}

// seen makes a snapshot: of each host what is on its disk (d: data, f: was
// part of a healthy cluster), and what member lists say, by the host asked.
func seen(disks map[string]string, said map[string]state.EtcdMember) *state.Snapshot {
	snap := &state.Snapshot{Hosts: map[string]*state.Host{}, Etcd: said}
	for name, has := range disks {
		facts := &protocol.Facts{Files: map[string]protocol.File{}}
		for _, r := range has {
			switch r {
			case 'd':
				facts.Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
			case 'f':
				facts.Files[FormedMarker] = protocol.File{Exists: true}
			}
		}
		snap.Hosts[name] = &state.Host{Name: name, Facts: facts}
	}
	return snap
}

// peer is an entry of a member list: kind is "voter", "never-started" (listed
// since the beginning), "added" (and never started), "learner" or "new-learner".
func peer(name, kind string) state.EtcdPeer {
	address := map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3", "x": "10.0.0.9"}[name]
	p := state.EtcdPeer{ID: name, Name: name, PeerURLs: []string{"https://" + address + ":2380"}, ClientURLs: []string{"https://" + address + ":2379"}}
	switch kind {
	case "never-started":
		p.ClientURLs = nil
	case "added":
		p.Name, p.ClientURLs = "", nil
	case "learner":
		p.Learner = true
	case "new-learner":
		p.Name, p.ClientURLs, p.Learner = "", nil, true
	}
	return p
}

func TestAssess(t *testing.T) {
	said := func(peers ...state.EtcdPeer) map[string]state.EtcdMember {
		return map[string]state.EtcdMember{"a": {ID: "1", Members: peers}, "b": {Error: "connection refused"}}
	}
	const all = "a=https://10.0.0.1:2380,b=https://10.0.0.2:2380,c=https://10.0.0.3:2380"
	for _, tt := range []struct {
		name    string
		disks   map[string]string
		said    map[string]state.EtcdMember
		want    map[string]Situation
		initial string
	}{
		{"bare", map[string]string{"a": "", "b": "", "c": ""}, nil, map[string]Situation{"a": Bootstrap, "b": Bootstrap, "c": Bootstrap}, all},
		{"one has data, nothing was ever healthy", map[string]string{"a": "", "b": "d", "c": ""}, nil,
			map[string]Situation{"a": Bootstrap, "b": Running, "c": Bootstrap}, all},
		{"all have data and none answers", map[string]string{"a": "df", "b": "df", "c": "df"}, nil,
			map[string]Situation{"a": Running, "b": Running, "c": Running}, all},
		{"formed, silent, and one without data", map[string]string{"a": "df", "b": "f", "c": "df"}, nil,
			map[string]Situation{"a": Running, "b": Unknown, "c": Running}, all},
		{"formed elsewhere, silent, and a new host", map[string]string{"a": "df", "b": "df", "c": ""}, nil,
			map[string]Situation{"a": Running, "b": Running, "c": Unknown}, all},
		{"all run", map[string]string{"a": "df", "b": "df", "c": "df"}, said(peer("a", ""), peer("b", ""), peer("c", "")),
			map[string]Situation{"a": Running, "b": Running, "c": Running}, all},
		{"formed, and one never started", map[string]string{"a": "df", "b": "df", "c": ""}, said(peer("a", ""), peer("b", ""), peer("c", "never-started")),
			map[string]Situation{"a": Running, "b": Running, "c": Bootstrap}, all},
		{"data lost", map[string]string{"a": "df", "b": "df", "c": "f"}, said(peer("a", ""), peer("b", ""), peer("c", "")),
			map[string]Situation{"a": Running, "b": Running, "c": Lost}, all},
		{"data lost, the note too", map[string]string{"a": "df", "b": "df", "c": ""}, said(peer("a", ""), peer("b", ""), peer("c", "")),
			map[string]Situation{"a": Running, "b": Running, "c": Lost}, all},
		{"a new host", map[string]string{"a": "df", "b": "df", "c": ""}, said(peer("a", ""), peer("b", "")),
			map[string]Situation{"a": Running, "b": Running, "c": Joining}, all},
		{"a new host with the data of another life", map[string]string{"a": "df", "b": "df", "c": "d"}, said(peer("a", ""), peer("b", "")),
			map[string]Situation{"a": Running, "b": Running, "c": Foreign}, all},
		{"added as a learner, never started", map[string]string{"a": "df", "b": "df", "c": ""}, said(peer("a", ""), peer("b", ""), peer("c", "new-learner")),
			map[string]Situation{"a": Running, "b": Running, "c": Joining}, all},
		{"added as a voter by hand, never started", map[string]string{"a": "df", "b": "df", "c": ""}, said(peer("a", ""), peer("b", ""), peer("c", "added")),
			map[string]Situation{"a": Running, "b": Running, "c": Joining}, all},
		{"a learner that runs", map[string]string{"a": "df", "b": "df", "c": "d"}, said(peer("a", ""), peer("b", ""), peer("c", "learner")),
			map[string]Situation{"a": Running, "b": Running, "c": Joining}, all},
		{"one becomes three", map[string]string{"a": "df", "b": "", "c": ""}, said(peer("a", "")),
			map[string]Situation{"a": Running, "b": Joining, "c": Joining}, all},
		{"a mixture", map[string]string{"a": "df", "b": "", "c": "d"}, said(peer("a", ""), peer("b", "never-started"), peer("x", "")),
			map[string]Situation{"a": Running, "b": Bootstrap, "c": Foreign}, all},
		{"healthy, and the tool was killed before it noted so", map[string]string{"a": "d", "b": "d", "c": ""}, said(peer("a", ""), peer("b", ""), peer("c", "never-started")),
			map[string]Situation{"a": Running, "b": Running, "c": Bootstrap}, all},
		{"a host that was not observed", map[string]string{"a": "df", "c": "df"}, said(peer("a", ""), peer("b", ""), peer("c", "")),
			map[string]Situation{"a": Running, "b": Lost, "c": Running}, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Assess(trio(), seen(tt.disks, tt.said))
			if d := cmp.Diff(tt.want, m.Situations); d != "" {
				t.Errorf("situations (-want +got):\n%s", d)
			}
			if m.Initial != tt.initial {
				t.Errorf("first membership %s, want %s", m.Initial, tt.initial)
			}
			if (m.Members == nil) != (tt.said == nil) {
				t.Errorf("members %v", m.Members)
			}
		})
	}
}

// What a cluster has formed with counts, not what the file says now.
func TestInitialIsWhatMembersFormedWith(t *testing.T) {
	said := map[string]state.EtcdMember{"a": {Members: []state.EtcdPeer{peer("x", ""), peer("a", "")}}}
	if got := Assess(trio(), seen(map[string]string{"a": "d", "b": "", "c": ""}, said)).Initial; got != "a=https://10.0.0.1:2380,x=https://10.0.0.9:2380" {
		t.Errorf("first membership %s", got)
	}
}

func TestSilenceNamesEveryReason(t *testing.T) {
	m := Assess(trio(), seen(nil, map[string]state.EtcdMember{"a": {Error: "connection refused"}, "c": {Error: "no leader"}}))
	if want := "a: connection refused; c: no leader"; m.Silence != want || m.Members != nil {
		t.Errorf("silence %q, want %q; members %v", m.Silence, want, m.Members)
	}
}

// A member that does not answer says nothing about the membership.
func TestMembersThatDoNotAnswerAreNotBelieved(t *testing.T) {
	said := map[string]state.EtcdMember{"a": {Error: "x", Members: []state.EtcdPeer{peer("x", "")}}, "b": {}, "c": {Members: []state.EtcdPeer{peer("c", "")}}}
	if m := Assess(trio(), seen(nil, said)); len(m.Members) != 1 || m.Members[0].Name != "c" {
		t.Errorf("members: %v, want what c says", m.Members)
	}
}

// What answers may be the lesser copy: whoever is as many, seen or not, is not told to be
// wiped.
func TestLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name   string
		listed []state.EtcdPeer // as a tells
		disks  map[string]string
		want   []string
	}{
		{"two of three are left out", all()[:1], map[string]string{"a": "df", "b": "df", "c": "df"}, []string{"b", "c"}},
		{"one is, and the third is off", all()[:1], map[string]string{"a": "df", "b": "df"}, []string{"b"}},
		{"one of two is", all()[:1], map[string]string{"a": "df", "b": "df", "c": ""}, []string{"b"}},
		{"one is, and two are members", all()[:2], map[string]string{"a": "df", "b": "df", "c": "df"}, nil},
		{"the third is off, and two are members", all()[:2], map[string]string{"a": "df", "b": "df"}, nil},
	} {
		m := Assess(trio(), seen(tt.disks, map[string]state.EtcdMember{"a": says("a", "1", "a", 5, tt.listed...)}))
		if got := m.LeftOut(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
