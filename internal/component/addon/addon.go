// Package addon sees to it that a run which brings nodes into the cluster ends
// only when the add-ons run on them: a node without its proxy and its pod
// network is Ready in name only.
package addon

import (
	"context"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// workloads are the add-ons of a cluster, as kind/namespace/name.
func workloads(c *cluster.Cluster) []string {
	list := []string{component.KubeProxy, component.CoreDNS}
	if c.Network.Plugin == "flannel" {
		list = append(list, component.Flannel)
	}
	return list
}

// Plan adds one step when nodes are missing from the cluster.
func Plan(in component.Input, out *component.Output) {
	missing := in.NewNodes()
	if len(missing) == 0 {
		return
	}
	needs := []plan.ID{component.StepClusterInit, component.StepKubeProxy, component.StepCoreDNS, component.StepNetwork}
	needs = append(needs, component.Each(component.StepMark, in.Cluster.ControlPlanes())...)
	needs = append(needs, component.Each(component.StepJoin, in.Cluster.Workers())...)
	needs = append(needs, component.Each(component.StepRegister, in.Cluster.Nodes())...)
	out.Add(plan.Step{
		ID: component.StepSettled, Title: "see the add-ons run on every node", Why: in.WhyNot("new: " + strings.Join(missing, ", ")),
		Needs: needs,
	}, settled{workloads: workloads(in.Cluster)})
	if in.Snapshot.API == nil {
		return
	}
	// The first node got all of them. Where the scheduler leaves them there, it has
	// its reasons: that is told by status, and no difference.
	if node := in.Snapshot.API.Workloads[component.CoreDNS].Together; node != "" {
		out.Add(plan.Step{
			ID: component.StepSpread, Title: "spread coredns over the nodes", Why: "all its pods are on " + node, Needs: []plan.ID{component.StepSettled},
			Changes: []plan.Change{{What: "pod of " + component.CoreDNS, Action: "replace"}},
		}, spread{})
	}
}

// spread is the work of not having all of CoreDNS on one node.
type spread struct{}

// Apply implements component.Op.
func (spread) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	client, err := rt.Kube(ctx)
	if err != nil {
		return err
	}
	return client.SpreadDNS(ctx)
}

// Verify implements component.Verifier.
func (spread) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return component.WorkloadReady(ctx, rt, component.CoreDNS, say)
}

// settled is the work of waiting: there is nothing to apply.
type settled struct{ workloads []string }

// Apply implements component.Op.
func (o settled) Apply(context.Context, *component.Runtime, func(string)) error { return nil }

// Verify implements component.Verifier.
func (o settled) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	for _, name := range o.workloads {
		if err := component.WorkloadReady(ctx, rt, name, say); err != nil {
			return err
		}
	}
	return nil
}
