package ui

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// ClusterSummary tells what a valid cluster file asks for, in a few lines. read
// are the files that it was read from.
func ClusterSummary(c *cluster.Cluster, read []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Valid: cluster %s, Kubernetes %s, from %s.\n", c.Name, c.Kubernetes.Version, strings.Join(read, ", "))
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "  %-16s%s\n", what, fmt.Sprintf(format, args...))
	}
	row("control plane", "%s", hostNames(c.ControlPlanes()))
	members := len(c.EtcdHosts())
	row("etcd", "%s (%s): %s", hostNames(c.EtcdHosts()), c.Etcd.Mode, survives(members))
	if workers := workloadHosts(c); workers != "" {
		row("workers", "%s", workers)
	}
	if balancers := c.With(cluster.RoleLoadBalancer); len(balancers) > 0 {
		row("load balancers", "%s", hostNames(balancers))
	}
	row("endpoint", "%s:%d, %s", c.Endpoint.Domain, c.Endpoint.Port, balancedBy(c))
	row("network", "%s, pods %s, services %s, kube-proxy with %s", c.Network.Plugin, c.Network.PodCIDR, c.Network.ServiceCIDR, c.Kubernetes.ProxyMode)
	return b.String()
}

// Lost says in a line what the cluster will not have though its file asks for it;
// it is empty when there is nothing.
func Lost(what []string) string {
	if len(what) == 0 {
		return ""
	}
	return "\nThe file asks for it, and the cluster will not have it: " + clean(strings.Join(what, ", ")) + ".\n"
}

// workloadHosts names the hosts that take workloads, control planes last.
func workloadHosts(c *cluster.Cluster) string {
	var both []*cluster.Host
	for _, h := range c.ControlPlanes() {
		if h.Has(cluster.RoleWorker) {
			both = append(both, h)
		}
	}
	text := hostNames(c.Workers())
	switch {
	case len(both) == 0:
		return text
	case text == "":
		return hostNames(both) + " (control planes that take workloads too)"
	}
	return text + "; and of the control planes " + hostNames(both)
}

// survives says how many etcd members may be lost.
func survives(members int) string {
	switch n := cluster.Tolerated(members); n {
	case 0:
		if members == 1 {
			return "its loss stops the cluster"
		}
		return "the loss of any one stops the cluster"
	case 1:
		return "one may be lost"
	default:
		return fmt.Sprintf("%d may be lost", n)
	}
}

// balancedBy says who spreads the endpoint's connections, and over which ports where
// those are others.
func balancedBy(c *cluster.Cluster) string {
	how := balancer(c)
	if c.PortsDiffer() {
		how += fmt.Sprintf(", to port %d of the API servers", c.Kubernetes.APIServerPort)
	}
	return how
}

func balancer(c *cluster.Cluster) string {
	lb := &c.Endpoint.LoadBalancer
	switch lb.Mode {
	case cluster.BalancerLocalhost:
		if c.PortsDiffer() {
			return lb.Type + " on every node"
		}
		return lb.Type + " on every node that is no control plane"
	case cluster.BalancerManaged:
		return fmt.Sprintf("HAProxy and keepalived, virtual address %s", lb.VIP)
	case cluster.BalancerKubeVIP:
		return fmt.Sprintf("kube-vip, virtual address %s", lb.VIP)
	}
	if lb.VIPHost != "" {
		return "a balancer of your own, " + lb.VIPHost
	}
	return fmt.Sprintf("a balancer of your own, %s", lb.VIP)
}

// hostNames lists hosts' names, many of them shortened.
func hostNames(hosts []*cluster.Host) string {
	const most = 7
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	if len(names) > most {
		return fmt.Sprintf("%s, … (%d)", strings.Join(names[:most-1], ", "), len(names))
	}
	return strings.Join(names, ", ")
}
