package planner_test

import (
	"net"

	"github.com/quorate/quorate/internal/agent/protocol"
)

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
	for _, vip := range vipIn.FindAllStringSubmatch(m.runs(keepalived), -1) {
		if m.world.carrierOf(vip[1]) == m {
			eth0.Addresses = append(eth0.Addresses, vip[1]+"/32")
		}
	}
	return append([]protocol.Interface{eth0}, m.base.Interfaces...)
}
