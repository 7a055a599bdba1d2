// Package v1alpha1 is the cluster file, version quorate.dev/v1alpha1: what a
// user writes to say which cluster they want.
//
// The smallest file names its hosts and nothing else; everything that is left
// out has a default:
//
//	apiVersion: quorate.dev/v1alpha1
//	kind: Cluster
//	spec:
//	  hosts:
//	  - {name: cp-1, address: 192.168.0.2, roles: [control-plane]}
//	  - {name: node-1, address: 192.168.0.5, roles: [worker]}
//
// The types hold what the file says, as it says it: package config reads files
// into them, fills in the defaults, checks them, and makes the desired model
// (package cluster) that the rest of the program works with.
//
// The comments of types and fields are what users read: schema.json and
// docs/cluster-file-reference.md are made of them by `make generate`. What
// package config knows (defaults and why, words to choose from, bounds) is not
// written here again. A field without omitempty is required. A comment may end
// in "Default: …", where the default is not one fixed value, and in a line of
// its own, "Example: …", with a value as a file has it.
package v1alpha1

//go:generate go run ../../hack/reference

// APIVersion and Kind are what a cluster file's first lines must say.
const (
	APIVersion = "quorate.dev/v1alpha1"
	Kind       = "Cluster"
)

// Cluster is a whole cluster file.
type Cluster struct {
	// Schema is where an editor finds the JSON schema of the file. Nothing else
	// reads it.
	//
	// Example: quorate.schema.json
	Schema string `yaml:"$schema,omitempty"`
	// APIVersion is the version of the format: quorate.dev/v1alpha1.
	//
	// Example: quorate.dev/v1alpha1
	APIVersion string `yaml:"apiVersion"`
	// Kind is Cluster.
	//
	// Example: Cluster
	Kind string `yaml:"kind"`
	// Metadata names the cluster.
	Metadata Metadata `yaml:"metadata,omitempty"`
	// Spec is the cluster that is wanted.
	Spec Spec `yaml:"spec"`
}

// Metadata names the cluster.
type Metadata struct {
	// Name is the cluster's name: lower-case letters, digits and "-". It names
	// the kubeconfig's context and the folder of journals.
	//
	// Example: prod
	Name string `yaml:"name,omitempty"`
}

// Spec is the cluster that is wanted.
type Spec struct {
	// Kubernetes holds the version and the settings of Kubernetes itself.
	Kubernetes Kubernetes `yaml:"kubernetes,omitempty"`
	// SSH says how to reach the hosts; each host may differ in its own ssh
	// block, field by field.
	SSH SSH `yaml:"ssh,omitempty"`
	// Hosts are the machines. At least one must be a control-plane host.
	Hosts []Host `yaml:"hosts"`
	// Endpoint is the one name under which everybody reaches the API.
	Endpoint Endpoint `yaml:"endpoint,omitempty"`
	// Etcd holds the settings of the etcd cluster.
	Etcd Etcd `yaml:"etcd,omitempty"`
	// Network holds the pod and service networks.
	Network Network `yaml:"network,omitempty"`
	// Registry says how the hosts' containerd reaches image registries.
	Registry Registry `yaml:"registry,omitempty"`
	// Drills says what failures on purpose may cost.
	Drills Drills `yaml:"drills,omitempty"`
}

// Host is one machine.
type Host struct {
	// Name is the host's name in the cluster: lower-case letters, digits, "-"
	// and ".". It becomes the Kubernetes node's name.
	//
	// Example: cp-1
	Name string `yaml:"name"`
	// Address is where SSH reaches the host: an IP address or a name.
	//
	// Example: 192.168.0.2
	Address string `yaml:"address"`
	// InternalAddress is the IPv4 address that the cluster's parts use among
	// themselves. Default: address, when that is an IP address.
	//
	// Example: 10.0.0.2
	InternalAddress string `yaml:"internalAddress,omitempty"`
	// Roles are what the host is for, one or more of
	//   - control-plane: API server, controller manager and scheduler; together
	//     with worker, the node takes workloads too,
	//   - worker: takes workloads,
	//   - etcd: an etcd member, in mode external; when no host has this role, the
	//     control-plane hosts get it,
	//   - load-balancer: for endpoint mode managed.
	//
	// Example: [control-plane, etcd]
	Roles []string `yaml:"roles"`
	// Arch is the processor's architecture, amd64 or arm64, if it is to be
	// checked. Default: whatever the host says it is.
	//
	// Example: amd64
	Arch string `yaml:"arch,omitempty"`
	// Labels are put on the Kubernetes node.
	//
	// Example: {example.com/disk: ssd}
	Labels map[string]string `yaml:"labels,omitempty"`
	// Connection is ssh or local; local is the machine Quorate runs on, which
	// only one host can be.
	//
	// Example: local
	Connection string `yaml:"connection,omitempty"`
	// SSH is what differs from the cluster's ssh block for this host. Default:
	// the cluster's ssh block, field by field.
	//
	// Example: {port: 2222}
	SSH SSH `yaml:"ssh,omitempty"`
}

// Endpoint is the one stable name under which all clients reach the API.
type Endpoint struct {
	// Domain is the endpoint's name; every host resolves it by an entry in its
	// hosts file. With an external balancer that has a name, it is that name
	// unless another is given.
	//
	// Example: api.example.com
	Domain string `yaml:"domain,omitempty"`
	// Port is the endpoint's TCP port, by which clients go. API servers listen on
	// kubernetes.apiServer.port.
	//
	// Example: 6443
	Port int `yaml:"port,omitempty"`
	// LoadBalancer says who spreads the endpoint's connections over the
	// control-plane hosts.
	LoadBalancer LoadBalancer `yaml:"loadBalancer,omitempty"`
	// Listeners are other TCP ports that the load balancers of mode managed
	// carry to hosts: an ingress controller's, a console's.
	Listeners []Listener `yaml:"listeners,omitempty"`
}

// Listener is a TCP port that load balancers carry.
type Listener struct {
	// Name tells listeners apart.
	//
	// Example: https
	Name string `yaml:"name"`
	// Port is the port on the virtual address.
	//
	// Example: 443
	Port int `yaml:"port"`
	// TargetPort is the port of the hosts that it leads to. Default: the port.
	//
	// Example: 30443
	TargetPort int `yaml:"targetPort,omitempty"`
	// Role says which hosts it leads to: all that have it. Default: worker,
	// unless hosts are given.
	//
	// Example: control-plane
	Role string `yaml:"role,omitempty"`
	// Hosts are the names of the hosts that it leads to, instead of a role.
	//
	// Example: [node-1, node-2]
	Hosts []string `yaml:"hosts,omitempty"`
	// ProxyProtocol is how the hosts are told the client's address: none, or
	// version v1 or v2 of HAProxy's protocol, which they must expect then.
	// Default: none.
	//
	// Example: v2
	ProxyProtocol string `yaml:"proxyProtocol,omitempty"`
}

// LoadBalancer says who spreads the endpoint's connections.
type LoadBalancer struct {
	// Mode is one of
	//   - localhost: a proxy on every node that is not a control-plane host;
	//     needs no further servers,
	//   - managed: HAProxy and keepalived on the hosts of role load-balancer,
	//     with a virtual address,
	//   - external: a balancer of your own,
	//   - kube-vip: a virtual address on the control-plane hosts.
	//
	// Example: external
	Mode string `yaml:"mode,omitempty"`
	// Type is the proxy of mode localhost: haproxy or nginx.
	//
	// Example: haproxy
	Type string `yaml:"type,omitempty"`
	// VIP is the virtual IP address of modes managed and kube-vip: free, and in
	// the subnet of the hosts that carry it.
	//
	// Example: 192.168.0.10
	VIP string `yaml:"vip,omitempty"`
	// Address is the balancer of mode external: an IP address or a name. A name
	// is also the endpoint's domain, unless that is given; then DNS must know
	// both.
	//
	// Example: 203.0.113.10
	Address string `yaml:"address,omitempty"`
	// NoHairpin says, in mode external, that the balancer cannot carry the
	// connection of a control-plane host back to that same host, as balancers
	// that keep the client's address cannot. Default: false, and apply proves
	// that it can.
	//
	// Example: true
	NoHairpin bool `yaml:"noHairpin,omitempty"`
	// Interface is the network interface that carries the VIP, on every host
	// that does. Default: the one with an address in the VIP's subnet.
	//
	// Example: eth0
	Interface string `yaml:"interface,omitempty"`
	// Preempt lets the VIP of mode managed go back to the first load-balancer
	// host of the file whenever that is there; each way cuts connections.
	// Default: false, it stays where it is.
	//
	// Example: true
	Preempt bool `yaml:"preempt,omitempty"`
	// VirtualRouterID is VRRP's number of the VIP in mode managed, 1 to 255.
	// Default: one that is made from the VIP.
	//
	// Example: 60
	VirtualRouterID int `yaml:"virtualRouterID,omitempty"`
	// KubeVIP holds what is kube-vip's own, in mode kube-vip.
	KubeVIP KubeVIP `yaml:"kubeVIP,omitempty"`
}

// KubeVIP holds the settings of kube-vip.
type KubeVIP struct {
	// Image is kube-vip's container image. Naming one says that the
	// control-plane hosts can pull it from its registry. Default: version 1.0.3
	// of the bundle, where the bundle has it.
	//
	// Example: registry.example.com/kube-vip/kube-vip:v1.0.3
	Image string `yaml:"image,omitempty"`
	// BGP announces the VIP to routers. Default: it is announced by ARP, in its
	// own subnet.
	BGP BGP `yaml:"bgp,omitempty"`
}

// BGP holds what the control-plane hosts tell routers.
type BGP struct {
	// AS is the number of the autonomous system that the control-plane hosts
	// are in.
	//
	// Example: 65000
	AS int `yaml:"as,omitempty"`
	// Peers are the routers.
	Peers []BGPPeer `yaml:"peers,omitempty"`
}

// BGPPeer is a router that the VIP is announced to.
type BGPPeer struct {
	// Address is its IP address.
	//
	// Example: 192.168.0.1
	Address string `yaml:"address"`
	// AS is the number of its autonomous system.
	//
	// Example: 65001
	AS int `yaml:"as"`
}

// Network holds the pod and service networks.
type Network struct {
	// Plugin is the network plugin: flannel, or none to install your own.
	//
	// Example: flannel
	Plugin string `yaml:"plugin,omitempty"`
	// PodCIDR is the pods' range of IPv4 addresses: with room for every node's
	// part of kubernetes.nodeCIDRMaskSize, and used nowhere else.
	//
	// Example: 10.64.0.0/14
	PodCIDR string `yaml:"podCIDR,omitempty"`
	// ServiceCIDR is the services' range of IPv4 addresses, from a /12 to a /28.
	//
	// Example: 10.96.0.0/16
	ServiceCIDR string `yaml:"serviceCIDR,omitempty"`
	// Flannel holds flannel's own settings.
	Flannel Flannel `yaml:"flannel,omitempty"`
}

// Flannel holds flannel's own settings.
type Flannel struct {
	// Backend is how packets travel between nodes: vxlan, or host-gw when all
	// nodes share one layer-2 network.
	//
	// Example: host-gw
	Backend string `yaml:"backend,omitempty"`
	// DirectRouting sends packets between nodes of the same subnet without
	// encapsulation, with backend vxlan. Default: false.
	//
	// Example: true
	DirectRouting bool `yaml:"directRouting,omitempty"`
}

// Registry says how the hosts' containerd reaches image registries.
type Registry struct {
	// Mirrors are, by registry (such as docker.io), the addresses that are
	// tried before it, such as https://mirror.example.com. One whose path begins
	// with /v2, such as https://harbor.example.com/v2/hub, leads to a registry's
	// API itself: nothing is put behind it.
	//
	// Example: {docker.io: [https://mirror.example.com]}
	Mirrors map[string][]string `yaml:"mirrors,omitempty"`
	// Insecure are registries, such as registry.local:5000, that are reached
	// without TLS, or with a certificate that nobody vouches for.
	//
	// Example: [registry.local:5000]
	Insecure []string `yaml:"insecure,omitempty"`
}
