package planner_test

import (
	"net"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// carrier is the load balancer that has the VIP now, or nil: the first of
// those on which HAProxy and keepalived run.
func (w *world) carrier() *machine {
	for _, h := range w.cluster.Balancers() {
		m := w.machine(h.Name)
		if !m.off && m.units["quorate-haproxy.service"].Running() && m.units["quorate-keepalived.service"].Running() {
			return m
		}
	}
	return nil
}

// isVIP reports whether an address is that of managed load balancers.
func (w *world) isVIP(address string) bool {
	return len(w.cluster.Balancers()) > 0 && strings.HasPrefix(address, w.cluster.Endpoint.LoadBalancer.VIP.String()+":")
}

// atVIP is where a connection to the VIP ends: at an API server that the
// carrier's HAProxy finds ready, or at HAProxy itself, which ends it at once.
// It is nil where nobody has the VIP.
func (w *world) atVIP() chan net.Conn {
	m := w.carrier()
	if m == nil {
		return nil
	}
	if ready := m.backends(); len(ready) > 0 {
		return w.listeners[ready[0]]
	}
	return w.refusing()
}

// refusing takes connections and closes them.
func (w *world) refusing() chan net.Conn {
	if w.refused == nil {
		refused := make(chan net.Conn)
		w.refused = refused
		go func() {
			for {
				c, err := (pipes{refused, w.over}).Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
	}
	return w.refused
}

// interfaces are the machine's, with the VIP where it is carried.
func (m *machine) interfaces() []protocol.Interface {
	h := m.world.cluster.Host(m.name)
	if h == nil {
		return nil
	}
	eth0 := protocol.Interface{Name: "eth0", MAC: "02:00:00:00:00:" + m.name, MTU: 1500, Addresses: []string{h.InternalAddress.String() + "/24"}}
	if m.world.carrier() == m {
		eth0.Addresses = append(eth0.Addresses, m.world.cluster.Endpoint.LoadBalancer.VIP.String()+"/32")
	}
	return append([]protocol.Interface{eth0}, m.base.Interfaces...)
}
