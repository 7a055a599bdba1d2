package preflight

import (
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

func neighbourChecks() []Check {
	return []Check{
		{Name: "swap", About: "swap is off; apply turns it off where it is on", Applies: isNode, Host: judgeSwap},
		{Name: "container-runtime", Refuses: true, OfNew: true, About: "no other container runtime is installed", Applies: isNode, Host: judgeRuntimes},
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
	if !component.Built(f) {
		note("a containerd that is not Quorate's", "containerd.service")
	}
	return out
}
