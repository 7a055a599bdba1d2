// Package cluster is the desired model: what the user asked for, complete
// (every default filled in) and checked. It is pure data with pure questions;
// package config makes it from a file, package planner compares it with what
// was observed.
package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// Role is what a host is for.
type Role string

// The roles a host can have; it may have several.
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
	RoleEtcd         Role = "etcd"
	RoleLoadBalancer Role = "load-balancer"
)

// EtcdMode says who runs etcd.
type EtcdMode string

// The etcd modes.
const (
	EtcdExternal EtcdMode = "external" // systemd units on the etcd hosts
	EtcdStacked  EtcdMode = "stacked"  // static pods that kubeadm makes on the control-plane hosts
)

// BalancerMode says who balances the control-plane endpoint.
type BalancerMode string

// The balancer modes.
const (
	BalancerLocalhost BalancerMode = "localhost"
	BalancerManaged   BalancerMode = "managed"
	BalancerExternal  BalancerMode = "external"
	BalancerKubeVIP   BalancerMode = "kube-vip"
)

// Cluster is a whole cluster as desired.
type Cluster struct {
	Name       string
	Kubernetes Kubernetes
	Hosts      []Host // in the file's order
	Endpoint   Endpoint
	Etcd       Etcd
	Network    Network
	Registry   Registry
	// DrillBudgets are laid over the drills' own, in this order.
	DrillBudgets []DrillBudget
}

// Kubernetes holds the settings of Kubernetes itself.
type Kubernetes struct {
	Version string // with its v: "v1.37.1"
	// APIServerPort is where API servers listen. Clients go by the endpoint's port, which
	// may be another one.
	APIServerPort int
	DNSDomain     string // "cluster.local"
	// MaxPods a node; NodeCIDRMaskSize is the IPv4 pod range's prefix length a node.
	MaxPods          int
	NodeCIDRMaskSize int
	ProxyMode        string // nftables or iptables
	ExtraSANs        []string
	// The flags that the user adds to what Kubernetes' programs are started
	// with, in the file's order.
	APIServerArgs         []Arg
	ControllerManagerArgs []Arg
	SchedulerArgs         []Arg
	KubeletArgs           []Arg
	// FeatureGates are switched on or off in every program.
	FeatureGates map[string]bool
	// KubeletConfiguration and KubeProxyConfiguration are laid over the
	// documents of these kinds that Quorate writes: nil, bool, int64, float64,
	// string, []any and map[string]any, as in JSON.
	KubeletConfiguration   map[string]any
	KubeProxyConfiguration map[string]any
}

// Arg is one flag of a program: --Name=Value.
type Arg struct{ Name, Value string }

// Host is one machine.
type Host struct {
	Name string
	// Address is where SSH reaches it; InternalAddress is what the cluster's
	// parts use among themselves.
	Address         string
	InternalAddress netip.Addr
	Roles           []Role
	Arch            string // "", amd64 or arm64; empty means whatever it is
	Labels          map[string]string
	SSH             SSH
}

// Has reports whether the host has the role.
func (h *Host) Has(r Role) bool { return slices.Contains(h.Roles, r) }

// IsNode reports whether the host is a Kubernetes node (runs a kubelet).
func (h *Host) IsNode() bool { return h.Has(RoleControlPlane) || h.Has(RoleWorker) }

// SSH is how to reach a host. Secrets are references that are resolved only
// when they are used.
type SSH struct {
	Local                bool // connection: local; everything else is then unused
	User                 string
	Port                 int
	PrivateKeyPath       string
	PrivateKeyPassphrase Secret
	Password             Secret
	SudoPassword         Secret
	KnownHostsPath       string // empty: the user's own known_hosts
	HostKeyFingerprint   string // SHA256:…; pins the key when set
	Bastion              *Bastion
	Timeout              time.Duration
}

// Bastion is a host to go through; it may itself have one.
type Bastion struct {
	Address string
	SSH     SSH
}

// String is the bastion's address alone. Without it, fmt's %s would print a
// bastion inside another value field by field, a literal secret included.
func (b *Bastion) String() string { return b.Address }

// Secret is a reference to a secret value. At most one field is set.
type Secret struct {
	Env     string // the environment variable that holds it
	File    string // the file that holds it, trailing newline trimmed
	Prompt  bool   // asked on the terminal
	Age     string // the value itself, encrypted with age; see IsAge
	Literal string // as it stood in the file; never printed
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// String never shows a literal.
func (s Secret) String() string {
	switch {
	case s.Env != "":
		return "env " + s.Env
	case s.File != "":
		return "file " + s.File
	case s.Prompt:
		return "prompt"
	case s.Age != "":
		return "age"
	case s.Literal != "":
		return "(literal, hidden)"
	}
	return ""
}

// GoString keeps %#v from showing a literal.
func (s Secret) GoString() string { return "cluster.Secret{" + s.String() + "}" }

// MarshalText keeps JSON and YAML from showing a literal.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Endpoint is the one stable name under which all clients reach the API.
type Endpoint struct {
	Domain       string
	Port         int
	LoadBalancer LoadBalancer
	// Listeners are the other ports that managed load balancers carry.
	Listeners []Listener
}

// LoadBalancer says who balances the endpoint and how.
type LoadBalancer struct {
	Mode    BalancerMode
	Type    string     // haproxy or nginx, for localhost
	VIP     netip.Addr // for managed and kube-vip; the balancer's address for external
	VIPHost string     // external balancer given by name instead of address

	// NoHairpin, for external: the balancer cannot carry a control-plane host's
	// connection back to that same host, and need not be proved to.
	NoHairpin bool

	// KubeVIP holds what is kube-vip's own.
	KubeVIP KubeVIP

	// The rest is for managed; the interface for kube-vip, too.

	// Interface carries the VIP on every load-balancer host; empty means the
	// one with an address in the VIP's subnet.
	Interface string
	// Preempt lets the VIP return to the first load-balancer host of the file
	// when it is back; else the VIP stays where it is.
	Preempt bool
	// VirtualRouterID is VRRP's, 1 to 255; 0 means one made from the VIP.
	VirtualRouterID int
}

// KubeVIP holds the settings of mode kube-vip.
type KubeVIP struct {
	Image string // empty: the release's own, from the bundle
	// AS and Peers announce the address by BGP; without peers it is by ARP.
	AS    uint32
	Peers []BGPPeer
}

// BGPPeer is a router.
type BGPPeer struct {
	Address netip.Addr
	AS      uint32
}

// Listener is a TCP port that the load balancers carry to hosts.
type Listener struct {
	Name             string
	Port, TargetPort int
	Hosts            []string // names, in the file's order
	// ProxyProtocol is what tells the target the client's address: "", v1 or v2.
	ProxyProtocol string
}

// Etcd holds the settings of etcd.
type Etcd struct {
	Mode    EtcdMode
	DataDir string
	// Heartbeat and Election are etcd's timings, the same on all members.
	Heartbeat time.Duration
	Election  time.Duration
	// QuotaBackendBytes is etcd's storage quota.
	QuotaBackendBytes int64
	// The rest is etcd's own where it is zero or empty.
	SnapshotCount           int64         // writes between two snapshots of the log
	AutoCompactionRetention time.Duration // history older than this is dropped
	MaxRequestBytes         int64
	MaxSnapshots, MaxWALs   int    // files kept
	Metrics                 string // basic or extensive
	LogLevel                string // debug, info, warn, error, panic or fatal
}

// Registry says how containerd reaches image registries.
type Registry struct {
	// Mirrors are, by registry ("docker.io"), the URLs that are tried before it.
	Mirrors map[string][]string
	// Insecure are registries ("host:5000") that are spoken to without verified TLS.
	Insecure []string
}

// Network is the cluster's network.
type Network struct {
	Plugin      string // flannel or none
	PodCIDR     netip.Prefix
	ServiceCIDR netip.Prefix
	Flannel     Flannel
}

// Flannel holds flannel's own settings.
type Flannel struct {
	Backend       string // vxlan or host-gw
	DirectRouting bool   // vxlan only between subnets
}

// With returns the hosts that have the role, in the file's order.
func (c *Cluster) With(r Role) []*Host {
	var hosts []*Host
	for i := range c.Hosts {
		if c.Hosts[i].Has(r) {
			hosts = append(hosts, &c.Hosts[i])
		}
	}
	return hosts
}

// ControlPlanes returns the control-plane hosts in the file's order.
func (c *Cluster) ControlPlanes() []*Host { return c.With(RoleControlPlane) }

// EtcdHosts returns the hosts that run an etcd member: in stacked mode the
// control-plane hosts, whatever roles the file gives.
func (c *Cluster) EtcdHosts() []*Host {
	if c.Etcd.Mode == EtcdStacked {
		return c.ControlPlanes()
	}
	return c.With(RoleEtcd)
}

// MaxBalancers is how many hosts can carry the VIP in managed mode.
const MaxBalancers = 9

// Balancers returns the hosts that carry the VIP in managed mode, the one
// that takes it first in front; in other modes there are none.
func (c *Cluster) Balancers() []*Host {
	if c.Endpoint.LoadBalancer.Mode != BalancerManaged {
		return nil
	}
	return c.With(RoleLoadBalancer)
}

// VIPCarriers returns the hosts that share the VIP: the load balancers in
// managed mode, the control-plane hosts in mode kube-vip, else none.
func (c *Cluster) VIPCarriers() []*Host {
	if c.Endpoint.LoadBalancer.Mode == BalancerKubeVIP {
		return c.ControlPlanes()
	}
	return c.Balancers()
}

// PortsDiffer reports whether the endpoint's port is another one than that on which API
// servers listen: then something must answer it on control-plane hosts, too, where the
// endpoint's name leads to the host itself.
func (c *Cluster) PortsDiffer() bool { return c.Endpoint.Port != c.Kubernetes.APIServerPort }

// HasOwnProxy reports whether a host goes to the API servers through a proxy of its own:
// a worker in localhost mode, and in every mode a control-plane host whose API server does
// not have the endpoint's port, unless it is a load balancer.
func (c *Cluster) HasOwnProxy(h *Host) bool {
	if h.Has(RoleControlPlane) {
		return c.PortsDiffer() && !slices.Contains(c.Balancers(), h)
	}
	return c.Endpoint.LoadBalancer.Mode == BalancerLocalhost && h.IsNode()
}

// BalancerObservers are, in mode external, the nodes that tell what is behind the user's
// balancer: those that reach the API through it or, where there are none, the
// control-plane hosts.
func (c *Cluster) BalancerObservers() []*Host {
	if c.Endpoint.LoadBalancer.Mode != BalancerExternal {
		return nil
	}
	if workers := c.Workers(); len(workers) > 0 {
		return workers
	}
	return c.ControlPlanes()
}

// SharesAPIPort reports whether some host runs both an API server and a managed load
// balancer: where both have the same port, HAProxy has it on the VIP, and the API server
// on all other addresses of the host. API servers let it, whatever the endpoint's port
// is, so that none is restarted when that becomes theirs.
func (c *Cluster) SharesAPIPort() bool {
	return slices.ContainsFunc(c.Balancers(), func(h *Host) bool { return h.Has(RoleControlPlane) })
}

// Nodes returns the hosts that are Kubernetes nodes.
func (c *Cluster) Nodes() []*Host {
	var hosts []*Host
	for i := range c.Hosts {
		if c.Hosts[i].IsNode() {
			hosts = append(hosts, &c.Hosts[i])
		}
	}
	return hosts
}

// Workers returns the nodes that are not control-plane hosts: those that
// reach the API through a balancer.
func (c *Cluster) Workers() []*Host {
	return slices.DeleteFunc(c.Nodes(), func(h *Host) bool { return h.Has(RoleControlPlane) })
}

// Host finds a host by name, or returns nil.
func (c *Cluster) Host(name string) *Host {
	for i := range c.Hosts {
		if c.Hosts[i].Name == name {
			return &c.Hosts[i]
		}
	}
	return nil
}

// ServiceIP is the address of the kubernetes service: the first of the range.
func (c *Cluster) ServiceIP() netip.Addr { return c.Network.ServiceCIDR.Masked().Addr().Next() }

// DNSIP is the cluster DNS service's address: the tenth of the range, as kubeadm has it.
func (c *Cluster) DNSIP() netip.Addr {
	addr := c.Network.ServiceCIDR.Masked().Addr()
	for range 10 {
		addr = addr.Next()
	}
	return addr
}
