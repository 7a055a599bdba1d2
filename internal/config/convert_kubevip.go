package config

import (
	"math"
	"regexp"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// imageName is a container image: a registry and its port, a path, a tag or a
// digest.
var imageName = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)+(:[a-zA-Z0-9_][a-zA-Z0-9._-]*)?(@sha256:[0-9a-f]{64})?$`)

// kubeVIP converts what is kube-vip's own.
func (c *converter) kubeVIP(p strict.Path, k *v1alpha1.KubeVIP) cluster.KubeVIP {
	out := cluster.KubeVIP{Image: k.Image}
	if (k.Image != "" || c.Given(p.Key("image"))) && !imageName.MatchString(k.Image) {
		c.Errorf(p.Key("image"), "write it in full, as registry.example.com/kube-vip/kube-vip:v1.0.3",
			"kubeVIP.image %q is no name of a container image", k.Image)
	}
	bgp := p.Key("bgp")
	as := func(p strict.Path, what string, n int) uint32 {
		return uint32(c.number(p, what, n, 1, math.MaxUint32-1))
	}
	if k.BGP.AS != 0 || c.Given(bgp.Key("as")) {
		out.AS = as(bgp.Key("as"), "kubeVIP.bgp.as", k.BGP.AS)
	}
	for i, peer := range k.BGP.Peers {
		at := bgp.Key("peers").Index(i)
		out.Peers = append(out.Peers, cluster.BGPPeer{
			Address: c.unicast(at.Key("address"), "kubeVIP.bgp.peers.address", peer.Address),
			AS:      as(at.Key("as"), "kubeVIP.bgp.peers.as", peer.AS),
		})
	}
	switch {
	case out.AS != 0 && len(out.Peers) == 0:
		c.Errorf(bgp, "add peers, or remove bgp: the address is then announced by ARP", "kubeVIP.bgp names no peers, the routers to announce the address to")
	case out.AS == 0 && len(out.Peers) > 0 && !c.Given(bgp.Key("as")):
		c.Errorf(bgp, "add as: the number of the autonomous system that the control-plane hosts are in", "kubeVIP.bgp has peers and no as")
	}
	return out
}
