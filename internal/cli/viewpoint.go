package cli

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/probe"
)

// hostViewpoint looks at an address as a host sees it, through its agent.
func hostViewpoint(h *host.Host, name, address string, verified *tls.Config) probe.Viewpoint {
	return probe.Viewpoint{
		Name: name, TLS: verified,
		Dial: func(ctx context.Context) (net.Conn, error) { return h.Dial(ctx, "tcp", address) },
	}
}
