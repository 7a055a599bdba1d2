package statustest

import (
	"net/netip"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Manage puts two load-balancer hosts in front of a healthy cluster in place
// of its workers' proxies: lb-1 carries 10.0.0.100.
func (w World) Manage() {
	vip := netip.MustParseAddr("10.0.0.100")
	w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: vip}
	for _, h := range w.Snapshot.Hosts {
		h.Proxy = nil
	}
	for i, name := range []string{"lb-1", "lb-2"} {
		w.addHost(name, 41+i, cluster.RoleLoadBalancer)
		delete(w.Snapshot.API.Nodes, name)
		proxy := &state.Proxy{}
		for _, cp := range w.Cluster.ControlPlanes() {
			proxy.Backends = append(proxy.Backends, state.Backend{Name: cp.Name, Address: cp.InternalAddress.String() + ":6443", Up: true, Detail: "L7OK"})
		}
		h := w.Snapshot.Hosts[name]
		h.Proxy = proxy
		h.Facts.Units = map[string]protocol.Unit{"quorate-keepalived.service": {Load: "loaded", Active: "active"}}
		h.Facts.Interfaces = []protocol.Interface{{Name: "eth0", Addresses: []string{w.Cluster.Host(name).Address + "/24"}}}
	}
	w.Carry("lb-1", true)
}

// Carry gives a load balancer the virtual address or takes it away.
func (w World) Carry(host string, has bool) {
	eth0 := &w.Snapshot.Hosts[host].Facts.Interfaces[0]
	eth0.Addresses = eth0.Addresses[:1]
	if has {
		eth0.Addresses = append(eth0.Addresses, w.Cluster.Endpoint.LoadBalancer.VIP.String()+"/32")
	}
}

// Goes notes the way by which a node reaches the API; empty for a node that is
// just being given another one.
func (w World) Goes(host, way string) {
	facts := w.Snapshot.Hosts[host].Facts
	facts.Files["/var/lib/kubelet/config.yaml"] = protocol.File{Exists: true, Size: 1}
	if way != "" {
		facts.Files["/etc/quorate/endpoint"] = protocol.File{Exists: true, Content: way + "\n"}
	}
	if facts.Units == nil {
		facts.Units = map[string]protocol.Unit{}
	}
}
