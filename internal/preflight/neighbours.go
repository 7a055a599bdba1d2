package preflight

import (
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
)

func neighbourChecks() []Check {
	return []Check{
		{Name: "swap", About: "swap is off; apply turns it off where it is on", Applies: isNode, Host: judgeSwap},
		{Name: "container-runtime", About: "no other container runtime is installed", Applies: isNode, Host: judgeRuntimes},
		{Name: "existing-cluster", About: "no other Kubernetes, nor etcd data of another cluster, is on the host", Host: judgeExisting},
		{Name: "authorities", About: "the hosts that have a Kubernetes authority have the same", Cluster: judgeAuthorities},
	}
}

func judgeSwap(o *Observation, h *cluster.Host) []Finding {
	if swap := o.Snapshot.Facts(h.Name).Swap; len(swap) > 0 {
		return []Finding{warn("nothing, or turn it off for good yourself (swapoff -a, /etc/fstab, systemd's *.swap units, zram)",
			"%s swaps on %s; apply turns it off, and comments it out in /etc/fstab", h.Name, strings.Join(swap, ", "))}
	}
	return nil
}

// The units of runtimes and of other Kubernetes distributions, with their names.
var (
	runtimeUnits = map[string]string{
		"docker.service": "Docker", "cri-docker.service": "cri-dockerd", "crio.service": "CRI-O", "isulad.service": "iSulad",
	}
	distributionUnits = map[string]string{
		"k3s.service": "K3s", "k3s-agent.service": "K3s", "rke2-server.service": "RKE2", "rke2-agent.service": "RKE2",
		"k0scontroller.service": "k0s", "k0sworker.service": "k0s", "snap.microk8s.daemon-kubelite.service": "MicroK8s",
	}
)

// header begins every unit file that Quorate writes.
const header = "# Written by quorate"

// Unit files by which Quorate's own parts are known.
const (
	kubeletUnitFile    = "/etc/systemd/system/kubelet.service"
	containerdUnitFile = "/etc/systemd/system/containerd.service"
	etcdUnitFile       = "/etc/systemd/system/etcd.service"
)

func ours(f *protocol.Facts, unitFile string) bool {
	return strings.HasPrefix(f.Files[unitFile].Content, header)
}

// judgeRuntimes finds other runtimes. One that runs is an error, since apply
// would take containerd's place and settings under its containers.
func judgeRuntimes(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var out []Finding
	note := func(name, unit string) {
		switch u := f.Units[unit]; {
		case u.Running():
			out = append(out, fail("remove it with its containers, or use a host of its own: two runtimes fight over containerd, iptables and the network's settings",
				"%s runs %s (%s)", h.Name, name, unit))
		case u.Load == "loaded":
			out = append(out, warn("remove it, so that it does not come up at the next boot", "%s has %s installed (%s), which does not run", h.Name, name, unit))
		}
	}
	for _, unit := range sortedKeys(runtimeUnits) {
		note(runtimeUnits[unit], unit)
	}
	if !ours(f, containerdUnitFile) {
		note("a containerd that is not Quorate's", "containerd.service")
	}
	return out
}

// judgeExisting finds what another installer, or an earlier life of the host,
// has left.
func judgeExisting(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var out []Finding
	for _, unit := range sortedKeys(distributionUnits) {
		if f.Units[unit].Load == "loaded" {
			out = append(out, fail("uninstall it by its own means, or use another host", "%s has %s installed (%s)", h.Name, distributionUnits[unit], unit))
		}
	}
	if !ours(f, kubeletUnitFile) {
		var left []string
		for _, path := range []string{component.KubeletConf, component.AdminConf} {
			if f.Files[path].Exists {
				left = append(left, path)
			}
		}
		for _, name := range f.Dirs[component.ManifestsDir] {
			left = append(left, component.ManifestsDir+"/"+name)
		}
		if left != nil {
			out = append(out, fail("take the host out of that cluster (kubeadm reset), or use another host",
				"%s belongs to a Kubernetes cluster that Quorate did not build: it has %s", h.Name, strings.Join(left, ", ")))
		}
	}
	if !slices.Contains(o.Cluster.EtcdHosts(), h) || !f.Files[etcd.MemberDir(o.Cluster)].Exists {
		return out
	}
	if why, hint := etcd.Assess(o.Cluster, o.Snapshot).Refusal(o.Cluster, h); why != "" {
		return append(out, fail(hint, "%s", why))
	}
	known := ours(f, etcdUnitFile)
	if o.Cluster.Etcd.Mode == cluster.EtcdStacked {
		known = ours(f, kubeletUnitFile)
	}
	if !known {
		out = append(out, fail("move the data away if nobody needs it any more, or set another etcd.dataDir",
			"%s has etcd data at %s that is not Quorate's", h.Name, etcd.MemberDir(o.Cluster)))
	}
	return out
}

func judgeAuthorities(o *Observation) []Finding {
	holders := map[string][]string{}
	for _, h := range o.Cluster.ControlPlanes() {
		if f := o.Snapshot.Facts(h.Name); f != nil {
			if ca := f.Files[component.KubernetesPKI+"/ca.crt"]; ca.Exists {
				holders[ca.SHA256] = append(holders[ca.SHA256], h.Name)
			}
		}
	}
	if len(holders) < 2 {
		return nil
	}
	groups := slices.SortedFunc(maps.Values(holders), slices.Compare)
	var parts, hosts []string
	for _, g := range groups {
		parts, hosts = append(parts, strings.Join(g, ", ")), append(hosts, g...)
	}
	return []Finding{fail("some of them were part of another cluster: reset those (`quorate reset --host NAME`)",
		"control-plane hosts have different Kubernetes authorities: %s", strings.Join(parts, " against ")).about(hosts...)}
}
