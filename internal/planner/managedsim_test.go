package planner_test

import (
	"net"
	"regexp"

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

var routerIDIn = regexp.MustCompile(`virtual_router_id (\d+)`)

// routerIDTwice is the virtual router ID that two instances of keepalived's settings
// have, which it does not accept; empty for none.
func routerIDTwice(text string) string {
	seen := map[string]bool{}
	for _, id := range routerIDIn.FindAllStringSubmatch(text, -1) {
		if seen[id[1]] {
			return id[1]
		}
		seen[id[1]] = true
	}
	return ""
}
