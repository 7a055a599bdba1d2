package preflight

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/etcd"
)

// Ports that Kubernetes' programs listen on (kubernetes.io, Ports and Protocols).
const (
	kubeletPort           = 10250
	controllerManagerPort = 10257
	schedulerPort         = 10259
	vxlanPort             = 8472 // the kernel's own, which flannel leaves as it is
)

func portChecks() []Check {
	return []Check{{Name: "ports-free", About: "nothing else listens on the ports that the host's roles need", Refuses: true, Host: judgePorts}}
}

// Unclaimed are the TCP ports of a host's roles whose owners are not installed
// yet: nobody should listen on them.
func Unclaimed(o *Observation, h *cluster.Host) []int {
	f := o.Snapshot.Facts(h.Name)
	var wanted []int
	if h.Has(cluster.RoleControlPlane) && !f.Files[component.ManifestsDir+"/kube-apiserver.yaml"].Exists {
		wanted = append(wanted, o.Cluster.Kubernetes.APIServerPort, controllerManagerPort, schedulerPort)
	}
	if f.Units["quorate-haproxy.service"].Load != "loaded" && f.Units["quorate-nginx.service"].Load != "loaded" {
		wanted = append(wanted, endpoint.Ports(o.Cluster, h)...)
	}
	// A kubelet that was started and has not joined yet listens on its port; the
	// names of listeners are not always found in time to know it by.
	if h.IsNode() && !f.Files[component.KubeletConf].Exists && f.Units["kubelet.service"].Active != "active" {
		wanted = append(wanted, kubeletPort)
	}
	if slices.Contains(o.Cluster.EtcdHosts(), h) && !f.Files[etcd.MemberDir(o.Cluster)].Exists && f.Units["etcd.service"].Load != "loaded" {
		wanted = append(wanted, etcd.ClientPort, etcd.PeerPort)
	}
	return wanted
}

// judgePorts finds ports that something else holds on a host that is still
// bare for the part that needs them.
func judgePorts(o *Observation, h *cluster.Host) []Finding {
	var out []Finding
	wanted := Unclaimed(o, h)
	for _, l := range o.Snapshot.Facts(h.Name).Listening {
		if slices.Contains(wanted, l.Port) && l.Process != "kubelet" && !endpoint.Beside(o.Cluster, h, l) {
			by := ""
			if l.Process != "" {
				by = " by " + l.Process
			}
			out = append(out, fail("stop what uses it, or choose another port", "port %d of %s is in use%s", l.Port, h.Name, by).measured("port", float64(l.Port)))
		}
	}
	return out
}

// Route is a TCP connection that one host must be able to make to another, or
// UDP datagrams that must reach it.
type Route struct {
	From, To *cluster.Host
	Target   Target
	What     string
}

// Routes are the connections that the roles of a cluster's hosts make among
// one another.
func Routes(c *cluster.Cluster) []Route {
	var out []Route
	addTo := func(from, to []*cluster.Host, target Target, what string) {
		for _, t := range to {
			for _, f := range from {
				if target.Host = t.Name; f.Name != t.Name {
					out = append(out, Route{f, t, target, what})
				}
			}
		}
	}
	add := func(from, to []*cluster.Host, port int, what string) { addTo(from, to, Target{Port: port}, what) }
	members, controlPlanes, balancers := c.EtcdHosts(), c.ControlPlanes(), c.With(cluster.RoleLoadBalancer)
	clients := controlPlanes
	for _, m := range members { // a member that joins asks those that run
		if !slices.Contains(clients, m) {
			clients = append(slices.Clip(clients), m)
		}
	}
	add(members, members, etcd.PeerPort, "etcd's peers")
	add(clients, members, etcd.ClientPort, "etcd's clients")
	// Whatever balances the endpoint, the service "kubernetes" leads every node
	// to every API server.
	asks := c.Nodes()
	if c.Endpoint.LoadBalancer.Mode == cluster.BalancerManaged {
		asks = append(slices.Clip(asks), balancers...)
		add(c.Nodes(), balancers, c.Endpoint.Port, "the load balancer")
	}
	add(asks, controlPlanes, c.Kubernetes.APIServerPort, "the API server")
	add(controlPlanes, c.Nodes(), kubeletPort, "the kubelet")
	if c.Network.Plugin == "flannel" && c.Network.Flannel.Backend == "vxlan" {
		addTo(c.Nodes(), c.Nodes(), Target{Port: vxlanPort, UDP: true}, "the pods' network")
	}
	return out
}

// Target is where a route ends.
type Target struct {
	Host string
	Port int
	UDP  bool
}

func (t Target) protocol() string {
	if t.UDP {
		return "UDP"
	}
	return "TCP"
}

func (t Target) String() string {
	if t.UDP {
		return fmt.Sprintf("%s:%d/udp", t.Host, t.Port)
	}
	return fmt.Sprintf("%s:%d", t.Host, t.Port)
}
