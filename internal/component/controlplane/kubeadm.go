package controlplane

import (
	"crypto/x509"
	"embed"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/state"
)

//go:embed kubeadm.yaml.tmpl
var templates embed.FS

// settings is what the kubeadm template is given.
type settings struct {
	// Of one host.
	Name, Address string
	Port          int
	AlsoWorker    bool
	// Of stacked etcd on one host.
	EtcdInitialCluster, EtcdInitialState string
	// Of the cluster.
	Cluster        *cluster.Cluster
	EtcdEndpoints  []string
	SANs           []string
	ConntrackFixed bool
	// Snapshot tells what some hosts ask of the shared settings.
	Snapshot *state.Snapshot
}

// conntrackMax is read-only for hosts whose network namespace is not the
// kernel's first.
const conntrackMax = "/proc/sys/net/netfilter/nf_conntrack_max"

// clusterSettings are the settings that all hosts share.
func clusterSettings(c *cluster.Cluster, snap *state.Snapshot) settings {
	s := settings{Cluster: c, Port: c.Kubernetes.APIServerPort, SANs: sans(c), Snapshot: snap}
	if c.Etcd.Mode == cluster.EtcdExternal {
		for _, h := range c.EtcdHosts() {
			s.EtcdEndpoints = append(s.EtcdEndpoints, etcd.URL(h.InternalAddress, etcd.ClientPort))
		}
		slices.Sort(s.EtcdEndpoints)
	}
	for _, h := range c.Nodes() {
		f := snap.Facts(h.Name)
		if f == nil {
			continue
		}
		limit := f.Files[conntrackMax]
		s.ConntrackFixed = s.ConntrackFixed || (limit.Exists && limit.Mode&0o200 == 0)
	}
	return s
}

// forHost adds one host's settings.
func (s settings) forHost(h *cluster.Host) settings {
	s.Name, s.Address, s.AlsoWorker = h.Name, h.InternalAddress.String(), h.Has(cluster.RoleWorker)
	return s
}

// ownEtcd makes the API server of a host that runs an etcd member use that
// member alone. An API server that has several asks them in turn, and hangs
// for seconds on one whose host has lost power; one that has lost its only
// member is not ready, and the balancers leave it within two seconds.
func (s settings) ownEtcd(h *cluster.Host) settings {
	if own := etcd.URL(h.InternalAddress, etcd.ClientPort); slices.Contains(s.EtcdEndpoints, own) {
		s.EtcdEndpoints = []string{own}
	}
	return s
}

// sans are the names that every API server's certificate carries: all
// control-plane hosts' names and addresses, the endpoint's, and the user's.
func sans(c *cluster.Cluster) []string {
	names, addresses := sanParts(c)
	out := slices.Clone(names)
	for _, a := range addresses {
		out = append(out, a.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withNames adds the names that a certificate has, or was to have: somebody may
// still know the API servers under those, as long as the endpoint is given another
// one, and after that. They end with the certificate, when it is made anew because
// it ends.
func withNames(sans, more []string) []string {
	out := slices.Concat(sans, more)
	slices.Sort(out)
	return slices.Compact(out)
}

// namesOf are the names and addresses in a certificate.
func namesOf(certificate *x509.Certificate) []string {
	out := slices.Clone(certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

func sanParts(c *cluster.Cluster) (names []string, addresses []netip.Addr) {
	add := func(s string) {
		if a, err := netip.ParseAddr(s); err == nil {
			addresses = append(addresses, a)
		} else if s != "" {
			names = append(names, s)
		}
	}
	add(c.Endpoint.Domain)
	add("localhost")
	add("127.0.0.1")
	if c.Endpoint.LoadBalancer.VIP.IsValid() {
		add(c.Endpoint.LoadBalancer.VIP.String())
	}
	add(c.Endpoint.LoadBalancer.VIPHost)
	for _, h := range c.ControlPlanes() {
		add(h.Name)
		add(h.Address)
		add(h.InternalAddress.String())
	}
	for _, s := range c.Kubernetes.ExtraSANs {
		add(s)
	}
	return names, addresses
}

// Patches is the folder of the patches that kubeadm applies.
func (s settings) Patches() string { return patchesDir }

// Kubelet is the document of the settings that all kubelets share.
func (s settings) Kubelet() string {
	return string(component.Document(component.KubeletConfiguration(s.Cluster, s.Snapshot)))
}

// KubeProxy is the document of kube-proxy's settings: Quorate's own with the
// user's laid over.
func (s settings) KubeProxy() string {
	own := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": s.Cluster.Kubernetes.ProxyMode, "clusterCIDR": s.Cluster.Network.PodCIDR.String(),
	}
	if s.ConntrackFixed {
		// At least one host may not change the kernel's conntrack limit.
		own["conntrack"] = map[string]any{"maxPerCore": 0}
	}
	if len(s.Cluster.Kubernetes.FeatureGates) > 0 {
		own["featureGates"] = component.FeatureGates(s.Cluster)
	}
	return string(component.Document(component.Overlay(own, s.Cluster.Kubernetes.KubeProxyConfiguration)))
}

// render makes the whole file for a host.
func (s settings) render() []byte {
	return component.Render(templates, "kubeadm.yaml.tmpl", s)
}
