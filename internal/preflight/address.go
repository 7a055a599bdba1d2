package preflight

import (
	"net/netip"
	"regexp"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/state"
)

// kubeadmFlags is what kubeadm gave a node's kubelet when it joined.
const kubeadmFlags = component.KubeletDir + "/kubeadm-flags.env"

var nodeIP = regexp.MustCompile(`--node-ip=([0-9A-Fa-f:.]+)`)

func addressChecks() []Check {
	return []Check{{
		Name: "address", About: "a host that has joined has the address that it joined with", Refuses: true, Vital: true,
		Host: func(o *Observation, h *cluster.Host) []Finding {
			if joined, moved := Moved(o.Cluster, o.Snapshot, etcd.Assess(o.Cluster, o.Snapshot), h); moved {
				why, hint := etcd.AnotherAddress(h, joined)
				return []Finding{fail(hint, "%s", why)}
			}
			return nil
		},
	}}
}

// Moved reports whether the file gives a host that has joined another address than
// it joined with, and which that was. Its certificates, its etcd member and its
// kubelet's settings have that one, so that at the file's it seems to be down. Of
// the member, etcd itself tells; a node says it by its kubelet.
func Moved(c *cluster.Cluster, snap *state.Snapshot, members etcd.Membership, h *cluster.Host) (joined string, moved bool) {
	if members.Situations[h.Name] == etcd.Moved {
		member, _ := members.Of(h.Name)
		return member.Address(), true
	}
	facts := snap.Facts(h.Name)
	if facts == nil || !h.IsNode() || !facts.Files[component.KubeletConf].Exists || !component.Built(facts) {
		return "", false
	}
	text := ""
	if found := nodeIP.FindStringSubmatch(facts.Files[kubeadmFlags].Content); found != nil {
		text = found[1]
	} else if snap.API != nil {
		text = snap.API.Nodes[h.Name].InternalIP
	}
	at, err := netip.ParseAddr(text)
	return at.String(), err == nil && at.Unmap() != h.InternalAddress.Unmap()
}
