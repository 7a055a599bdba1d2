// Package node gives the nodes the labels that the cluster file names. A label
// that was taken out of the file is taken off the node when another one
// changes there; labels that others set are never touched.
package node

import (
	"context"
	"maps"
	"slices"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// Plan adds a step for every node that lacks one of its labels.
func Plan(in component.Input, out *component.Output) {
	for _, h := range in.Cluster.Nodes() {
		var have map[string]string
		if in.Snapshot.API != nil {
			have = in.Snapshot.API.Nodes[h.Name].Labels
		}
		step := plan.Step{
			ID: plan.On(component.StepLabels, h.Name), Host: h.Name, Title: "label the node", Why: in.WhyNot("labels differ"),
			Needs: []plan.ID{component.StepClusterInit, plan.On(component.StepRegister, h.Name), plan.On(component.StepMark, h.Name), plan.On(component.StepJoin, h.Name)},
		}
		for _, key := range slices.Sorted(maps.Keys(h.Labels)) {
			if value, ok := have[key]; !ok || value != h.Labels[key] {
				step.Changes = append(step.Changes, plan.Change{What: "label " + key + "=" + h.Labels[key], Action: "update"})
			}
		}
		if len(step.Changes) > 0 {
			out.Add(step, label{host: h.Name, labels: h.Labels})
		}
	}
}

// label is the work of labelling a node.
type label struct {
	host   string
	labels map[string]string
}

// Apply implements component.Op.
func (o label) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	client, err := rt.Kube(ctx)
	if err != nil {
		return err
	}
	return client.LabelNode(ctx, o.host, o.labels)
}
