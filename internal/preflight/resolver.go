package preflight

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// mostNameservers is how many a pod's resolv.conf takes.
const mostNameservers = 3

func resolverChecks() []Check {
	return []Check{{
		Name: "dns", Refuses: true, OfNew: true, Applies: isNode, Host: judgeResolver,
		About: "pods can use the host's name servers, and the names that the cluster needs resolve",
	}}
}

// Lookups are the names that a node must be able to resolve, with what for.
func Lookups(c *cluster.Cluster, h *cluster.Host) map[string]string {
	out := map[string]string{}
	if !h.IsNode() {
		return out
	}
	if name := c.Endpoint.LoadBalancer.VIPHost; name != "" {
		out[name] = "the balancer in front of the API servers"
	}
	for _, mirrors := range c.Registry.Mirrors {
		for _, mirror := range mirrors {
			if u, err := url.Parse(mirror); err == nil && u.Hostname() != "" {
				if _, err := netip.ParseAddr(u.Hostname()); err != nil {
					out[u.Hostname()] = "a mirror of a registry"
				}
			}
		}
	}
	return out
}

func judgeResolver(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var out []Finding
	loopback := ""
	for _, server := range f.Resolv {
		if a, err := netip.ParseAddr(server); err == nil && a.IsLoopback() {
			loopback = server
		}
	}
	// With systemd-resolved the kubelet is given the file that it keeps of the
	// real name servers, as kubeadm does it.
	keptByResolved := f.Units["systemd-resolved.service"].Running() && f.Files[resolvedFile].Exists
	switch {
	case loopback != "" && !keptByResolved:
		out = append(out, fail("name the real servers in /etc/resolv.conf, or run systemd-resolved",
			"the name server of %s is %s, its own: in a pod that address is the pod, and CoreDNS would ask itself", h.Name, loopback))
	case len(f.Resolv) == 0:
		out = append(out, warn("name servers in /etc/resolv.conf, unless pods need no names from outside the cluster", "%s has no name server", h.Name))
	case len(f.Resolv) > mostNameservers:
		out = append(out, warn("keep the first three", "%s has %d name servers; pods get the first %d", h.Name, len(f.Resolv), mostNameservers))
	}
	needs, resolved := Lookups(o.Cluster, h), ""
	for _, name := range sortedKeys(needs) {
		l, asked := o.probed(h).Names[name]
		switch {
		case !asked:
		case l.Error != "":
			out = append(out, fail("correct the name in the cluster file, or make the host's name servers know it",
				"%s cannot resolve %s, %s: %s", h.Name, name, needs[name], l.Error))
		default:
			resolved += fmt.Sprintf("; %s is %s", name, strings.Join(l.Addresses, ", "))
		}
	}
	if out == nil {
		return fine("%s asks %s%s", h.Name, strings.Join(f.Resolv, ", "), resolved)
	}
	return out
}
