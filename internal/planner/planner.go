// Package planner compares what is desired with what was observed and makes
// the plan. It is pure: the same cluster, snapshot and bundle always give the
// same plan, so its tests are files.
package planner

import (
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/addon"
	"github.com/quorate/quorate/internal/component/containerd"
	"github.com/quorate/quorate/internal/component/controlplane"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/component/etcd"
	"github.com/quorate/quorate/internal/component/kubelet"
	"github.com/quorate/quorate/internal/component/machine"
	"github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/component/node"
	"github.com/quorate/quorate/internal/component/pki"
	"github.com/quorate/quorate/internal/component/worker"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/preflight"
)

// Apply plans everything that makes the cluster as desired. It returns no
// plan when there is a reason not to go on; the diagnostics name every reason.
func Apply(in component.Input) (*plan.Plan, diag.List, error) {
	out := &component.Output{}
	// All hosts are looked at before anything is changed: what would fail
	// half-way is refused.
	out.Refusals = preflight.Refusals(&preflight.Observation{Input: in})
	if out.Refusals.HasErrors() {
		return nil, out.Refusals, nil
	}
	machine.Plan(in, out)
	containerd.Plan(in, out)
	kubelet.Plan(in, out)
	pki.Plan(in, out)
	etcd.Plan(in, out)
	controlplane.Plan(in, out)
	endpoint.Plan(in, out)
	worker.Plan(in, out)
	network.Plan(in, out)
	node.Plan(in, out)
	addon.Plan(in, out)
	if out.Refusals.HasErrors() {
		return nil, out.Refusals, nil
	}
	// What may fail though all that could be known was looked at comes first, and
	// of that what changes nothing.
	component.InFront(out.Steps, append(machine.Unsure(in), component.StepProof)...)
	component.InFront(out.Steps, component.StepProof)
	component.BeforeTheRest(out.Steps, component.StepEtcdAlarm)
	p, err := plan.New(in.Cluster.Name, "apply", out.Steps)
	return p, out.Refusals, err
}
