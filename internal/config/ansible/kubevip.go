package ansible

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// lostAddresses is what services do not get without kube-vip for them.
const lostAddresses = "addresses of services of type LoadBalancer"

// kubeVIP fills in mode kube-vip, if the inventory asks for it, and reports
// whether it does. own is the balancer that stands beside it: kubespray wants
// its address to be the VIP.
func (m *importer) kubeVIP(own *balancer) bool {
	on, enabledAt := m.truth("kube_vip_enabled", false)
	forAPI, forAPIAt := m.truth("kube_vip_controlplane_enabled", true)
	address := m.cluster("kube_vip_address")
	if !on {
		return false
	}
	if !forAPI {
		m.lose(forAPIAt, "", lostAddresses, "kube-vip is not installed: here it serves only services of type LoadBalancer, which get no address then")
		return false
	}
	lb := &m.doc.Spec.Endpoint.LoadBalancer
	m.r.Set(balancerPath, enabledAt.at)
	m.r.Set(balancerPath.Key("mode"), enabledAt.at)
	lb.Mode = "kube-vip"
	if address != nil {
		if value, ok := m.scalar(balancerPath.Key("vip"), address); ok {
			lb.VIP = value
		}
	} else if own != nil {
		if value, ok := m.scalar(balancerPath.Key("vip"), own.address); ok {
			lb.VIP = value
		}
	}
	m.truth("kube_vip_arp_enabled", true) // as it is without BGP
	if bgp, s := m.truth("kube_vip_bgp_enabled", false); bgp {
		m.bgp(s)
	}
	m.compareAddresses(own, lb.VIP)
	var port *setting
	if own != nil {
		port = own.port
	}
	m.endpointPort(port)
	m.refuseStandIn(balancerPath.Key("vip"), "kube_vip_address", lb.VIP)
	m.text(balancerPath.Key("interface"), &lb.Interface, "kube_vip_interface")
	m.kubeVIPImage()
	if services, s := m.truth("kube_vip_services_enabled", false); services {
		m.lose(s, "install MetalLB or the like once the cluster is up", lostAddresses, "kube_vip_services_enabled is not used: services of type LoadBalancer get no address")
	}
	return true
}

// kubeVIPImage takes over an image of kube-vip's own, where the inventory names it
// in full.
func (m *importer) kubeVIPImage() {
	repo, tag := m.cluster("kube_vip_image_repo"), m.cluster("kube_vip_image_tag")
	p := balancerPath.Key("kubeVIP").Key("image")
	if repo == nil && tag == nil {
		return
	}
	var parts []string
	for _, s := range []*setting{repo, tag} {
		if s == nil {
			continue
		}
		n, why := m.resolve(s.value, s.host)
		if why != nil || n.Kind != yaml.ScalarNode || n.Value == "" {
			break
		}
		parts = append(parts, n.Value)
	}
	if len(parts) == 2 {
		m.r.Set(p, repo.at)
		m.doc.Spec.Endpoint.LoadBalancer.KubeVIP.Image = strings.Join(parts, ":")
		return
	}
	one := repo
	if one == nil {
		one = tag
	}
	m.tell(one, "give both kube_vip_image_repo and kube_vip_image_tag, written out", "%s is not used: kube-vip's image is not named in full", one.name)
}

// bgp fills in the routers that kube-vip announces the VIP to. on is the switch.
func (m *importer) bgp(on *setting) {
	p := balancerPath.Key("kubeVIP").Key("bgp")
	out := &m.doc.Spec.Endpoint.LoadBalancer.KubeVIP.BGP
	m.r.Set(p, on.at)
	out.AS = 65000 // kubespray's own
	m.number(p.Key("as"), &out.AS, "kube_vip_local_as")
	if s := m.cluster("kube_vip_bgppeers"); s != nil {
		for _, item := range m.texts(p.Key("peers"), s) {
			m.peerOfText(p.Key("peers"), s, item)
		}
	}
	address, as := m.cluster("kube_vip_bgp_peeraddress"), m.cluster("kube_vip_bgp_peeras")
	if address != nil && !isEmpty(address.value) {
		at := p.Key("peers").Index(len(out.Peers))
		peer := v1alpha1.BGPPeer{AS: 65000}
		if value, ok := m.scalar(at.Key("address"), address); ok {
			peer.Address = value
		}
		if as != nil {
			if value, ok := m.integer(at.Key("as"), as); ok {
				peer.AS = int(value)
			}
		}
		out.Peers = append(out.Peers, peer)
	}
	if s := m.cluster("kube_vip_bgp_peerpass"); s != nil && !isEmpty(s.value) {
		m.refusePeerPassword(p, s)
	}
}

// peerOfText takes a router as kube-vip writes it: ADDRESS:AS:PASSWORD:MULTIHOP.
func (m *importer) peerOfText(p strict.Path, s *setting, item string) {
	out := &m.doc.Spec.Endpoint.LoadBalancer.KubeVIP.BGP
	parts := strings.Split(item, ":")
	_, err := netip.ParseAddr(parts[0])
	if len(parts) < 2 || err != nil {
		m.r.Errorf(p, "write 192.168.0.1:65001::false", "an element of %s is not of the form ADDRESS:AS:PASSWORD:MULTIHOP", s.name)
		return
	}
	as, err := parseWhole(parts[1])
	if err != nil {
		m.r.Errorf(p, "", "an element of %s has no number of an autonomous system", s.name)
		return
	}
	if len(parts) > 2 && parts[2] != "" {
		m.refusePeerPassword(p, s)
		return
	}
	if len(parts) > 3 && strings.EqualFold(parts[3], "true") {
		m.tell(s, "let the routers be in the hosts' subnet", "%s: multihop is not used: routers farther away than one hop do not learn of the address", s.name)
	}
	at := p.Index(len(out.Peers))
	m.r.Set(at, s.at)
	m.r.Set(at.Key("address"), s.at)
	m.r.Set(at.Key("as"), s.at)
	out.Peers = append(out.Peers, v1alpha1.BGPPeer{Address: parts[0], AS: int(as)})
}

// refusePeerPassword refuses routers that ask for a password.
func (m *importer) refusePeerPassword(p strict.Path, s *setting) {
	m.r.Set(p, s.at)
	m.r.Errorf(p, "use routers without, or a balancer of your own, loadbalancer_apiserver", "%s: routers that ask for a password are not supported", s.name)
}

// bgpPeers is where a list of routers begins.
var bgpPeers = regexp.MustCompile(`bgppeers["']?\s*[:=]`)

// hidePeers keeps lists of routers out of all excerpts, which may have passwords
// in them under no key that says so.
func hidePeers(src *diag.Source) {
	inside := false
	for n := 1; n <= src.LineCount(); n++ {
		line := src.Line(n)
		begin := bgpPeers.FindStringIndex(line)
		switch {
		case begin != nil:
			inside = true
			src.Hide(diag.Position{Line: n, Column: utf8.RuneCountInString(line[:begin[1]]) + 1}, -1)
		case inside && line != "" && strings.ContainsAny(line[:1], " \t-]"):
			src.Hide(diag.Position{Line: n, Column: 1}, -1)
		default:
			inside = inside && strings.TrimSpace(line) == ""
		}
	}
}

// compareAddresses refuses a VIP beside a balancer of another address: it would
// be open which of the two the nodes use.
func (m *importer) compareAddresses(own *balancer, vip string) {
	if own == nil || vip == "" {
		return
	}
	n, why := m.resolve(own.address.value, own.address.host)
	if why == nil && n.Value != vip {
		m.r.Set(balancerPath, own.address.at)
		m.r.Errorf(balancerPath, "remove loadbalancer_apiserver, or give it the address {{ kube_vip_address }}",
			"loadbalancer_apiserver has another address than kube-vip: which of the two is the API's?")
	}
}
