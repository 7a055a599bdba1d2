package endpoint

import (
	"context"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// planHostPods plans that the pods on a node's own network are made anew after the
// endpoint's name was put back into its hosts file: a pod has a copy of that file
// from when it was started, and one from without the name finds no API server for
// good, though the node is Ready again.
func planHostPods(in component.Input, out *component.Output) {
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil || !component.Joined(facts) || !component.LostWay(facts, cluster.WayOf(in.Cluster, h)) && !facts.Files[component.HostPodsOwed].Exists {
			continue
		}
		op := hostPods{host: h.Name, clients: []hostClient{{component.KubeProxy, "kube-proxy"}}}
		if in.Cluster.Network.Plugin == "flannel" {
			op.clients = append(op.clients, hostClient{component.Flannel, "flanneld"})
		}
		step := plan.Step{
			ID: plan.On(component.StepHostPods, h.Name), Host: h.Name, Title: "replace the pods that have a hosts file without the endpoint's name",
			Why: "it was missing from " + component.HostsFile, Impact: plan.ImpactRestart,
			Needs: []plan.ID{
				plan.On(component.StepSettings, h.Name), plan.On(component.StepMove, h.Name), plan.On(component.StepKubelet, h.Name),
				plan.On(component.StepRegister, h.Name), plan.On(component.StepProxy, h.Name), component.StepKubeProxy, component.StepNetwork,
			},
		}
		for _, c := range op.clients {
			step.Changes = append(step.Changes, plan.Change{What: "pod of " + c.workload, Action: "replace"})
		}
		out.Add(step, op)
	}
}

// hostPods is the work of making a node's own pods anew.
type hostPods struct {
	host    string
	clients []hostClient
}

// Apply implements component.Op. Its kubelet, which looks the name up at each
// connection, must be back: it starts the new ones.
func (o hostPods) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := component.NodeReady(ctx, rt, o.host, say); err != nil {
		return err
	}
	for _, c := range o.clients {
		if err := (&move{host: o.host}).replacePod(ctx, rt, c, say); err != nil {
			return err
		}
	}
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	return h.Remove(ctx, component.HostPodsOwed)
}
