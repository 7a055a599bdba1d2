package config

import (
	"fmt"
	"net/netip"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// converter makes the desired model of a document, value by value. A value that
// is wrong is reported and left zero in the model.
type converter struct {
	*strict.Report
	folder string // what relative paths start from, absolute
	home   string // what ~ stands for; empty when it is not known
	o      Options
	// asked, where it is not nil, is told of every choice of words and bounds
	// of numbers that is checked: see Rules.
	asked func(strict.Path, Rule)
	// literals are the secrets that stand in the file.
	literals []literalSecret
}

// convert makes the desired model of a complete document. The model is good
// only if nothing was reported.
func convert(r *strict.Report, doc *v1alpha1.Cluster, folder string, o Options) *cluster.Cluster {
	c := &converter{Report: r, folder: folder, home: o.Home, o: o}
	return c.document(doc)
}

func (c *converter) document(doc *v1alpha1.Cluster) *cluster.Cluster {
	s := &doc.Spec
	out := &cluster.Cluster{
		Name:       c.label("metadata.name", "the cluster's name", doc.Metadata.Name),
		Kubernetes: c.kubernetes("spec.kubernetes", &s.Kubernetes),
		Endpoint:   c.endpoint("spec.endpoint", &s.Endpoint),
		Etcd:       c.etcd("spec.etcd", &s.Etcd),
		Network:    c.network("spec.network", &s.Network),
		Registry:   c.registry("spec.registry", &s.Registry),

		DrillBudgets: c.drillBudgets("spec.drills.budgets", s.Drills.Budgets),
	}
	ssh := c.ssh("spec.ssh", "ssh", &s.SSH, cluster.SSH{})
	if ssh.HostKeyFingerprint != "" && len(s.Hosts) > 1 {
		c.Warnf("spec.ssh.hostKeyFingerprint", "give each host its own, in its ssh block",
			"ssh.hostKeyFingerprint expects the same key of all %d hosts", len(s.Hosts))
	}
	for i := range s.Hosts {
		out.Hosts = append(out.Hosts, c.host(strict.Path("spec.hosts").Index(i), &s.Hosts[i], ssh))
	}
	out.Endpoint.Listeners = c.listeners("spec.endpoint.listeners", s.Endpoint.Listeners, out)
	c.warnOfLiterals()
	return out
}

func (c *converter) endpoint(p strict.Path, e *v1alpha1.Endpoint) cluster.Endpoint {
	out := cluster.Endpoint{
		Domain: c.dnsName(p.Key("domain"), "endpoint.domain", e.Domain),
		Port:   c.port(p.Key("port"), "endpoint.port", e.Port),
	}
	lb, p := &e.LoadBalancer, p.Key("loadBalancer")
	out.LoadBalancer.Mode = cluster.BalancerMode(c.oneOf(p.Key("mode"), "loadBalancer.mode", lb.Mode,
		string(cluster.BalancerLocalhost), string(cluster.BalancerManaged), string(cluster.BalancerExternal), string(cluster.BalancerKubeVIP)))
	if lb.Type != "" || c.Given(p.Key("type")) {
		out.LoadBalancer.Type = c.oneOf(p.Key("type"), "loadBalancer.type", lb.Type, "haproxy", "nginx")
	}
	if lb.VIP != "" || c.Given(p.Key("vip")) {
		out.LoadBalancer.VIP = c.unicast(p.Key("vip"), "loadBalancer.vip", lb.VIP)
	}
	out.LoadBalancer.NoHairpin, out.LoadBalancer.Preempt = lb.NoHairpin, lb.Preempt
	if lb.Interface != "" || c.Given(p.Key("interface")) {
		out.LoadBalancer.Interface = c.networkInterface(p.Key("interface"), "loadBalancer.interface", lb.Interface)
	}
	if lb.VirtualRouterID != 0 || c.Given(p.Key("virtualRouterID")) {
		out.LoadBalancer.VirtualRouterID = c.number(p.Key("virtualRouterID"), "loadBalancer.virtualRouterID", lb.VirtualRouterID, 1, 255)
	}
	out.LoadBalancer.KubeVIP = c.kubeVIP(p.Key("kubeVIP"), &lb.KubeVIP)
	if lb.Address == "" && !c.Given(p.Key("address")) {
		return out
	}
	if out.LoadBalancer.VIP.IsValid() {
		c.Errorf(p, "vip is for modes managed and kube-vip, address for mode external", "both vip and address are given")
		return out
	}
	c.address(p.Key("address"), "loadBalancer.address", lb.Address)
	if isIP(lb.Address) {
		out.LoadBalancer.VIP = c.unicast(p.Key("address"), "loadBalancer.address", lb.Address)
	} else {
		out.LoadBalancer.VIPHost = lb.Address
	}
	return out
}

func (c *converter) network(p strict.Path, n *v1alpha1.Network) cluster.Network {
	out := cluster.Network{
		Plugin:      c.plugin(p.Key("plugin"), n.Plugin),
		PodCIDR:     c.cidr(p.Key("podCIDR"), "network.podCIDR", n.PodCIDR),
		ServiceCIDR: c.cidr(p.Key("serviceCIDR"), "network.serviceCIDR", n.ServiceCIDR),
	}
	backend := p.Key("flannel").Key("backend")
	if n.Flannel.Backend != "" || c.Given(backend) {
		out.Flannel.Backend = c.oneOf(backend, "flannel.backend", n.Flannel.Backend, "vxlan", "host-gw")
	}
	out.Flannel.DirectRouting = n.Flannel.DirectRouting
	if out.Flannel.DirectRouting && out.Flannel.Backend == "host-gw" {
		c.Warnf(p.Key("flannel").Key("directRouting"), "remove it", "flannel.directRouting has no effect with backend host-gw, which never encapsulates")
	}
	if out.Plugin == "none" && c.Given(p.Key("flannel")) {
		c.Warnf(p.Key("flannel"), "", "network.flannel has no effect, the plugin is not flannel")
	}
	return out
}

// cidr parses a network range and refuses one that has bits after its mask.
func (c *converter) cidr(p strict.Path, what, value string) netip.Prefix {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil:
		c.Errorf(p, "", "%s: %s is not a network range such as %s", what, quote(value), defaultPodCIDR)
	case prefix.Addr().Is6():
		c.Errorf(p, "give an IPv4 range", "%s: IPv6 ranges are not supported by this version", what)
	case prefix.Bits() == 0 || prefix.Addr().IsLoopback() || prefix.Addr().IsUnspecified() || prefix.Addr().IsMulticast() || prefix.Addr().IsLinkLocalUnicast():
		c.Errorf(p, "give a private range, such as "+defaultPodCIDR, "%s: %s is not a range that pods and services can have addresses of", what, value)
	case prefix != prefix.Masked():
		c.Errorf(p, fmt.Sprintf("write %s", prefix.Masked()), "%s: %s is an address in a range, not the range itself", what, value)
	default:
		return prefix
	}
	return netip.Prefix{}
}
