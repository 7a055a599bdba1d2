package controlplane

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
)

// etcdTools are the etcd binaries of a control-plane host with stacked etcd:
// the server itself is in the static pod's image.
func etcdTools(r catalog.Release) []catalog.Binary {
	return slices.DeleteFunc(r.Binaries(cluster.RoleEtcd), func(b catalog.Binary) bool { return b.Name == "etcd" })
}

func planEtcdTools(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	component.PlanBinaries(in, h, facts, plan.On("etcd/binaries", h.Name), "install etcd's tools", "", etcdTools(in.Release), out)
}

// planStackedMember plans the etcd static pod of a host. The first members
// start together with the same membership; a later one joins as a learner.
func planStackedMember(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, m etcd.Membership, out *component.Output) {
	id := plan.On(component.StepEtcdMember, h.Name)
	needs := []plan.ID{
		plan.On(component.StepCertificates, h.Name), plan.On(stepKubelet, h.Name), plan.On(component.StepImages, h.Name), plan.On("etcd/binaries", h.Name),
	}
	changes := []plan.Change{{What: manifest("etcd"), Action: "create"}}
	if why, hint := m.Refusal(in.Cluster, h); why != "" {
		out.Refuse(hint, "%s", why)
		return
	}
	if m.Situations[h.Name] == etcd.Joining {
		var via []string
		for _, o := range in.Cluster.EtcdHosts() {
			if m.Situations[o.Name] == etcd.Joining {
				if o.Name < h.Name {
					needs = append(needs, plan.On(component.StepEtcdMember, o.Name))
				}
				continue
			}
			via = append(via, o.Name)
			needs = append(needs, plan.On(component.StepEtcdMember, o.Name))
		}
		join := etcd.Join{
			Host: h.Name, PeerURL: etcd.PeerURL(h), PKI: component.EtcdPKI(in.Cluster), Via: via,
			Start: func(ctx context.Context, rt *component.Runtime, initialCluster string) error {
				joining := s
				joining.EtcdInitialCluster, joining.EtcdInitialState = initialCluster, "existing"
				return hostOf(h, joining).phase(ctx, rt, "etcd", "local")
			},
		}
		out.Add(plan.Step{
			ID: id, Host: h.Name, Title: "join the etcd cluster as a learner, then as a voter", Why: "no voting member",
			Needs: needs, Changes: append(changes, plan.Change{What: "etcd member " + h.Name, Action: "create"}),
		}, join)
		return
	}
	if facts.Files[manifest("etcd")].Exists && facts.Files[etcd.FormedMarker].Exists {
		return
	}
	out.Add(plan.Step{
		ID: id, Host: h.Name, Title: "run the etcd member", Why: "not running", Needs: needs, Changes: changes,
	}, stackedMember{hostOf(h, s)})
}

// stackedMember is the work of running one of the first members.
type stackedMember struct{ host }

// Check implements component.Op.
func (o stackedMember) Check(context.Context, *component.Runtime) (bool, error) { return false, nil }

// Apply implements component.Op.
func (o stackedMember) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	return o.phase(ctx, rt, "etcd", "local")
}

// Verify implements component.Op.
func (o stackedMember) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return etcd.WaitHealthy(ctx, rt, o.name, 5*time.Minute, "kubelet.service", say)
}
