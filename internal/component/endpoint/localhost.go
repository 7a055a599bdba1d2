package endpoint

import (
	"net"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// planLocalhost plans a node's own HAProxy on 127.0.0.1, which is up before
// its kubelet.
func planLocalhost(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	service := haproxyService(h, haproxyConfig{
		Purpose:        "this node's way to the API servers",
		Binds:          []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(in.Cluster.Endpoint.Port))},
		Before:         "kubelet.service",
		MaxConnections: 4000,
	}.of(in.Cluster))
	planHAProxy(in, h, facts, service, "balance the API servers on 127.0.0.1", out)
}
