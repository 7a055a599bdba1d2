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
	// maxLabel is how long a label's value may be.
	maxLabel = 63
)

// staticPod is a static pod to be made.
type staticPod struct {
	name   string
	digest string // of its settings
}

// label is what the pod carries as its settings' name.
func (p staticPod) label() string { return p.digest[:min(len(p.digest), maxLabel)] }

// patch is the file that makes kubeadm label the pod.
func (p staticPod) patch() component.File {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{settingsLabel: p.label()}}})
	if err != nil {
		panic("controlplane: a patch must marshal: " + err.Error())
	}
	return component.File{Path: patchesDir + "/" + p.name + "+merge.json", Content: append(text, '\n'), Mode: 0o644}
}

// phase is the part of kubeadm's control-plane phase that makes the pod.
func (p staticPod) phase() string { return strings.TrimPrefix(p.name, "kube-") }

// planStaticPods plans a host's static pods. New ones start together; those that
// run are restarted only once those of the hosts before are ready again.
func planStaticPods(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, before []*cluster.Host, out *component.Output) {
	op := runStaticPods{
		host: hostOf(h, s), address: h.InternalAddress, port: in.Cluster.Kubernetes.APIServerPort,
		ports: map[string]int{
			podControllerManager: securePort(s.ControllerManagerArgs(), 10257), podScheduler: securePort(s.SchedulerArgs(), 10259),
		},
	}
	digests := s.digests().pods
	delete(digests, podEtcd)
	op.record = recordOf(podRecord, digests)
	have := recorded(facts.Files[podRecord].Content)
	var missing, differ []string
	var changes []plan.Change
	exist := false
	for _, name := range ownPods() {
		action := "update"
		switch {
		case !facts.Files[manifest(name)].Exists:
			action = "create"
			missing = append(missing, name)
		case have[name] != digests[name]:
			exist = true
			differ = append(differ, name)
		default:
			exist = true
			continue
		}
		op.pods = append(op.pods, staticPod{name, digests[name]})
		changes = append(changes, plan.Change{What: manifest(name), Action: action})
	}
	if !exist && in.Cluster.PortsDiffer() {
		op.endpoint = in.Cluster.Endpoint.Port
	}
	files, fileChanges := component.FileChanges(facts, authenticationFiles(in.Cluster))
	if len(op.pods) == 0 && len(files) == 0 {
		return
	}
	op.files = files
	why := whyPods(missing, differ)
	if why == "" {
		why = component.WhyOf(fileChanges) // API servers read it again while they run
	}
	step := plan.Step{
		ID: plan.On(component.StepControlPlane, h.Name), Host: h.Name, Title: "run the API server, controller manager and scheduler",
		Why:   why,
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

func whyPods(missing, differ []string) string {
	var why []string
	if len(missing) > 0 {
		why = append(why, strings.Join(missing, ", ")+" missing")
	}
	if len(differ) > 0 {
		why = append(why, strings.Join(differ, ", ")+" made with other settings")
	}
	return strings.Join(why, "; ")
}

// runStaticPods is the work of running the control plane's own static pods.
type runStaticPods struct {
	host
	pods     []staticPod
	files    []component.File // that the pods read, and that differ
	record   component.File   // of all of them
	restarts bool             // some may run already, as they were made before
	address  netip.Addr
	port     int
	// endpoint is the port by which kubeadm's phases on the host are about to go, where
	// a proxy there has it that must first find the API server; 0 for none.
	endpoint int
	ports    map[string]int // where the others listen on the host, by their names
}
