package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// checkRules checks the model as a whole: what is right value by value may
// still not work together. Rules about parts that already have errors are left
// out, they would only add noise.
func checkRules(r *strict.Report, c *cluster.Cluster) {
	hosts := strict.Path("spec.hosts")
	if len(c.Hosts) == 0 && !r.IsBad(hosts) {
		r.Errorf(hosts, "add spec.hosts: a list of {name: …, address: …, roles: […]}", "the file lists no hosts")
		return
	}
	checkUnique(r, c)
	checkLocal(r, c)
	checkExamples(r, c)
	if !r.AnyBadIn(hosts) {
		checkRoles(r, c)
		checkEtcd(r, c)
		checkEndpoint(r, c)
	}
	checkDomain(r, c)
	checkNetwork(r, c)
	checkAnonymous(r, c)
	if len(c.With(cluster.RoleWorker)) == 0 && !r.AnyBadIn("spec") {
		r.Warnf(hosts, "give a host the role worker, which control-plane hosts can have too", "no host takes workloads: pods of yours would stay pending")
	}
}

// checkAnonymous checks that a cluster without anonymous access can be told so
// by a file: that and OIDC's flags exclude each other.
func checkAnonymous(r *strict.Report, c *cluster.Cluster) {
	args := c.Kubernetes.APIServerArgs
	off := slices.Index(args, cluster.Arg{Name: "anonymous-auth", Value: "false"})
	oidc := slices.ContainsFunc(args, func(a cluster.Arg) bool { return strings.HasPrefix(a.Name, "oidc-") })
	if off >= 0 && oidc {
		r.Errorf(strict.Path("spec.kubernetes.apiServer.extraArgs").Index(off), "remove it, or OIDC's flags",
			"without anonymous access, the API servers get an authentication configuration that leaves health checks open, and Kubernetes takes none beside the flags oidc-*")
	}
}

// hostPath is where a host of the model stands in the document.
func hostPath(i int) strict.Path { return strict.Path("spec.hosts").Index(i) }

// checkUnique refuses hosts that share a name or an address: they would be one
// machine taken for two.
func checkUnique(r *strict.Report, c *cluster.Cluster) {
	names, addresses, internal := map[string]string{}, map[string]string{}, map[string]string{}
	for i := range c.Hosts {
		h, p := &c.Hosts[i], hostPath(i)
		if h.Name != "" {
			if _, taken := names[h.Name]; taken {
				r.Errorf(p.Key("name"), "every host needs a name of its own", "two hosts have the name %s", h.Name)
			}
			names[h.Name] = h.Name
		}
		at, what := p.Key("internalAddress"), "internalAddress"
		if !r.Given(at) {
			at, what = p.Key("address"), "address" // that is where it came from
		}
		sameValue(r, internal, at, h, what, addrText(h.InternalAddress), "every host needs one of its own")
		if h.SSH.Bastion != nil || h.SSH.Local {
			continue // behind bastions of different sites, addresses may repeat
		}
		// Hosts behind one address with port forwarding differ in their port.
		sameValue(r, addresses, p.Key("address"), h, "address", netAddress(h), "every host needs one of its own")
	}
}

// sameValue refuses a value that must be each host's own and was seen before;
// seen maps values to the names of the hosts that have them.
func sameValue(r *strict.Report, seen map[string]string, p strict.Path, h *cluster.Host, what, value, hint string) {
	if value == "" {
		return
	}
	if other, ok := seen[value]; ok {
		r.Errorf(p, hint, "host %s has the same %s as host %s: %s", h.Name, what, other, value)
		return
	}
	seen[value] = h.Name
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// netAddress is a host's address with its SSH port, where that is not 22.
func netAddress(h *cluster.Host) string {
	address := strings.ToLower(h.Address)
	if a, err := netip.ParseAddr(address); err == nil {
		address = a.Unmap().String()
	}
	if address == "" || h.SSH.Port == 0 || h.SSH.Port == defaultSSHPort {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(h.SSH.Port))
}

// checkLocal refuses two hosts that are both the machine Quorate runs on.
func checkLocal(r *strict.Report, c *cluster.Cluster) {
	first := ""
	for i := range c.Hosts {
		switch h := &c.Hosts[i]; {
		case !h.SSH.Local:
		case first != "":
			r.Errorf(hostPath(i).Key("connection"), "only one host can be the machine that Quorate runs on",
				"hosts %s and %s both have connection: local", first, h.Name)
		default:
			first = h.Name
		}
	}
}

// checkExamples warns of addresses that a starter file has and no server: what
// reaches hosts will refuse them.
func checkExamples(r *strict.Report, c *cluster.Cluster) {
	if examples := c.ExampleAddresses(); len(examples) > 0 {
		r.Warnf("spec.hosts", "put your servers' addresses in their place",
			"%d of the addresses are examples (%s …) that no server has", len(examples), examples[0])
	}
}

// checkRoles checks that the roles add up to a cluster.
func checkRoles(r *strict.Report, c *cluster.Cluster) {
	if len(c.ControlPlanes()) == 0 {
		r.Errorf("spec.hosts", "give one host, or better three, the role control-plane", "no host has the role control-plane")
	}
	for i := range c.Hosts {
		h, p := &c.Hosts[i], hostPath(i)
		// A mode that is none has an error of its own, and is empty here.
		if mode := c.Endpoint.LoadBalancer.Mode; h.Has(cluster.RoleLoadBalancer) && mode != cluster.BalancerManaged && mode != "" {
			r.Warnf(p.Key("roles"), "write loadBalancer: {mode: managed, vip: …}, or remove the role",
				"host %s has the role load-balancer, which does nothing in mode %s", h.Name, mode)
		}
		if len(h.Labels) > 0 && !h.IsNode() {
			r.Warnf(p.Key("labels"), "", "host %s has labels but is not a Kubernetes node", h.Name)
		}
	}
}

// checkNetwork checks the ranges against each other, the hosts and the nodes.
func checkNetwork(r *strict.Report, c *cluster.Cluster) {
	pods, services := c.Network.PodCIDR, c.Network.ServiceCIDR
	const at = strict.Path("spec.network")
	if pods.IsValid() && services.IsValid() && pods.Overlaps(services) {
		r.Errorf(at.Key("serviceCIDR"), "", "network.podCIDR %v and network.serviceCIDR %v overlap", pods, services)
	}
	warnOfPublic(r, at.Key("podCIDR"), "network.podCIDR", pods)
	warnOfPublic(r, at.Key("serviceCIDR"), "network.serviceCIDR", services)
	if pods.IsValid() {
		checkHostsOutside(r, c, at.Key("podCIDR"), "network.podCIDR", pods)
		checkPodRange(r, c)
	}
	if services.IsValid() {
		checkHostsOutside(r, c, at.Key("serviceCIDR"), "network.serviceCIDR", services)
		const largest, smallest = 12, 28 // the API server's limit; ten addresses for the cluster DNS
		if bits := services.Bits(); bits < largest || bits > smallest {
			r.Errorf(at.Key("serviceCIDR"), "", "network.serviceCIDR %v must be from a /%d to a /%d", services, largest, smallest)
		}
	}
}

// warnOfPublic warns of a range that is somebody's on the internet: pods would not
// reach whoever has those addresses there.
func warnOfPublic(r *strict.Report, p strict.Path, what string, of netip.Prefix) {
	if !of.IsValid() {
		return
	}
	for _, private := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "240.0.0.0/4"} {
		if around := netip.MustParsePrefix(private); around.Contains(of.Addr()) && around.Bits() <= of.Bits() {
			return
		}
	}
	r.Warnf(p, "choose a private range, such as "+defaultPodCIDR, "%s %v has public addresses: those who have them on the internet are out of reach for pods", what, of)
}

// checkHostsOutside refuses a range that holds the address of a host or the
// VIP: packets to it would stay inside the node.
func checkHostsOutside(r *strict.Report, c *cluster.Cluster, p strict.Path, what string, of netip.Prefix) {
	const hint = "choose a range that is used nowhere else"
	// Where the range is the default one, the address is what the file says.
	at := func(address strict.Path) strict.Path {
		if r.Given(p) || !r.Given(address) {
			return p
		}
		return address
	}
	if vip := c.Endpoint.LoadBalancer.VIP; vip.IsValid() && of.Contains(vip) {
		given := balancerPath.Key("vip")
		if !r.Given(given) {
			given = balancerPath.Key("address")
		}
		r.Errorf(at(given), hint, "%s %v holds the load balancer's address %v", what, of, vip)
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		address, err := netip.ParseAddr(h.Address)
		switch {
		case h.InternalAddress.IsValid() && of.Contains(h.InternalAddress):
			given := hostPath(i).Key("internalAddress")
			if !r.Given(given) {
				given = hostPath(i).Key("address")
			}
			r.Errorf(at(given), hint, "%s %v holds host %s's address %v", what, of, h.Name, h.InternalAddress)
		case err == nil && of.Contains(address.Unmap()):
			r.Errorf(at(hostPath(i).Key("address")), hint, "%s %v holds host %s's address %v", what, of, h.Name, address)
		}
	}
}

// checkPodRange checks that every node gets its part of the pods' range, and
// that the part is enough for its pods.
func checkPodRange(r *strict.Report, c *cluster.Cluster) {
	const farthest = 16 // the controller-manager's limit between range and part
	const at = strict.Path("spec.kubernetes.nodeCIDRMaskSize")
	pods, mask := c.Network.PodCIDR, c.Kubernetes.NodeCIDRMaskSize
	if mask == 0 {
		return
	}
	if mask < pods.Bits() || mask-pods.Bits() > farthest {
		place, hint := at, fmt.Sprintf("write from %d to %d, or another range", pods.Bits(), min(pods.Bits()+farthest, 30))
		if !r.Given(at) { // the range is what the file says
			place, hint = "spec.network.podCIDR", fmt.Sprintf("choose a larger range, of which each node gets a /%d, or a larger nodeCIDRMaskSize", mask)
		}
		r.Errorf(place, hint, "kubernetes.nodeCIDRMaskSize %d does not divide network.podCIDR %v: it must be from %d to %d",
			mask, pods, pods.Bits(), min(pods.Bits()+farthest, 30))
		return
	}
	if room, nodes := 1<<(mask-pods.Bits()), len(c.Nodes()); room < nodes {
		r.Errorf("spec.network.podCIDR", "choose a larger range, or a larger nodeCIDRMaskSize",
			"network.podCIDR %v has room for %d nodes with a /%d each, and there are %d", pods, room, mask, nodes)
	}
	if addresses := 1<<(32-mask) - 2; c.Kubernetes.MaxPods > addresses {
		r.Warnf("spec.kubernetes.maxPods", "lower maxPods or nodeCIDRMaskSize",
			"kubernetes.maxPods is %d, but a node's /%d has only %d addresses for pods", c.Kubernetes.MaxPods, mask, addresses)
	}
}
