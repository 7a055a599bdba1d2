package ansible

import (
	"cmp"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

const (
	endpointPath = strict.Path("spec.endpoint")
	balancerPath = strict.Path("spec.endpoint.loadBalancer")
)

// balancer is the user's own load balancer, as loadbalancer_apiserver gives it.
type balancer struct {
	at            strict.Place
	address, port *setting
}

// endpoint fills in how clients reach the API.
func (m *importer) endpoint() {
	own := m.ownBalancer()
	vip := m.kubeVIP(own)
	local, localAt := m.truth("loadbalancer_apiserver_localhost", !m.isKubeSphere)
	controlPlanes := 0
	for _, h := range m.members {
		if _, ok := h.isIn(groupControlPlane); ok {
			controlPlanes++
		}
	}
	m.endpointDomain(own != nil || vip)
	switch {
	case vip:
	case own != nil:
		m.externalBalancer(own)
		if local && localAt != nil {
			m.tell(localAt, "remove one of the two", "loadbalancer_apiserver_localhost has no effect beside loadbalancer_apiserver: nodes use your balancer")
		}
	case local || controlPlanes < 2:
		m.localBalancer(localAt)
	default:
		m.noBalancer(localAt, controlPlanes)
	}
	m.balancerRemarks()
}

// noBalancer refuses several control-plane hosts without anything in front of
// them: the installers' clusters lose all nodes with the first of them.
func (m *importer) noBalancer(localAt *setting, controlPlanes int) {
	m.r.Set(balancerPath, whole(m.inv.file))
	if localAt != nil {
		m.r.Set(balancerPath, localAt.at)
	} else if at, ok := m.secondControlPlane(); ok {
		m.r.Set(balancerPath, at)
	}
	m.r.Errorf(balancerPath, "add loadbalancer_apiserver: {address: …, port: 6443} with a balancer of yours to "+m.fileForAll()+
		"; or, without one, loadbalancer_apiserver_localhost: true for a proxy on every node; or make a cluster file with mode managed or kube-vip",
		"there are %d control-plane hosts and nothing in front of them: all nodes would use the first one, and be lost with it", controlPlanes)
}

// secondControlPlane is where the inventory names a second control-plane host.
func (m *importer) secondControlPlane() (strict.Place, bool) {
	seen := 0
	for _, h := range m.members {
		if at, ok := h.isIn(groupControlPlane); ok {
			if seen++; seen == 2 {
				return at, true
			}
		}
	}
	return strict.Place{}, false
}

// ownBalancer reads loadbalancer_apiserver; nil means that there is none. Old
// guides print its address and port without indentation, as variables of their
// own.
func (m *importer) ownBalancer() *balancer {
	s := m.cluster("loadbalancer_apiserver")
	if s == nil {
		return nil
	}
	m.r.Set(balancerPath, s.at)
	n, why := m.resolve(s.value, s.host)
	if why != nil {
		m.r.Errorf(balancerPath, why.hint, "the value of loadbalancer_apiserver %s", why.why)
		return nil
	}
	out := &balancer{at: s.at, address: m.inside(s, n, "address"), port: m.inside(s, n, "port")}
	if n.Kind != yaml.MappingNode && !isNull(n) {
		m.r.Errorf(balancerPath, "write address: and port: below it, indented", "loadbalancer_apiserver must be a mapping (key: value), not %s", describe(n))
		return nil
	}
	m.unindented(s, out)
	for _, pair := range m.inv.pairs(s.file, n) {
		if key := pair.key.Value; key != "address" && key != "port" {
			m.inv.warn(strict.Place{Source: s.file.Source, Position: placeOr(pair.key, s.at)}, strict.DidYouMean(key, []string{"address", "port"}),
				"loadbalancer_apiserver has an address and a port; %s is ignored", quote(key))
		}
	}
	if out.address == nil || isEmpty(out.address.value) {
		m.inv.warn(s.at, "write address: and port: below it", "loadbalancer_apiserver has no address: it is as if it were not there")
		return nil
	}
	return out
}

// inside is a key of a setting that is a mapping, as a setting; nil where there
// is none.
func (m *importer) inside(s *setting, n *yaml.Node, key string) *setting {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for _, pair := range m.inv.pairs(s.file, n) {
		if pair.key.Value == key && !isNull(pair.value) {
			at := strict.Place{Source: s.file.Source, Position: placeOr(pair.key, s.at), Name: s.name + "." + key}
			return &setting{&variable{name: s.name + "." + key, value: pair.value, at: at, file: s.file}, s.host}
		}
	}
	return nil
}

// unindented takes address and port from where they stand as variables of their
// own, right below loadbalancer_apiserver.
func (m *importer) unindented(s *setting, out *balancer) {
	for _, part := range []struct {
		name  string
		field **setting
	}{{"address", &out.address}, {"port", &out.port}} {
		v := m.inv.lookup(s.host, part.name)
		if *part.field != nil || v == nil || v.file != s.file || isNull(v.value) {
			continue
		}
		m.handled[part.name] = true
		*part.field = &setting{v, s.host}
		m.inv.warn(v.at, "indent it by two blanks", "%s stands beside loadbalancer_apiserver instead of in it, as some guides print it: it is taken for the balancer's %s", part.name, part.name)
	}
}

func isEmpty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && (n.Value == "" || isNull(n)) }

// externalBalancer writes the user's own balancer.
func (m *importer) externalBalancer(own *balancer) {
	lb := &m.doc.Spec.Endpoint.LoadBalancer
	m.r.Set(balancerPath.Key("mode"), own.at)
	lb.Mode = "external"
	p := balancerPath.Key("address")
	if address, ok := m.scalar(p, own.address); ok && !m.refuseStandIn(p, own.address.name, address) {
		lb.Address = address
	}
	m.endpointPort(own.port)
}

// endpointPort writes the endpoint's port, which a balancer or proxy says, and that of the
// API servers, kube_apiserver_port. Where the one is not given, it is the other.
func (m *importer) endpointPort(own *setting) {
	e, servers := &m.doc.Spec.Endpoint, &m.doc.Spec.Kubernetes.APIServer.Port
	m.number(strict.Path("spec.kubernetes.apiServer.port"), servers, "kube_apiserver_port")
	p := endpointPath.Key("port")
	if own == nil {
		if s := m.cluster("kube_apiserver_port"); s != nil && *servers != 0 {
			m.r.Set(p, s.at)
			e.Port = *servers
		}
		return
	}
	port, ok := m.integer(p, own)
	if !ok {
		return
	}
	e.Port = int(port)
	if listen := cmp.Or(*servers, 6443); e.LoadBalancer.Mode == "kube-vip" && e.Port != listen {
		m.r.Errorf(p, "write the same port for both; or make a cluster file with mode managed and the role load-balancer on the control-plane hosts, which carries from one port to the other",
			"%s is %d and the API servers listen on %d: kube-vip moves an address and leaves ports as they are, so nobody would answer there", own.name, port, listen)
		e.Port = listen
	}
}

// localBalancer writes the proxy on every node.
func (m *importer) localBalancer(at *setting) {
	lb := &m.doc.Spec.Endpoint.LoadBalancer
	lb.Mode = "localhost"
	m.r.Set(balancerPath.Key("mode"), whole(m.inv.file))
	if at != nil {
		m.r.Set(balancerPath.Key("mode"), at.at)
	}
	if s := m.text(balancerPath.Key("type"), &lb.Type, "loadbalancer_apiserver_type"); s == nil && !m.isKubeSphere {
		lb.Type = "nginx" // kubespray's own
		m.r.Set(balancerPath.Key("type"), whole(m.inv.file))
	}
	m.endpointPort(m.cluster("loadbalancer_apiserver_port"))
}

// endpointDomain writes the endpoint's name. hasAddress says that there is a
// balancer with an address of its own; else kubespray has no name for it.
func (m *importer) endpointDomain(hasAddress bool) {
	const kubesprays = "lb-apiserver.kubernetes.local"
	p := endpointPath.Key("domain")
	e := &m.doc.Spec.Endpoint
	s := m.cluster("apiserver_loadbalancer_domain_name")
	if s == nil {
		if !m.isKubeSphere {
			e.Domain = kubesprays
			m.r.Set(p, whole(m.inv.file))
		}
		return
	}
	value, ok := m.scalar(p, s)
	switch {
	case !ok:
	case isAddress(value) || value == "localhost":
		m.tell(s, "write a name to choose it yourself", "apiserver_loadbalancer_domain_name is no name of its own: the API gets the name %s, which every host resolves by its hosts file", kubesprays)
		e.Domain = kubesprays
	default:
		e.Domain = value
		if !hasAddress {
			m.tell(s, "", "apiserver_loadbalancer_domain_name is used without a balancer too: nodes resolve it to their own proxy")
		}
	}
}

// balancerRemarks tells about settings of kubespray's proxy that are otherwise.
func (m *importer) balancerRemarks() {
	for _, known := range []struct{ name, usual, follows string }{
		{"loadbalancer_apiserver_port", "6443", "the port is the balancer's own, loadbalancer_apiserver.port"},
		{"loadbalancer_apiserver_healthcheck_port", "8081", "the proxy on the nodes has no port for its own health; it is a systemd unit"},
		{"loadbalancer_apiserver_keepalive_timeout", "5m", "connections through the proxy are kept for an hour without traffic"},
		{"loadbalancer_apiserver_request_timeout", "", "connections through the proxy are kept for an hour without traffic"},
		{"loadbalancer_apiserver_type", "nginx", "there is no proxy on the nodes in this mode"},
	} {
		if m.handled[known.name] {
			continue
		}
		if s := m.cluster(known.name); s != nil && canonical(s.value) != known.usual {
			m.tell(s, "", "%s is not used: %s", s.name, known.follows)
		}
	}
}
