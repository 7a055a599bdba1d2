// Package kubelet installs Kubernetes' own binaries on every node, and the
// kubelet's unit as kubeadm expects it. Until a node has joined, the unit is
// enabled but not started: kubeadm starts it. On nodes that have, it keeps the
// kubelet's flags and settings as the cluster file has them, node by node.
package kubelet

import (
	"embed"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed kubelet.service 10-kubeadm.conf.tmpl
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
	component.AskFiles(q, component.KubeletRecord)
	component.AskKubelet(q)
}

// Plan makes the steps for every node.
func Plan(in component.Input, out *component.Output) {
	var restarts, settings plan.ID // the last steps that restart kubelets: each waits for the one before
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		binaries := plan.On(component.StepBinaries, h.Name)
		replaced := component.PlanBinaries(in, h, facts, binaries, "install Kubernetes' binaries", unit, component.KubernetesBinaries(in.Release, h), out)
		restarts = planUnit(in, h, facts, replaced, restarts, out)
		restarts = planRegister(in, h, facts, restarts, out)
		settings = planSettings(in, h, facts, settings, out)
	}
}

// planUnit plans the unit of a node. A kubelet that runs is restarted after the
// step before; the last step that restarts one is returned.
func planUnit(in component.Input, h *cluster.Host, facts *protocol.Facts, replaced bool, before plan.ID, out *component.Output) plan.ID {
	// One that lacks what it is started with is started by whoever makes that.
	joined := component.CanStart(facts)
	service := component.Service{
		Host: h.Name, Unit: unit, Stopped: !joined, Replaced: replaced,
		Files: []component.File{
			{Path: unitFile, Mode: 0o644, Content: component.Render(templates, "kubelet.service", nil)},
			{Path: dropInFile, Mode: 0o644, Content: component.Render(templates, "10-kubeadm.conf.tmpl", dropIn{flags(in.Cluster.Kubernetes.KubeletArgs), etcdData(in.Cluster, h)})},
		},
	}
	changes, impact := component.ServiceChanges(facts, service)
	if len(changes) == 0 {
		return before
	}
	step := plan.Step{
		ID: plan.On(component.StepKubelet, h.Name), Host: h.Name, Title: "prepare the kubelet's unit",
		Why: component.WhyOf(changes), Impact: impact, Changes: changes, Needs: []plan.ID{plan.On(component.StepBinaries, h.Name)},
	}
	if joined {
		step.Title = "run the kubelet"
	}
	if impact != plan.ImpactRestart {
		out.Add(step, service)
		return before
	}
	step.Needs = append(step.Needs, before)
	op := restart{Service: service, node: listed(in, h)}
	if string(component.KubeletSettings(in.Cluster, in.Snapshot).Content) == facts.Files[component.KubeletRecord].Content {
		op.health = healthOf(in) // else it is not known where it tells its health
	}
	out.Add(step, op)
	return step.ID
}

// dropIn is what the template of the unit's drop-in is given.
type dropIn struct {
	Flags    []string
	EtcdData string // the folder of the member that the kubelet runs, if it does
}

// etcdData is the data folder of a host's stacked member; empty where the host has
// none.
func etcdData(c *cluster.Cluster, h *cluster.Host) string {
	if c.Etcd.Mode == cluster.EtcdStacked && slices.Contains(c.EtcdHosts(), h) {
		return c.Etcd.DataDir
	}
	return ""
}

// listed reports whether the API shows a host's node: only then can it tell how
// the node is. Without an API, a kubelet may be what it takes to have one.
func listed(in component.Input, h *cluster.Host) bool {
	if in.Snapshot.API == nil {
		return false
	}
	_, ok := in.Snapshot.API.Nodes[h.Name]
	return ok
}

// flags are the user's, each as a word of systemd's ExecStart.
func flags(args []cluster.Arg) []string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`)
	var out []string
	for _, a := range args {
		out = append(out, `"--`+a.Name+`=`+escape.Replace(a.Value)+`"`)
	}
	return out
}
