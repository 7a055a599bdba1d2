package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// side is a configuration of the load balancers.
type side struct {
	name       string
	proxy, vip string // its units
}

func (s side) id() string { return s.name }

var (
	published = side{"published", "haproxy.service", "keepalived.service"}
	ours      = side{"quorate", "quorate-haproxy.service", "quorate-keepalived.service"}
)

func allSides() []side { return []side{published, ours} }

// The published files; published/README.md tells where they come from.
//
//go:embed published/haproxy.cfg
var publishedHAProxy string

//go:embed published/keepalived.conf
var publishedKeepalived string

// use makes the load balancers carry the VIP with another configuration.
func (b *bench) use(ctx context.Context, s side) error {
	if b.now.name == s.name {
		return nil
	}
	fmt.Fprintln(os.Stderr, "changing to the", s.name, "configuration")
	for _, h := range b.cluster.Balancers() {
		if _, err := b.run(ctx, h.Name, "systemctl", "disable", "--now", b.now.vip, b.now.proxy); err != nil {
			return err
		}
	}
	for _, h := range b.cluster.Balancers() {
		if s.name == published.name {
			if err := b.writePublished(ctx, h); err != nil {
				return err
			}
		}
		if _, err := b.run(ctx, h.Name, "systemctl", "enable", s.proxy, s.vip); err != nil {
			return err
		}
		if _, err := b.run(ctx, h.Name, "systemctl", "restart", s.proxy, s.vip); err != nil {
			return err
		}
	}
	b.now = s
	return b.steady(ctx)
}

// writePublished puts the published files on a host.
func (b *bench) writePublished(ctx context.Context, h *cluster.Host) error {
	for path, text := range publishedFiles(b.cluster, h) {
		if _, err := b.run(ctx, h.Name, "sh", "-c", `mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"`, "sh", path, text); err != nil {
			return err
		}
	}
	return nil
}

// publishedFiles are the published files of a host by their paths, with the
// cluster's addresses where they say <…>.
func publishedFiles(c *cluster.Cluster, h *cluster.Host) map[string]string {
	proxy := publishedHAProxy
	for _, cp := range c.ControlPlanes() {
		proxy = strings.Replace(proxy, "<IP address>:6443", address(c, cp), 1)
	}
	var peer string
	for _, other := range c.Balancers() {
		if other.Name != h.Name {
			peer = other.InternalAddress.String()
		}
	}
	vip := strings.NewReplacer("<NIC>", "eth0", "<source IP address>", h.InternalAddress.String(),
		"<peer IP address>", peer, "<floating IP address>", c.Endpoint.LoadBalancer.VIP.String()).Replace(publishedKeepalived)
	return map[string]string{"/etc/haproxy/haproxy.cfg": proxy, "/etc/keepalived/keepalived.conf": vip}
}
