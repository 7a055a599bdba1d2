package controlplane

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/netip"
	"slices"
	"text/template"

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
	CgroupV1       bool
	ConntrackFixed bool
}

// conntrackMax is read-only for hosts whose network namespace is not the
// kernel's first.
const conntrackMax = "/proc/sys/net/netfilter/nf_conntrack_max"

// clusterSettings are the settings that all hosts share.
func clusterSettings(c *cluster.Cluster, snap *state.Snapshot) settings {
	s := settings{Cluster: c, Port: c.Endpoint.Port, SANs: sans(c)}
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
		s.CgroupV1 = s.CgroupV1 || f.Cgroup != "v2"
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

// render makes the whole file for a host.
func (s settings) render() []byte {
	return component.Render(templates, "kubeadm.yaml.tmpl", s)
}

// digest identifies the settings that all hosts share. Names in certificates
// and the first membership of stacked etcd are left out: they are no reason to
// run anything else than the phase that uses them.
func (s settings) digest() string {
	s.SANs, s.EtcdInitialCluster, s.EtcdInitialState = nil, "", ""
	t := template.Must(template.ParseFS(templates, "kubeadm.yaml.tmpl"))
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "cluster", s); err != nil {
		panic("controlplane: the embedded template does not render: " + err.Error())
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}
