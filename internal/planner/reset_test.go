package planner_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/planner"
	"github.com/quorate/quorate/internal/state"
)

// resetInput is a cluster of two control-plane hosts with etcd and a worker,
// built and observed; the test changes what it is about.
func resetInput(t *testing.T) component.Input {
	t.Helper()
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster.Cluster{Name: "test", Etcd: cluster.Etcd{Mode: cluster.EtcdExternal, DataDir: "/var/lib/etcd"}}
	snap := &state.Snapshot{
		Hosts: map[string]*state.Host{}, Etcd: map[string]state.EtcdMember{},
		API: &state.API{Nodes: map[string]state.Node{}},
	}
	var peers []state.EtcdPeer
	for i, name := range []string{"cp-1", "cp-2", "node-1"} {
		roles := []cluster.Role{cluster.RoleControlPlane, cluster.RoleEtcd}
		if name == "node-1" {
			roles = []cluster.Role{cluster.RoleWorker}
		}
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Roles: roles, InternalAddress: address})
		files := map[string]protocol.File{
			"/etc/systemd/system/kubelet.service": {Exists: true, Content: "# Written by quorate\n"},
			component.KubeletConf:                 {Exists: true},
		}
		if name != "node-1" {
			files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
			peers = append(peers, state.EtcdPeer{ID: name, Name: name, PeerURLs: []string{"https://" + address.String() + ":2380"}})
		}
		snap.Hosts[name] = &state.Host{Name: name, Facts: &protocol.Facts{Files: files}}
		snap.API.Nodes[name] = state.Node{Ready: true}
	}
	for _, name := range []string{"cp-1", "cp-2"} {
		snap.Etcd[name] = state.EtcdMember{ID: name, Members: peers}
	}
	return component.Input{Cluster: c, Release: release, Snapshot: snap}
}

// divide makes the two members clusters of their own.
func divide(in component.Input) {
	for i, name := range []string{"cp-1", "cp-2"} {
		m := in.Snapshot.Etcd[name]
		m.ClusterID, m.Leader, m.Revision, m.Members = []string{"2", "1"}[i], name, int64(5+4*i), m.Members[i:i+1]
		in.Snapshot.Etcd[name] = m
	}
}

func TestResetOfAWholeCluster(t *testing.T) {
	p, list, err := planner.Reset(resetInput(t), nil)
	if err != nil || list.HasErrors() {
		t.Fatalf("%v, %v", list, err)
	}
	if diff := cmp.Diff([]string{"cp-1", "cp-2", "node-1"}, p.Hosts()); diff != "" {
		t.Error(diff)
	}
	for _, s := range p.Steps {
		for _, need := range s.Needs {
			if !strings.HasSuffix(string(need), "@"+s.Host) {
				t.Errorf("%s waits for another host: %s", s.ID, need)
			}
		}
	}
}

func TestResetLeavesOutWhatCannotBeReached(t *testing.T) {
	in := resetInput(t)
	in.Snapshot.Hosts["cp-2"] = &state.Host{Name: "cp-2", Error: "cp-2: no route to host"}
	p, list, err := planner.Reset(in, nil)
	if err != nil || list.HasErrors() {
		t.Fatalf("%v, %v", list, err)
	}
	if diff := cmp.Diff([]string{"cp-1", "node-1"}, p.Hosts()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cp-2: no route to host"}, planner.NotReset(in.Snapshot, nil)); diff != "" {
		t.Error(diff)
	}
	if got := planner.NotReset(in.Snapshot, []string{"cp-1"}); got != nil {
		t.Errorf("a host that was not asked for is told of: %v", got)
	}
}

func TestResetOfPartOfACluster(t *testing.T) {
	noAPI := func(in component.Input) { in.Snapshot.API, in.Snapshot.APIError = nil, "connection refused" }
	noEtcd := func(in component.Input) { in.Snapshot.Etcd = map[string]state.EtcdMember{} }
	for _, c := range []struct {
		name   string
		hosts  []string
		change func(component.Input)
		want   string // in the refusal; empty for none
	}{
		{"a member", []string{"cp-1"}, nil, "cp-1 is a member of the etcd cluster with cp-2"},
		{"a node", []string{"node-1"}, nil, "node-1 is a node of the cluster with cp-1, cp-2"},
		{"all of them by name", []string{"cp-1", "cp-2", "node-1"}, nil, ""},
		{"all members, not all nodes", []string{"cp-1", "cp-2"}, nil, "is a node of the cluster with node-1"},
		{"a host that never joined", []string{"node-1"}, func(in component.Input) {
			delete(in.Snapshot.API.Nodes, "node-1")
		}, ""},
		{"data that the one member there is does not know", []string{"cp-2"}, func(in component.Input) {
			delete(in.Snapshot.API.Nodes, "cp-2")
			delete(in.Snapshot.Etcd, "cp-2")
			m := in.Snapshot.Etcd["cp-1"]
			m.Members = m.Members[:1]
			in.Snapshot.Etcd["cp-1"] = m
		}, "the data of cp-2 may be the better copy"},
		{"a member while the API is down", []string{"cp-1"}, noAPI, "cp-1 is a member of the etcd cluster with cp-2"},
		{"a worker while the API is down", []string{"node-1"}, noAPI, "cannot be asked whether it still needs node-1 (connection refused), and its data is on cp-1, cp-2"},
		{"a member while nobody answers", []string{"cp-1"}, func(in component.Input) { noAPI(in); noEtcd(in) }, "its data is on cp-2"},
		{"a member while the other is off", []string{"cp-1"}, func(in component.Input) {
			noAPI(in)
			noEtcd(in)
			in.Snapshot.Hosts["cp-2"] = &state.Host{Name: "cp-2", Error: "off"}
		}, "its data is on cp-2"},
		{"what is left of a cluster", []string{"node-1"}, func(in component.Input) {
			noAPI(in)
			noEtcd(in)
			for _, name := range []string{"cp-1", "cp-2"} {
				in.Snapshot.Hosts[name].Facts.Files = nil
			}
		}, ""},
		{"the member that was restored alone", []string{"cp-1"}, func(in component.Input) { noAPI(in); divide(in) }, "the members belong to 2 etcd clusters: A (cp-2, revision 9), B (cp-1, revision 5)"},
		{"the member that the other one does not list", []string{"cp-2"}, func(in component.Input) { noAPI(in); divide(in) }, "the members belong to 2 etcd clusters"},
		{"all of two etcd clusters", []string{"cp-1", "cp-2", "node-1"}, divide, ""},
		{"a member that runs, has a leader and is not listed", []string{"cp-2"}, func(in component.Input) {
			delete(in.Snapshot.API.Nodes, "cp-2")
			first, second := in.Snapshot.Etcd["cp-1"], in.Snapshot.Etcd["cp-2"]
			first.Members, first.Leader, second.Leader, second.Members = first.Members[:1], "cp-1", "cp-1", nil
			in.Snapshot.Etcd["cp-1"], in.Snapshot.Etcd["cp-2"] = first, second
		}, "the etcd member of cp-2 runs and has a leader"},
		{"data of the greater number while one that was restored alone answers", []string{"cp-2"}, func(in component.Input) {
			in.Cluster.Hosts[2].Roles = []cluster.Role{cluster.RoleEtcd}
			in.Snapshot.Hosts["node-1"].Facts.Files["/var/lib/etcd/member"] = protocol.File{Exists: true, Dir: true}
			delete(in.Snapshot.API.Nodes, "cp-2")
			delete(in.Snapshot.Etcd, "cp-2")
			m := in.Snapshot.Etcd["cp-1"]
			m.Members = m.Members[:1]
			in.Snapshot.Etcd["cp-1"] = m
		}, "cp-2 holds etcd data at /var/lib/etcd, but the cluster does not list it"},
		{"a member that etcd knows at another address", []string{"cp-2"}, func(in component.Input) {
			noAPI(in)
			in.Cluster.Hosts[1].InternalAddress = netip.MustParseAddr("10.0.0.22")
		}, "cp-2 is a member of the etcd cluster with cp-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := resetInput(t)
			if c.change != nil {
				c.change(in)
			}
			p, list, err := planner.Reset(in, c.hosts)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if list.HasErrors() {
					t.Fatalf("refused: %v", list)
				}
				if got := p.Hosts(); !slices.Equal(got, slices.Sorted(slices.Values(c.hosts))) {
					t.Errorf("planned for %v", got)
				}
				return
			}
			if !list.HasErrors() || !strings.Contains(list.Err().Error(), c.want) || p != nil {
				t.Errorf("%v does not say %q", list, c.want)
			}
			for _, d := range list {
				if d.Hint == "" {
					t.Errorf("%q has no hint", d.Summary)
				}
			}
		})
	}
}
