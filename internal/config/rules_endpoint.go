package config

import (
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

const (
	balancerPath = strict.Path("spec.endpoint.loadBalancer")
	portPath     = strict.Path("spec.endpoint.port")
	apiPortPath  = strict.Path("spec.kubernetes.apiServer.port")
)

// checkEndpoint checks that the way to the API fits together.
func checkEndpoint(r *strict.Report, c *cluster.Cluster) {
	lb := &c.Endpoint.LoadBalancer
	switch lb.Mode {
	case cluster.BalancerLocalhost:
		checkLocalhostBalancer(r, c)
	case cluster.BalancerManaged:
		checkManagedBalancer(r, c)
	case cluster.BalancerExternal:
		checkExternalBalancer(r, c)
	case cluster.BalancerKubeVIP:
		checkVIP(r, c, "the control-plane hosts")
		if lb.KubeVIP.Image == "" && !r.IsBad(balancerPath.Key("kubeVIP").Key("image")) {
			r.Warnf(balancerPath.Key("mode"), "name one that the control-plane hosts can pull, loadBalancer.kubeVIP.image; or use mode managed, which needs none",
				"no image of kube-vip is named, and Quorate's bundles have none: plan refuses, unless the control-plane hosts have it already")
		}
	}
	if lb.Type != "" && lb.Mode != cluster.BalancerLocalhost && r.Given(balancerPath.Key("type")) {
		r.Warnf(balancerPath.Key("type"), "remove type", "loadBalancer.type has no effect in mode %s", lb.Mode)
	}
	if lb.NoHairpin && lb.Mode != cluster.BalancerExternal {
		r.Warnf(balancerPath.Key("noHairpin"), "remove noHairpin", "loadBalancer.noHairpin has no effect in mode %s", lb.Mode)
	}
	checkManagedOnly(r, c)
	checkListeners(r, c)
	checkPorts(r, c)
}

func checkLocalhostBalancer(r *strict.Report, c *cluster.Cluster) {
	const hint = "for a balancer of your own write mode: external; for a VIP, mode: managed or kube-vip"
	lb := &c.Endpoint.LoadBalancer
	if lb.VIP.IsValid() && r.Given(balancerPath.Key("vip")) {
		r.Errorf(balancerPath.Key("vip"), hint, "mode localhost has no address: every node has its own proxy")
	} else if lb.VIP.IsValid() || lb.VIPHost != "" {
		r.Errorf(balancerPath.Key("address"), hint, "mode localhost has no address: every node has its own proxy")
	}
}

func checkManagedBalancer(r *strict.Report, c *cluster.Cluster) {
	checkVIP(r, c, "the load-balancer hosts")
	switch balancers := c.With(cluster.RoleLoadBalancer); len(balancers) {
	case 0:
		r.Errorf(balancerPath.Key("mode"), "give two hosts the role load-balancer", "mode managed needs hosts of role load-balancer, and there are none")
	case 1:
		r.Warnf(balancerPath.Key("mode"), "give a second host the role load-balancer",
			"with one load-balancer host, %s, the API is lost when that host is", balancers[0].Name)
	}
	if n := len(c.With(cluster.RoleLoadBalancer)); n > cluster.MaxBalancers {
		r.Errorf(balancerPath.Key("mode"), "two or three are enough", "%d hosts have the role load-balancer; at most %d can share an address", n, cluster.MaxBalancers)
	}
	checkSharedPort(r, c)
}

// checkVIP checks the virtual address of modes that have one.
func checkVIP(r *strict.Report, c *cluster.Cluster, carriers string) {
	lb := &c.Endpoint.LoadBalancer
	const hint = "a free address in the subnet of the hosts that carry it"
	switch {
	case r.Given(balancerPath.Key("address")):
		r.Errorf(balancerPath.Key("address"), "write vip instead of address", "mode %s has a vip; address is for mode external", lb.Mode)
	case !lb.VIP.IsValid():
		r.Errorf(balancerPath.Key("vip"), "add vip: "+hint, "mode %s needs a vip, an address that %s share", lb.Mode, carriers)
	case lb.VIP.Is6():
		r.Errorf(balancerPath.Key("vip"), "give an IPv4 address", "loadBalancer.vip %v: clusters on IPv6 are not supported by this version", lb.VIP)
	}
	for i := range c.Hosts {
		if h := &c.Hosts[i]; h.InternalAddress == lb.VIP || h.Address == addrText(lb.VIP) {
			r.Errorf(balancerPath.Key("vip"), hint, "loadBalancer.vip %v is host %s's own address", lb.VIP, h.Name)
		}
	}
}

func checkExternalBalancer(r *strict.Report, c *cluster.Cluster) {
	lb := &c.Endpoint.LoadBalancer
	switch {
	case r.Given(balancerPath.Key("vip")):
		r.Errorf(balancerPath.Key("vip"), "write address instead of vip", "mode external has an address; vip is for modes managed and kube-vip")
	case !lb.VIP.IsValid() && lb.VIPHost == "":
		r.Errorf(balancerPath.Key("address"), "add address: the balancer's IP address or name", "mode external needs the balancer's address")
	case lb.VIP.Is6():
		r.Errorf(balancerPath.Key("address"), "give an IPv4 address, or a name", "loadBalancer.address %v: clusters on IPv6 are not supported by this version", lb.VIP)
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if len(c.ControlPlanes()) > 1 && lb.VIP.IsValid() && h.InternalAddress == lb.VIP {
			r.Warnf(balancerPath.Key("address"), "give the address of a balancer in front of all control-plane hosts",
				"loadBalancer.address %v is host %s itself: the API is lost when that host is", lb.VIP, h.Name)
		}
	}
}

// takenPorts are the TCP ports that other parts of a cluster listen on, with
// the role of the hosts on which they do ("" means every node).
func takenPorts() map[int]struct {
	role cluster.Role
	by   string
} {
	return map[int]struct {
		role cluster.Role
		by   string
	}{
		22:    {"", "sshd"},
		2379:  {cluster.RoleEtcd, "etcd's clients"},
		2380:  {cluster.RoleEtcd, "etcd's peers"},
		10248: {"", "the kubelet's health"},
		10249: {"", "kube-proxy's metrics"},
		10250: {"", "the kubelet"},
		10256: {"", "kube-proxy's health"},
		10257: {cluster.RoleControlPlane, "the controller-manager"},
		10259: {cluster.RoleControlPlane, "the scheduler"},
	}
}

// takenOn tells what else listens on a port of a host; empty for nothing.
func takenOn(h *cluster.Host, port int) string {
	taken, isTaken := takenPorts()[port]
	if isTaken && (h.Has(taken.role) || taken.role == "" && (h.IsNode() || port == defaultSSHPort)) {
		return taken.by
	}
	return ""
}

// checkPorts refuses a port of API servers, or of what balances them, that something else
// on the same host listens on.
func checkPorts(r *strict.Report, c *cluster.Cluster) {
	port, api := c.Endpoint.Port, c.Kubernetes.APIServerPort
	if c.Endpoint.LoadBalancer.Mode == cluster.BalancerKubeVIP && port != 0 && api != 0 && port != api {
		r.Errorf(portPath, "give both the same port; or use mode managed with the role load-balancer on the control-plane hosts, which carries from one port to the other",
			"mode kube-vip: kube-vip moves an address and leaves ports as they are, so endpoint.port %d must be kubernetes.apiServer.port, %d", port, api)
		return
	}
	taken := func(path strict.Path, field string, port int, listens func(*cluster.Host) bool) {
		found := false
		for i := range c.Hosts {
			h := &c.Hosts[i]
			if !listens(h) {
				continue
			}
			found = true
			if by := takenOn(h, port); by != "" {
				r.Errorf(path, "6443 is usual", "%s %d is the port of %s, on host %s", field, port, by, h.Name)
			}
		}
		const firstNodePort, lastNodePort = 30000, 32767
		if found && port >= firstNodePort && port <= lastNodePort {
			r.Warnf(path, "6443 is usual", "%s %d is among the ports that services of type NodePort get (%d to %d)", field, port, firstNodePort, lastNodePort)
		}
	}
	taken(apiPortPath, "kubernetes.apiServer.port", api, func(h *cluster.Host) bool { return h.Has(cluster.RoleControlPlane) })
	taken(portPath, "endpoint.port", port, func(h *cluster.Host) bool {
		return c.HasOwnProxy(h) || slices.Contains(c.Balancers(), h) && (c.PortsDiffer() || !h.Has(cluster.RoleControlPlane))
	})
}
