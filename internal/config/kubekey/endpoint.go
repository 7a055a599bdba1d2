package kubekey

import (
	"cmp"
	"net"
	"slices"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// The balancers that KubeKey sets up itself.
const (
	balancerHAProxy = "haproxy"
	balancerKubeVip = "kube-vip"
)

// nameRouters is how to have the virtual address announced to routers, which
// KubeKey's files do not name.
const nameRouters = "for BGP, write a cluster file with quorate import and name your routers in it: kubeVIP: {bgp: {as: …, peers: […]}}"

// apiServerPort is the port that KubeKey's API servers listen on unless a file says
// otherwise, whatever the endpoint's.
const apiServerPort = 6443

const (
	ourEndpoint = strict.Path("spec.endpoint")
	ourBalancer = strict.Path("spec.endpoint.loadBalancer")
)

// wanted is what a file of either version says about who spreads the
// connections to the API servers.
type wanted struct {
	balancer  string // balancerHAProxy, balancerKubeVip or none
	address   string
	byDNS     bool // the domain is in the user's own DNS
	balancing strict.Path
	addressed strict.Path
	port      strict.Path
	// hints are how to write the two ways out of having several
	// control-plane hosts and no balancer.
	hints string
	// called is the address's name in messages.
	called string
}

// controlPlaneEndpoint imports the endpoint of a document of kind Cluster.
func (m *importer) controlPlaneEndpoint(e *controlPlaneEndpoint) {
	const from = strict.Path("spec.controlPlaneEndpoint")
	out := &m.doc.Spec.Endpoint
	set(m, ourEndpoint.Key("domain"), &out.Domain, from.Key("domain"), e.Domain)
	set(m, ourEndpoint.Key("port"), &out.Port, from.Key("port"), e.Port)
	w := wanted{
		balancer: e.InternalLoadbalancer, address: strings.TrimSpace(e.Address), byDNS: e.ExternalDNS,
		balancing: from.Key("internalLoadbalancer"), addressed: from.Key("address"), port: from.Key("port"), called: "controlPlaneEndpoint.address",
		hints: "write internalLoadbalancer: haproxy for a proxy on every node, or address: with that of a balancer in front of all control-plane hosts",
	}
	switch w.balancer {
	case "", "none", balancerHAProxy, balancerKubeVip:
	default:
		hint := strict.DidYouMean(w.balancer, []string{balancerHAProxy, balancerKubeVip})
		if hint == "" {
			hint = "write haproxy or kube-vip, or remove it"
		}
		m.fail(w.balancing, hint, "controlPlaneEndpoint.internalLoadbalancer: KubeKey has no %s, and silently does without any", quote(w.balancer))
		return
	}
	m.balancer(w)
	if mode := e.KubeVip.Mode; mode != "" && !strings.EqualFold(mode, "ARP") {
		m.warn(from.Key("kubevip.mode"), nameRouters,
			"controlPlaneEndpoint.kubevip.mode %s is not taken over: the virtual address is announced by ARP, in the hosts' own subnet", word(mode))
	}
	if w.byDNS && w.balancer != balancerHAProxy && w.balancer != balancerKubeVip {
		says := "the nodes look the name up in DNS; the control-plane hosts have it in their hosts files all the same"
		if w.address != "" {
			says = "all hosts have the name in their hosts files, with " + w.called
		}
		m.warn(from.Key("externalDNS"), "", "controlPlaneEndpoint.externalDNS: %s", says)
	}
}

// balancer decides which of our modes it is, and refuses what KubeKey accepts
// and breaks on.
func (m *importer) balancer(w wanted) {
	out := &m.doc.Spec.Endpoint.LoadBalancer
	mode := func(mode string) {
		out.Mode = mode
		m.ours.Set(ourBalancer.Key("mode"), m.place(w.balancing))
	}
	if m.theirs.IsBad(w.balancing) || m.theirs.IsBad(w.addressed) {
		m.ours.MarkBad(ourBalancer)
		return
	}
	switch w.balancer {
	case balancerHAProxy:
		if w.address != "" {
			m.fail(w.addressed, `write "" for the proxies on the nodes, or remove haproxy for a balancer of your own`,
				"haproxy on the nodes and %s exclude each other; KubeKey says so and stops as if all were well", w.called)
			return
		}
		mode("localhost")
		out.Type = "haproxy"
		m.ours.Set(ourBalancer.Key("type"), m.place(w.balancing))
		return
	case balancerKubeVip:
		if w.address == "" || isLoopback(w.address) {
			m.fail(w.addressed, "give a free address in the subnet of the control-plane hosts",
				"kube-vip needs %s, the virtual address; KubeKey would take the first control-plane host's own", w.called)
			return
		}
		if port, servers := m.doc.Spec.Endpoint.Port, cmp.Or(m.doc.Spec.Kubernetes.APIServer.Port, apiServerPort); port != 0 && port != servers {
			m.fail(w.port, "write the port of the API servers; or make a cluster file with mode managed and the role load-balancer on the control-plane hosts, which carries from one port to the other",
				"the endpoint's port is %d and the API servers listen on %d: kube-vip moves an address and leaves ports as they are, so nobody would answer there", port, servers)
			m.ours.MarkBad(ourEndpoint.Key("port"))
			return
		}
		mode("kube-vip")
		set(m, ourBalancer.Key("vip"), &out.VIP, w.addressed, w.address)
		return
	}
	m.noBalancer(w)
}

// noBalancer is for files without a balancer of KubeKey's own: there is one of
// the user's, or none.
func (m *importer) noBalancer(w wanted) {
	out := &m.doc.Spec.Endpoint
	several := m.controlPlanes() > 1
	host := m.hostAt(w.address)
	switch {
	case strict.IsStandIn(w.address):
		m.fail(w.addressed, "write your balancer's own address", "%s %s is the guide's stand-in for an address", w.called, quote(w.address))
	case w.address == "" && w.byDNS:
		m.external(w)
		domain := out.Domain
		if domain == "" {
			domain = "lb.kubesphere.local"
		}
		out.LoadBalancer.Address = domain
		m.ours.Set(ourBalancer.Key("address"), m.place(w.addressed))
	case (w.address == "" || isLoopback(w.address)) && several:
		m.fail(w.addressed, w.hints,
			"%d control-plane hosts and no balancer: KubeKey would send everybody to the first of them, and the API be lost with it", m.controlPlanes())
	case w.address == "" || isLoopback(w.address):
		// One control-plane host: our default, a proxy on each worker, does what
		// KubeKey does, and lets one become three later.
	case host != nil && (out.Port == 0 || out.Port == apiServerPort) && several:
		m.fail(w.addressed, w.hints, "%s is host %s's own: the API would be lost with it, though there are %d control-plane hosts",
			w.called, word(host.Name), m.controlPlanes())
	case host != nil && (out.Port == 0 || out.Port == apiServerPort):
		m.warn(w.addressed, "", "%s is host %s's own, no balancer's: the workers reach it through a proxy of their own instead, so that more control-plane hosts can join",
			w.called, word(host.Name))
	default:
		m.external(w)
		set(m, ourBalancer.Key("address"), &out.LoadBalancer.Address, w.addressed, w.address)
	}
}

// external is for a balancer of the user's own.
func (m *importer) external(w wanted) {
	out := &m.doc.Spec.Endpoint
	out.LoadBalancer.Mode = "external"
	m.ours.Set(ourBalancer.Key("mode"), m.place(w.addressed))
}

func isLoopback(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback()
}

// controlPlanes is how many control-plane hosts there are.
func (m *importer) controlPlanes() int {
	n := 0
	for i := range m.doc.Spec.Hosts {
		if slices.Contains(m.doc.Spec.Hosts[i].Roles, roleControlPlane) {
			n++
		}
	}
	return n
}

// hostAt is the control-plane host whose own an address is, or nil.
func (m *importer) hostAt(address string) *v1alpha1.Host {
	for i := range m.doc.Spec.Hosts {
		h := &m.doc.Spec.Hosts[i]
		if address != "" && slices.Contains(h.Roles, roleControlPlane) && (h.Address == address || h.InternalAddress == address) {
			return h
		}
	}
	return nil
}
