package addon

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/state"
)

// CoreDNS is spread by a run that brings nodes, and by no other: where the scheduler
// leaves all of it on one node, no plan would ever be empty.
func TestDNSIsSpreadWhenNodesCome(t *testing.T) {
	for _, tt := range []struct {
		what, together, want string
		nodes                []string
	}{
		{"one becomes three", "cp-1", "kubernetes/settled kubernetes/spread", []string{"cp-1"}},
		{"it is spread", "", "kubernetes/settled", []string{"cp-1", "cp-2"}},
		{"no node is new", "cp-1", "", []string{"cp-1", "cp-2", "cp-3"}},
	} {
		in := component.Input{Cluster: &cluster.Cluster{}, Snapshot: &state.Snapshot{API: &state.API{
			Nodes: map[string]state.Node{}, Workloads: map[string]state.Workload{component.CoreDNS: {Desired: 2, Ready: 2, Together: tt.together}},
		}}}
		for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
			in.Cluster.Hosts = append(in.Cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleControlPlane}})
		}
		for _, name := range tt.nodes {
			in.Snapshot.API.Nodes[name] = state.Node{Ready: true}
		}
		out := &component.Output{}
		Plan(in, out)
		var ids []string
		for _, s := range out.Steps {
			ids = append(ids, string(s.ID))
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%s: steps %q, want %q", tt.what, got, tt.want)
		}
	}
}
