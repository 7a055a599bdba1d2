package kubelet

import (
	"context"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// planRegister plans that the node of a host that has joined comes back after it
// was deleted: a kubelet registers when it starts, and never again while it runs.
// The last step that restarts a kubelet is returned.
func planRegister(in component.Input, h *cluster.Host, facts *protocol.Facts, before plan.ID, out *component.Output) plan.ID {
	running := facts.Files[component.KubeletConf].Exists && facts.Files[component.KubeletConfig].Exists && facts.Units[unit].Running()
	unitStep := plan.On(component.StepKubelet, h.Name)
	restarted := slices.ContainsFunc(out.Steps, func(s plan.Step) bool { return s.ID == unitStep && s.Impact == plan.ImpactRestart })
	if in.Snapshot.API == nil || listed(in, h) || !running || restarted {
		return before
	}
	step := plan.Step{
		ID: plan.On(component.StepRegister, h.Name), Host: h.Name, Title: "restart the kubelet, so that it registers its node",
		Why:     "the cluster has no node of this name",
		Changes: []plan.Change{{What: unit, Action: "restart"}, {What: "node " + h.Name, Action: "create"}},
		Needs:   []plan.ID{before, unitStep, component.StepClusterInit},
	}
	if facts.Units[unit].Up(facts.Time) {
		step.Impact = plan.ImpactRestart
	} // else it ends by itself now and then; but one that is active is not started by being told to
	again := func(context.Context, *component.Runtime, func(string)) error { return nil } // no file of it differs
	out.Add(step, restart{Service: component.Service{Host: h.Name, Unit: unit, Prepare: again}, node: true})
	return step.ID
}
