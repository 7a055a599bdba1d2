// Package kubelet installs Kubernetes' own binaries on every node, and the
// kubelet's unit as kubeadm expects it. Until a node has joined, the unit is
// enabled but not started: kubeadm starts it.
package kubelet

import (
	"embed"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed kubelet.service 10-kubeadm.conf
var templates embed.FS

const (
	unit       = "kubelet.service"
	unitFile   = "/etc/systemd/system/kubelet.service"
	dropInFile = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
)

// Query asks for what Plan compares.
func Query(r catalog.Release, h *cluster.Host, q *protocol.FactsRequest) {
	if !h.IsNode() {
		return
	}
	component.AskService(q, unit, unitFile, dropInFile)
	component.AskBinaries(q, component.KubernetesBinaries(r, h))
	q.Files = append(q.Files, protocol.FileQuery{Path: component.KubeletConf})
}

// Plan makes the steps for every node.
func Plan(in component.Input, out *component.Output) {
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		binaries := plan.On(component.StepBinaries, h.Name)
		replaced := component.PlanBinaries(in, h, facts, binaries, "install Kubernetes' binaries", unit, component.KubernetesBinaries(in.Release, h), out)

		joined := facts.Files[component.KubeletConf].Exists
		service := component.Service{
			Host: h.Name, Unit: unit, Stopped: !joined, Replaced: replaced,
			Files: []component.File{
				{Path: unitFile, Mode: 0o644, Content: component.Render(templates, "kubelet.service", nil)},
				{Path: dropInFile, Mode: 0o644, Content: component.Render(templates, "10-kubeadm.conf", nil)},
			},
		}
		changes, impact := component.ServiceChanges(facts, service)
		if len(changes) == 0 {
			continue
		}
		title := "prepare the kubelet's unit"
		if joined {
			title = "run the kubelet"
		}
		out.Add(plan.Step{
			ID: plan.On(component.StepKubelet, h.Name), Host: h.Name, Title: title,
			Why: component.WhyOf(changes), Impact: impact, Changes: changes, Needs: []plan.ID{binaries},
		}, service)
	}
}
