// Package planner compares what is desired with what was observed and makes
// the plan. It is pure: the same cluster, snapshot and bundle always give the
// same plan, so its tests are files.
package planner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/addon"
	"github.com/quorate/quorate/internal/component/containerd"
	"github.com/quorate/quorate/internal/component/controlplane"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/component/etcd"
	"github.com/quorate/quorate/internal/component/kubelet"
	"github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/component/node"
	"github.com/quorate/quorate/internal/component/os"
	"github.com/quorate/quorate/internal/component/pki"
	"github.com/quorate/quorate/internal/component/worker"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

// Apply plans everything that makes the cluster as desired. It returns no
// plan when there is a reason not to go on; the diagnostics name every reason.
func Apply(in component.Input) (*plan.Plan, diag.List, error) {
	out := &component.Output{}
	check(in, out)
	if out.Refusals.HasErrors() {
		return nil, out.Refusals, nil
	}
	os.Plan(in, out)
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
	p, err := plan.New(in.Cluster.Name, "apply", out.Steps)
	return p, out.Refusals, err
}

// The least that a host must have. The figures are kubeadm's for a
// control-plane host (2 CPUs, 1700 MB); a worker may be smaller.
const (
	minControlPlaneCPUs   = 2
	minControlPlaneMemory = 1700 << 20
	maxClockSkew          = 30 * time.Second
)

// check refuses what would fail half-way: all hosts are looked at before
// anything is changed.
func check(in component.Input, out *component.Output) {
	if in.Artefacts != nil && in.Artefacts.Kubernetes != in.Cluster.Kubernetes.Version {
		out.Refuse(fmt.Sprintf("build one with `quorate bundle build --kubernetes %s`", in.Cluster.Kubernetes.Version),
			"the bundle is for Kubernetes %s, but the cluster file asks for %s", in.Artefacts.Kubernetes, in.Cluster.Kubernetes.Version)
	}
	machines := map[string]string{}
	var clocks []time.Duration
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		observed := in.Snapshot.Hosts[h.Name]
		if observed == nil || observed.Facts == nil {
			refuseUnobserved(h.Name, observed, out)
			continue
		}
		checkHost(in, h, out)
		if id := observed.Facts.MachineID + "/" + observed.Facts.BootID; observed.Facts.MachineID != "" {
			if other, ok := machines[id]; ok {
				out.Refuse("give each host of the cluster file the address of a machine of its own",
					"%s and %s are the same machine (machine-id %s)", other, h.Name, observed.Facts.MachineID)
			}
			machines[id] = h.Name
		}
		clocks = append(clocks, observed.Clock)
	}
	for _, what := range in.Snapshot.Unknown() {
		out.Refuse("nothing was changed; run the same command again when the host is less busy, or look at what it says", "%s", what)
	}
	if len(clocks) > 1 {
		if skew := slices.Max(clocks) - slices.Min(clocks); skew > maxClockSkew {
			out.Refuse("synchronise the clocks (chrony or systemd-timesyncd): certificates and leases depend on them",
				"the hosts' clocks are %s apart: %s", skew.Round(time.Second), clockList(in))
		}
	}
}

// refuseUnobserved refuses a host that could not be looked at. Why it lets
// nobody in tells what to do about it; a host that is silent has to come back.
func refuseUnobserved(name string, observed *state.Host, out *component.Output) {
	switch {
	case observed == nil:
		out.Refuse("", "%s was not observed", name)
	case observed.Unreachable:
		out.Refuse("bring the host back, or take it out of the cluster file",
			"%s cannot be reached: %s", name, strings.TrimPrefix(observed.Error, name+": "))
	default:
		out.Refuse("", "%s: %s", name, strings.TrimPrefix(observed.Error, name+": "))
	}
}

func clockList(in component.Input) string {
	text := ""
	for i := range in.Cluster.Hosts {
		name := in.Cluster.Hosts[i].Name
		if h := in.Snapshot.Hosts[name]; h != nil && h.Facts != nil {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %+ds", name, int(h.Clock.Round(time.Second).Seconds()))
		}
	}
	return text
}

func checkHost(in component.Input, h *cluster.Host, out *component.Output) {
	f := in.Snapshot.Facts(h.Name)
	if f.OS.Family() == "" {
		out.Refuse("use Debian, Ubuntu or a distribution of the RHEL family", "%s runs %s, which is not supported", h.Name, f.OS.PrettyName)
	}
	if h.Arch != "" && h.Arch != f.Arch {
		out.Refuse("correct the host's arch in the cluster file", "%s is %s, but the cluster file says %s", h.Name, f.Arch, h.Arch)
	}
	if in.Artefacts != nil && in.Artefacts.Arch != f.Arch {
		out.Refuse(fmt.Sprintf("build one with `quorate bundle build --kubernetes %s --arch %s`", in.Cluster.Kubernetes.Version, f.Arch),
			"%s is %s, but the bundle is for %s", h.Name, f.Arch, in.Artefacts.Arch)
	}
	if h.Has(cluster.RoleControlPlane) {
		if f.CPUs < minControlPlaneCPUs {
			out.Refuse("give the host more CPUs", "%s has %d CPU; a control-plane host needs %d", h.Name, f.CPUs, minControlPlaneCPUs)
		}
		if f.MemoryBytes < minControlPlaneMemory {
			out.Refuse("give the host more memory", "%s has %d MB of memory; a control-plane host needs %d MB", h.Name, f.MemoryBytes>>20, minControlPlaneMemory>>20)
		}
	}
	checkDisks(in.Cluster, h, f, out)
	checkPorts(in, h, out)
}

// checkPorts refuses ports that something else holds on a host that is still
// bare for the part that needs them.
func checkPorts(in component.Input, h *cluster.Host, out *component.Output) {
	f := in.Snapshot.Facts(h.Name)
	var wanted []int
	switch {
	case h.Has(cluster.RoleControlPlane) && !f.Files[component.ManifestsDir+"/kube-apiserver.yaml"].Exists:
		wanted = append(wanted, in.Cluster.Endpoint.Port, 10257, 10259)
	case endpoint.Has(in.Cluster, h) && f.Units["quorate-haproxy.service"].Load != "loaded":
		wanted = append(wanted, in.Cluster.Endpoint.Port)
	}
	// A kubelet that was started and has not joined yet listens on its port; the
	// names of listeners are not always found in time to know it by.
	if h.IsNode() && !f.Files[component.KubeletConf].Exists && f.Units["kubelet.service"].Active != "active" {
		wanted = append(wanted, 10250)
	}
	if slices.Contains(in.Cluster.EtcdHosts(), h) && !f.Files[in.Cluster.Etcd.DataDir+"/member"].Exists && f.Units["etcd.service"].Load != "loaded" {
		wanted = append(wanted, 2379, 2380)
	}
	for _, l := range f.Listening {
		if slices.Contains(wanted, l.Port) && l.Process != "kubelet" {
			by := ""
			if l.Process != "" {
				by = " by " + l.Process
			}
			out.Refuse("stop what uses it, or choose another port", "port %d of %s is in use%s", l.Port, h.Name, by)
		}
	}
}
