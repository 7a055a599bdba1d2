package endpoint

import (
	"fmt"
	"net"
	"strconv"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// GuideFormat is what a guide is for.
type GuideFormat string

// The formats of a guide.
const (
	GuideConsole GuideFormat = "console" // what to enter, for people
	GuideHAProxy GuideFormat = "haproxy" // a whole haproxy.cfg
	GuideNginx   GuideFormat = "nginx"   // a whole nginx.conf
)

// GuideFormats are all formats.
func GuideFormats() []GuideFormat { return []GuideFormat{GuideConsole, GuideHAProxy, GuideNginx} }

// guideData is what a guide is made of.
type guideData struct {
	Cluster, Domain, Address, Name string
	Port                           int
	Backends                       []guideBackend
	Nodes                          []string // addresses of those who call
	Workers                        []guideBackend
	Resolved                       string
	NoHairpin                      bool
}

type guideBackend struct {
	Name, IP, Address string
	Port              int
}

// Guide tells how to set up a balancer in front of a cluster's control-plane
// hosts: what to enter in its console, or a whole file for HAProxy or nginx.
func Guide(c *cluster.Cluster, f GuideFormat) []byte {
	lb := &c.Endpoint.LoadBalancer
	d := guideData{
		Cluster: c.Name, Domain: c.Endpoint.Domain, Port: c.Endpoint.Port, NoHairpin: lb.NoHairpin,
		Name: net.JoinHostPort("ADDRESS", strconv.Itoa(c.Endpoint.Port)), Resolved: resolvedBy(c),
	}
	if lb.VIP.IsValid() {
		d.Address, d.Name = lb.VIP.String(), balancerName(c)
	} else if lb.VIPHost != "" {
		d.Address, d.Name = lb.VIPHost, balancerName(c)
	}
	at := func(h *cluster.Host, port int) guideBackend {
		ip := h.InternalAddress.String()
		return guideBackend{Name: h.Name, IP: ip, Port: port, Address: net.JoinHostPort(ip, strconv.Itoa(port))}
	}
	for _, h := range c.ControlPlanes() {
		d.Backends = append(d.Backends, at(h, apiPort(c)))
	}
	for _, h := range c.Nodes() {
		d.Nodes = append(d.Nodes, h.InternalAddress.String())
		if h.Has(cluster.RoleWorker) {
			d.Workers = append(d.Workers, at(h, 0))
		}
	}
	return component.Render(templates, fmt.Sprintf("guide-%s.tmpl", f), d)
}
