package controlplane

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// The static pods of a control-plane host, as kubeadm calls them.
const (
	podAPIServer         = "kube-apiserver"
	podControllerManager = "kube-controller-manager"
	podScheduler         = "kube-scheduler"
	podEtcd              = "etcd"
)

// ownPods are the control plane's own: those that run wherever etcd does.
func ownPods() []string { return []string{podAPIServer, podControllerManager, podScheduler} }

const (
	patchesDir = component.QuorateDir + "/patches"
	// settingsLabel is on every static pod: it names the settings that the pod was
	// made with. The container runtime tells it of the pods that it runs.
	settingsLabel = "quorate.dev/settings"
)

// staticPod is a static pod to be made.
type staticPod struct {
	name string
	made
}

// made is what a static pod is made of.
type made struct {
	settings string // their digest
	client   string // the digest of the client certificate that it goes by; empty where it goes by none
}

// labels name what the pod is made of.
func (m made) labels() map[string]string {
	out := map[string]string{settingsLabel: component.LabelValue(m.settings)}
	if m.client != "" {
		out[component.ClientLabel] = component.LabelValue(m.client)
	}
	return out
}

// patch is the file that makes kubeadm label the pod.
func (p staticPod) patch() component.File {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": p.labels()}})
	if err != nil {
		panic("controlplane: a patch must marshal: " + err.Error())
	}
	return component.File{Path: patchesDir + "/" + p.name + "+merge.json", Content: append(text, '\n'), Mode: 0o644}
}

// kubeconfig is what the pod goes by; empty where it goes by none.
func (p staticPod) kubeconfig() string { return kubeconfigOf(p.name) }

func kubeconfigOf(pod string) string {
	switch pod {
	case podControllerManager, podScheduler:
		return component.KubernetesDir + "/" + staticPod{name: pod}.phase() + ".conf"
	}
	return ""
}

// phase is the part of kubeadm's control-plane phase that makes the pod.
func (p staticPod) phase() string { return strings.TrimPrefix(p.name, "kube-") }

// planStaticPods plans a host's static pods. New ones start together; those that
// run are restarted only once those of the hosts before are ready again.
func planStaticPods(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, anew []string, before []*cluster.Host, out *component.Output) {
	op := runStaticPods{
		host: hostOf(h, s), address: h.InternalAddress, port: in.Cluster.Kubernetes.APIServerPort,
		ports: s.portsOf(),
	}
	digests := s.digests().pods
	op.record = map[string]made{}
	have := recorded(facts.Files[podRecord].Content)
	var why, missing []string
	var changes []plan.Change
	exist := false
	for _, name := range ownPods() {
		op.record[name] = made{digests[name], have[name].client}
		kubeconfig, action, reason := kubeconfigOf(name), "update", ""
		switch {
		case !facts.Files[manifest(name)].Exists:
			action, missing = "create", append(missing, name)
		case facts.Files[manifest(name)].Size == 0:
			reason = manifest(name) + " is empty"
		case have[name].settings != digests[name]:
			reason = name + " made with other settings"
		case slices.Contains(anew, kubeconfig):
			reason = name + " goes by " + kubeconfig + ", which is made anew"
		case have[name].client != "" && have[name].client != component.ClientIn(facts.Files[kubeconfig]):
			reason = name + " runs with a client certificate that was replaced in " + kubeconfig
		case component.Edited(facts, manifest(name)):
			reason = manifest(name) + " was edited by hand: apply makes it as the cluster file says"
		}
		exist = exist || facts.Files[manifest(name)].Holds()
		switch {
		case reason != "":
			why = append(why, reason)
		case action != "create":
			continue
		}
		op.pods = append(op.pods, staticPod{name, made{settings: digests[name]}})
		changes = append(changes, plan.Change{What: manifest(name), Action: action})
	}
	if !exist && in.Cluster.PortsDiffer() {
		op.endpoint = in.Cluster.Endpoint.Port
	}
	if len(missing) > 0 {
		why = append([]string{strings.Join(missing, ", ") + " missing"}, why...)
	}
	files, fileChanges := component.FileChanges(facts, authenticationFiles(in.Cluster))
	if len(op.pods) == 0 && len(files) == 0 {
		return
	}
	op.files = files
	if len(why) == 0 {
		why = []string{component.WhyOf(fileChanges)} // API servers read it again while they run
	}
	step := plan.Step{
		ID: plan.On(component.StepControlPlane, h.Name), Host: h.Name, Title: "run the API server, controller manager and scheduler",
		Why:   strings.Join(why, "; "),
		Needs: []plan.ID{plan.On(component.StepCertificates, h.Name), plan.On(stepKubelet, h.Name), plan.On(component.StepImages, h.Name)},
	}
	_, settings := component.FileChanges(facts, []component.File{op.config})
	step.Changes = slices.Concat(changes, fileChanges, settings)
	// An API server whose host runs a member waits for that one alone, which
	// is healthy only when there is a quorum. One that runs is not restarted
	// while members are.
	if !exist && slices.Contains(in.Cluster.EtcdHosts(), h) {
		step.Needs = append(step.Needs, plan.On(component.StepEtcdMember, h.Name))
	} else {
		step.Needs = append(step.Needs, component.Each(component.StepEtcdMember, in.Cluster.EtcdHosts())...)
	}
	if exist && len(op.pods) > 0 {
		op.restarts = true
		step.Impact = plan.ImpactRestart
		step.Needs = append(step.Needs, component.Each(component.StepControlPlane, before)...)
		if in.LeavesAPIPort() {
			// One that does not share its port any more cannot have it before the load
			// balancer beside it has ended.
			for _, ends := range []string{component.StepRetire, component.StepLeave} {
				step.Needs = append(step.Needs, component.Each(ends, in.Cluster.ControlPlanes())...)
			}
		}
	}
	out.Add(step, op)
}

// runStaticPods is the work of running the control plane's own static pods.
type runStaticPods struct {
	host
	pods     []staticPod
	files    []component.File // that the pods read, and that differ
	record   map[string]made  // of all of them; the clients of those that are made are read then
	restarts bool             // some may run already, as they were made before
	address  netip.Addr
	port     int
	// endpoint is the port by which kubeadm's phases on the host are about to go, where
	// a proxy there has it that must first find the API server; 0 for none.
	endpoint int
	ports    map[string]int // where the others listen on the host, by their names
}
