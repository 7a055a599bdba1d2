package endpoint

import (
	"fmt"
	"net"
	"net/netip"
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

// managedHAProxy is a load-balancer host's HAProxy. It has the endpoint's port
// on the VIP, also while another host carries that (transparent), and on the
// host's own address, unless the host's own API server has it there. On a worker
// it also has it where the worker's own proxy would, so that the one can take the
// other's place while the worker goes on.
func managedHAProxy(c *cluster.Cluster, h *cluster.Host) haproxyConfig {
	port := strconv.Itoa(c.Endpoint.Port)
	vip := c.Endpoint.LoadBalancer.VIP.String()
	d := haproxyConfig{
		Purpose:        "the way to the API servers, on the address that the load balancers share",
		Binds:          []string{net.JoinHostPort(vip, port) + " transparent"},
		MaxConnections: managedConnections,
		HealthBind:     net.JoinHostPort("127.0.0.1", strconv.Itoa(healthPort)),
		DownFile:       haproxyDownFile,
	}
	if !h.Has(cluster.RoleControlPlane) {
		d.Binds = append(d.Binds, net.JoinHostPort(h.InternalAddress.String(), port))
		if h.IsNode() {
			d.Binds = append(d.Binds, net.JoinHostPort("127.0.0.1", port))
		}
	}
	for _, l := range c.Endpoint.Listeners {
		f := listener{
			Name: "listener-" + l.Name, Bind: net.JoinHostPort(vip, strconv.Itoa(l.Port)) + " transparent",
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

// planManaged plans a load-balancer host: HAProxy, and keepalived, which
// carries the VIP to where HAProxy works.
func planManaged(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	// Beside an API server, HAProxy can have the port only once that shares it.
	var needs []plan.ID
	if h.Has(cluster.RoleControlPlane) {
		needs = append(needs, plan.On(component.StepControlPlane, h.Name))
	}
	planHAProxy(in, h, facts, managedHAProxy(in.Cluster, h), false, "balance the API servers", out, needs...)
	planKeepalived(in, h, facts, out)
}

// stepLeave is the subject of the step by which a host stops to carry the VIP.
const stepLeave = "endpoint/leave-vip"

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
	}
	// keepalived, by whose unit file a former load balancer is found, is stopped
	// first and goes last.
	out.Add(plan.Step{
		ID: plan.On(stepLeave, h.Name), Host: h.Name, Title: "leave the endpoint to the other load balancers",
		Why: "no load balancer any more", Needs: needs, Impact: plan.ImpactRestart,
		Changes: append([]plan.Change{{What: keepalivedUnit, Action: "stop"}, {What: haproxyUnit, Action: "stop"}}, append(haproxy.removals(), keepalived.removals()...)...),
	}, leave{host: h.Name, keepalived: keepalived, haproxy: haproxy})
}

// vipInterface finds the interface that carries the VIP on a host.
func vipInterface(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) (name string, err error) {
	lb := &c.Endpoint.LoadBalancer
	for _, i := range facts.Interfaces {
		if lb.Interface != "" {
			if i.Name == lb.Interface {
				return i.Name, nil
			}
			continue
		}
		for _, text := range i.Addresses {
			prefix, err := netip.ParsePrefix(text)
			// The VIP itself, where it is carried now, tells nothing.
			if err == nil && prefix.Addr() != lb.VIP && prefix.Contains(lb.VIP) {
				return i.Name, nil
			}
		}
	}
	if lb.Interface != "" {
		return "", fmt.Errorf("%s has no interface %s that is up, which loadBalancer.interface names", h.Name, lb.Interface)
	}
	return "", fmt.Errorf("no interface of %s has an address in a subnet with loadBalancer.vip %s", h.Name, lb.VIP)
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
