// Package containerd puts the container runtime on every node: containerd,
// runc and the CNI plugins from the bundle, the runtime's settings and unit, how
// it reaches registries, and the images that the node's roles need.
package containerd

import (
	"embed"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed config.toml.tmpl containerd.service hosts.toml.tmpl
var templates embed.FS

const (
	unit       = "containerd.service"
	unitFile   = "/etc/systemd/system/containerd.service"
	configFile = "/etc/containerd/config.toml"
)

// capSysResource is CAP_SYS_RESOURCE's bit (linux/capability.h).
const capSysResource = 24

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, r catalog.Release, h *cluster.Host, q *protocol.FactsRequest) {
	if !h.IsNode() {
		return
	}
	component.AskService(q, unit, unitFile, configFile)
	component.AskBinaries(q, component.RuntimeBinaries(r))
	askRegistries(c, q)
	q.Images = true
	q.CtrPath = component.Ctr
}

// Plan makes the steps for every node.
func Plan(in component.Input, out *component.Output) {
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		install := plan.On("containerd/binaries", h.Name)
		replaced := component.PlanBinaries(in, h, facts, install, "install containerd, runc and CNI plugins", unit, component.RuntimeBinaries(in.Release), out)
		planService(in, h, facts, install, replaced, out)
		planRegistries(in, h, facts, out)
		planImages(in, h, facts, out)
	}
}

func planService(in component.Input, h *cluster.Host, facts *protocol.Facts, install plan.ID, replaced bool, out *component.Output) {
	service := component.Service{Host: h.Name, Unit: unit, Replaced: replaced, Files: files(in.Release, facts)}
	changes, impact := component.ServiceChanges(facts, service)
	if len(changes) == 0 {
		return
	}
	out.Add(plan.Step{
		ID: plan.On(component.StepRuntime, h.Name), Host: h.Name,
		Title: "run containerd", Why: component.WhyOf(changes), Impact: impact, Changes: changes,
		Needs: []plan.ID{install, plan.On(component.StepSettings, h.Name)},
	}, service)
}

// files are the runtime's settings on a host with these facts.
func files(r catalog.Release, facts *protocol.Facts) []component.File {
	return []component.File{
		{Path: configFile, Mode: 0o644, Content: component.Render(templates, "config.toml.tmpl", struct {
			Pause            string
			RestrictOOMScore bool
		}{r.PauseImage(), facts.Capabilities&(1<<capSysResource) == 0})},
		{Path: unitFile, Mode: 0o644, Content: component.Render(templates, "containerd.service", nil)},
	}
}

func planImages(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	missing := component.MissingImages(in, facts, component.ImagesOf(in.Release, in.Cluster, h))
	if len(missing) == 0 {
		return
	}
	step := plan.Step{
		ID: plan.On(component.StepImages, h.Name), Host: h.Name,
		Title: "import images", Why: strings.Join(missing, ", ") + " missing",
		Needs: []plan.ID{plan.On(component.StepRuntime, h.Name)},
	}
	for _, name := range missing {
		step.Changes = append(step.Changes, plan.Change{What: name, Action: "create"})
	}
	out.Add(step, component.Images{Host: h.Name, Names: missing})
}
