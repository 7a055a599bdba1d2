package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
}

// convert makes the desired model of a complete document. The model is good
// only if nothing was reported.
func convert(r *strict.Report, doc *v1alpha1.Cluster, folder string, o Options) *cluster.Cluster {
	c := &converter{Report: r, folder: folder, home: o.Home, o: o}
	s := &doc.Spec
	out := &cluster.Cluster{
		Name:       c.label("metadata.name", "the cluster's name", doc.Metadata.Name),
		Kubernetes: c.kubernetes("spec.kubernetes", &s.Kubernetes),
		Endpoint:   c.endpoint("spec.endpoint", &s.Endpoint),
		Etcd:       c.etcd("spec.etcd", &s.Etcd),
		Network:    c.network("spec.network", &s.Network),
	}
	ssh := c.ssh("spec.ssh", "ssh", &s.SSH, cluster.SSH{})
	if ssh.HostKeyFingerprint != "" && len(s.Hosts) > 1 {
		c.Warnf("spec.ssh.hostKeyFingerprint", "give each host its own, in its ssh block",
			"ssh.hostKeyFingerprint expects the same key of all %d hosts", len(s.Hosts))
	}
	for i := range s.Hosts {
		out.Hosts = append(out.Hosts, c.host(strict.Path("spec.hosts").Index(i), &s.Hosts[i], ssh))
	}
	return out
}

func (c *converter) kubernetes(p strict.Path, k *v1alpha1.Kubernetes) cluster.Kubernetes {
	out := cluster.Kubernetes{
		Version:          c.version(p.Key("version"), k.Version),
		DNSDomain:        c.dnsName(p.Key("dnsDomain"), "dnsDomain", k.DNSDomain),
		MaxPods:          c.number(p.Key("maxPods"), "maxPods", k.MaxPods, 1, 2500),
		NodeCIDRMaskSize: c.number(p.Key("nodeCIDRMaskSize"), "nodeCIDRMaskSize", k.NodeCIDRMaskSize, 8, 30),
		ProxyMode:        c.oneOf(p.Key("proxyMode"), "proxyMode", k.ProxyMode, "nftables", "iptables"),
	}
	for i, san := range k.ExtraSANs {
		name := strings.TrimPrefix(san, "*.") // certificates may hold wildcards
		if isIP(san) || isDNSName(name) {
			out.ExtraSANs = append(out.ExtraSANs, san)
			continue
		}
		c.Errorf(p.Key("extraSANs").Index(i), "", "extraSANs: %s is neither an IP address nor a DNS name%s", quote(san), holds(san, nameCharacter))
	}
	return out
}

// version checks the Kubernetes version and gives it its v.
func (c *converter) version(p strict.Path, version string) string {
	v := "v" + strings.TrimPrefix(version, "v")
	parts := versionPattern.FindStringSubmatch(v)
	supported := ""
	if len(c.o.Supported) > 0 {
		supported = "supported: " + strings.Join(c.o.Supported, ", ")
	}
	switch {
	case version == "":
		c.Errorf(p, supported, "no Kubernetes version is given")
	case parts == nil:
		c.Errorf(p, supported, "the Kubernetes version %s is not of the form v1.36.3", quote(version))
	case len(c.o.Supported) > 0 && !slices.Contains(c.o.Supported, v):
		c.Errorf(p, supported, "Kubernetes %s is not one of the versions that this Quorate installs", v)
	default:
		return v
	}
	return ""
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

func (c *converter) etcd(p strict.Path, e *v1alpha1.Etcd) cluster.Etcd {
	out := cluster.Etcd{
		Mode:              cluster.EtcdMode(c.oneOf(p.Key("mode"), "etcd.mode", e.Mode, string(cluster.EtcdExternal), string(cluster.EtcdStacked))),
		DataDir:           c.dataDir(p.Key("dataDir"), e.DataDir),
		Heartbeat:         e.Heartbeat,
		Election:          e.Election,
		QuotaBackendBytes: e.QuotaBackendBytes,
	}
	c.timings(p, e)
	const smallest, largest = 64 << 20, 64 << 30
	if q := e.QuotaBackendBytes; q < smallest || q > largest {
		c.Errorf(p.Key("quotaBackendBytes"), "etcd's own is 2147483648 (2 GiB), and more than 8589934592 (8 GiB) is seldom wise",
			"etcd.quotaBackendBytes %d is not between %d (64 MiB) and %d (64 GiB)", q, smallest, int64(largest))
	}
	return out
}

func (c *converter) network(p strict.Path, n *v1alpha1.Network) cluster.Network {
	out := cluster.Network{
		Plugin:      c.oneOf(p.Key("plugin"), "network.plugin", n.Plugin, "flannel", "none"),
		PodCIDR:     c.cidr(p.Key("podCIDR"), "network.podCIDR", n.PodCIDR),
		ServiceCIDR: c.cidr(p.Key("serviceCIDR"), "network.serviceCIDR", n.ServiceCIDR),
	}
	backend := p.Key("flannel").Key("backend")
	if n.Flannel.Backend != "" || c.Given(backend) {
		out.Flannel.Backend = c.oneOf(backend, "flannel.backend", n.Flannel.Backend, "vxlan", "host-gw")
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
	case prefix != prefix.Masked():
		c.Errorf(p, fmt.Sprintf("write %s", prefix.Masked()), "%s: %s is an address in a range, not the range itself", what, value)
	default:
		return prefix
	}
	return netip.Prefix{}
}
