package endpoint

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// healthPort is where, on 127.0.0.1, a managed HAProxy tells keepalived how it is.
const healthPort = 6440

// haproxyDownFile is what HAProxy's unit writes when HAProxy starts and ends.
const haproxyDownFile = "/run/quorate-haproxy/down"

// The connections that a managed HAProxy carries at most, and how many of them
// are kept for the API when there are other listeners.
const (
	managedConnections  = 8000
	reservedConnections = 2000
)

// managedHAProxy is a load-balancer host's HAProxy. It has the endpoint's ports
// on the VIPs, also while another host carries them (transparent), and on the
// host's own address, unless the host's own API server has it there. On a worker
// it also has it where the worker's own proxy would, so that the one can take the
// other's place while the worker goes on.
func managedHAProxy(c *cluster.Cluster, h *cluster.Host, vips []virtual, ports []int) haproxyConfig {
	shared := func(port int) (binds []string) {
		for _, v := range vips {
			binds = append(binds, net.JoinHostPort(v.Address.String(), strconv.Itoa(port))+" transparent")
		}
		return binds
	}
	d := haproxyConfig{
		Purpose:        "the way to the API servers, on the address that the load balancers share",
		MaxConnections: managedConnections,
		HealthBind:     net.JoinHostPort("127.0.0.1", strconv.Itoa(healthPort)),
		DownFile:       haproxyDownFile,
	}
	for _, p := range ports {
		d.Binds = append(d.Binds, shared(p)...)
		if h.Has(cluster.RoleControlPlane) && p == apiPort(c) {
			continue
		}
		port := strconv.Itoa(p)
		d.Binds = append(d.Binds, net.JoinHostPort(h.InternalAddress.String(), port))
		if h.IsNode() && !h.Has(cluster.RoleControlPlane) {
			d.Binds = append(d.Binds, net.JoinHostPort("127.0.0.1", port))
		}
	}
	for _, l := range c.Endpoint.Listeners {
		f := listener{
			Name: "listener-" + l.Name, Binds: shared(l.Port),
			MaxConnections: (managedConnections - reservedConnections) / len(c.Endpoint.Listeners),
		}
		switch l.ProxyProtocol {
		case "v1":
			f.SendProxy = "send-proxy"
		case "v2":
			f.SendProxy = "send-proxy-v2"
		}
		for _, name := range l.Hosts {
			target := c.Host(name)
			f.Servers = append(f.Servers, server{name, net.JoinHostPort(target.InternalAddress.String(), strconv.Itoa(l.TargetPort))})
		}
		d.Listeners = append(d.Listeners, f)
	}
	return d.of(c)
}

// loadBalancer is what a load-balancer host runs.
type loadBalancer struct{ haproxy, keepalived component.Service }

// loadBalancerOf is a host's HAProxy, and keepalived, which carries virtual addresses to
// where HAProxy works.
func loadBalancerOf(c *cluster.Cluster, h *cluster.Host, vips []virtual, ports []int) loadBalancer {
	return loadBalancer{haproxyService(h, managedHAProxy(c, h, vips, ports)), keepalivedService(keepalivedOf(c, h, vips))}
}

// planManaged plans a load-balancer host. While nodes go by another virtual address
// than the file's, it carries that, too.
func planManaged(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	// Beside an API server, HAProxy can have its port only once that shares it.
	var needs []plan.ID
	if h.Has(cluster.RoleControlPlane) && !in.Cluster.PortsDiffer() {
		needs = append(needs, plan.On(component.StepControlPlane, h.Name))
	}
	own, err := virtualOf(in.Cluster, h, facts)
	if err != nil {
		out.Refuse("give a free address in the load balancers' subnet, or name their interface in spec.endpoint.loadBalancer.interface", "%v", err)
		return
	}
	refuseTakenVIP(in, out)
	vips, former := []virtual{own}, formerVirtuals(in)
	for _, v := range former {
		if v, ok := v.on(in.Cluster, h, facts); ok {
			vips = append(vips, v)
		}
	}
	b := loadBalancerOf(in.Cluster, h, sorted(vips), portsOf(in))
	planHAProxy(in, h, facts, b.haproxy, "", "balance the API servers", out, needs...)
	planKeepalived(in, h, facts, b.keepalived, vips, out)
	then := loadBalancerOf(in.Cluster, h, sorted(vips), []int{in.Cluster.Endpoint.Port}).haproxy
	planFormerPorts(in, h, facts, b.haproxy, then, runHAProxy{then, "", facts.SELinux != ""}, out)
	if len(former) > 0 {
		planFormer(in, h, facts, own, b, former, out)
	}
}

// planLeft plans the end of keepalived and HAProxy on a host that was a load
// balancer: it would go on to carry the VIP to the API servers of now. Where
// none of the others runs yet, it waits for them.
func planLeft(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	if !facts.Files[keepalivedUnitFile].Exists {
		return
	}
	keepalived, haproxy := keepalivedUnits(), haproxyUnits()
	var needs []plan.ID
	if len(runningBalancers(in)) == 0 {
		needs = component.Each(component.StepVIP, in.Cluster.Balancers())
		if h.Has(cluster.RoleControlPlane) && slices.ContainsFunc(in.Cluster.Balancers(), func(b *cluster.Host) bool { return b.Has(cluster.RoleControlPlane) }) {
			// API servers are restarted one after another: this one's only once HAProxy has
			// left its port, and that one's before HAProxy can have its.
			out.Refuse("let at least one of the load balancers of now have the role load-balancer, too, and take it from it with the next apply",
				"none of the load balancers in the file is one yet, and %s, which is to be none any more, cannot go before another control-plane host has taken over", h.Name)
		}
	}
	// keepalived, by whose unit file a former load balancer is found, is stopped
	// first and goes last.
	changes := []plan.Change{{What: keepalivedUnit, Action: "stop"}}
	if haproxy.only = !facts.Files[haproxyUnitFile].Exists; !haproxy.only {
		changes = append(changes, plan.Change{What: haproxyUnit, Action: "stop"})
	}
	out.Add(plan.Step{
		ID: plan.On(component.StepLeave, h.Name), Host: h.Name, Title: "leave the endpoint to the other load balancers",
		Why: "no load balancer any more", Needs: needs, Impact: plan.ImpactRestart,
		Changes: slices.Concat(changes, haproxy.removals(), keepalived.removals()),
	}, leave{host: h.Name, keepalived: keepalived, haproxy: haproxy})
}

// virtualOf is the file's virtual address on a host that carries it.
func virtualOf(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) (virtual, error) {
	lb := &c.Endpoint.LoadBalancer
	iface, err := vipInterface(c, h, facts)
	return virtual{Address: lb.VIP, Interface: iface, RouterID: routerID(lb)}, err
}

// vipInterface finds the interface that carries the VIP on a host.
func vipInterface(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) (name string, err error) {
	lb := &c.Endpoint.LoadBalancer
	return interfaceOf(h, facts, lb.VIP, lb.Interface)
}

// interfaceOf finds the interface that carries a virtual address on a host: the one
// that is named, or the one in its subnet.
func interfaceOf(h *cluster.Host, facts *protocol.Facts, vip netip.Addr, named string) (name string, err error) {
	for _, i := range facts.Interfaces {
		if named != "" {
			if i.Name == named {
				return i.Name, nil
			}
			continue
		}
		for _, text := range i.Addresses {
			prefix, err := netip.ParsePrefix(text)
			// The VIP itself, where it is carried now, tells nothing.
			if err == nil && prefix.Addr() != vip && prefix.Contains(vip) {
				return i.Name, nil
			}
		}
	}
	if named != "" {
		return "", fmt.Errorf("%s has no interface %s that is up, which loadBalancer.interface names", h.Name, named)
	}
	return "", fmt.Errorf("no interface of %s has an address in a subnet with loadBalancer.vip %s", h.Name, vip)
}

// carries reports whether a host has the VIP now.
func carries(facts *protocol.Facts, vip netip.Addr) bool {
	for _, i := range facts.Interfaces {
		for _, text := range i.Addresses {
			if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr() == vip {
				return true
			}
		}
	}
	return false
}
