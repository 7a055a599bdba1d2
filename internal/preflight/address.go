package preflight

import (
	"net/netip"
	"regexp"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/state"
)

// kubeadmFlags is what kubeadm gave a node's kubelet when it joined.
const kubeadmFlags = component.KubeletDir + "/kubeadm-flags.env"

var nodeIP = regexp.MustCompile(`--node-ip=([0-9A-Fa-f:.]+)`)

func addressChecks() []Check {
	return []Check{{
		Name: "address", About: "a host that has joined has the address that it joined with", Refuses: true, Vital: true,
		Applies: isNode, Host: func(o *Observation, h *cluster.Host) []Finding {
			if joined, moved := Moved(o.Cluster, o.Snapshot, h); moved {
				return []Finding{fail("put internalAddress: "+joined.String()+" back in the cluster file, and the address on the host if it has lost it; to give a host that has joined another address is not built",
					"%s has joined the cluster with the address %s, and the file gives it %s", h.Name, joined, h.InternalAddress)}
			}
			return nil
		},
	}}
}

// Moved reports whether the file gives a node that has joined another address than
// it joined with, and which that was. Its certificates, its etcd member and its
// kubelet's settings have that one, so that at the file's it seems to be down.
func Moved(c *cluster.Cluster, snap *state.Snapshot, h *cluster.Host) (joined netip.Addr, moved bool) {
	facts := snap.Facts(h.Name)
	if facts == nil || !h.IsNode() || !facts.Files[component.KubeletConf].Exists || !component.Built(facts) {
		return netip.Addr{}, false
	}
	text := ""
	if found := nodeIP.FindStringSubmatch(facts.Files[kubeadmFlags].Content); found != nil {
		text = found[1]
	} else if snap.API != nil {
		text = snap.API.Nodes[h.Name].InternalIP
	}
	joined, err := netip.ParseAddr(text)
	return joined, err == nil && joined.Unmap() != h.InternalAddress.Unmap()
}
