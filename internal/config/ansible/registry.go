package ansible

import (
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

const (
	mirrorsPath  = strict.Path("spec.registry.mirrors")
	insecurePath = strict.Path("spec.registry.insecure")
)

// registry fills in mirrors of registries, and those without TLS.
func (m *importer) registry() {
	if s := m.cluster("docker_registry_mirrors"); s != nil {
		for _, mirror := range m.texts(mirrorsPath, s) {
			m.mirror(s, "docker.io", mirror)
		}
	}
	if s := m.cluster("containerd_registries_mirrors"); s != nil {
		m.containerdMirrors(s)
	}
	if s := m.cluster("containerd_registries"); s != nil {
		m.mirrorsByRegistry(s, false)
	}
	for _, name := range []string{"docker_insecure_registries", "insecure_registries", "containerd_insecure_registries"} {
		s := m.cluster(name)
		if s == nil {
			continue
		}
		if n := m.value(insecurePath, s); n != nil && n.Kind == yaml.MappingNode {
			// Its keys are registries and its values where they are reached
			// instead: it is those whose certificates do not count.
			m.mirrorsByRegistry(s, true)
			continue
		}
		for _, registry := range m.texts(insecurePath, s) {
			m.insecure(s, registry)
		}
	}
}

// mirror adds a mirror of a registry.
func (m *importer) mirror(s *setting, registry, address string) {
	r := &m.doc.Spec.Registry
	if r.Mirrors == nil {
		r.Mirrors = map[string][]string{}
		m.r.Set(mirrorsPath, s.at)
	}
	p := mirrorsPath.Key(registry)
	m.r.Set(p, s.at)
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	m.r.Set(p.Index(len(r.Mirrors[registry])), s.at)
	r.Mirrors[registry] = append(r.Mirrors[registry], strings.TrimSuffix(address, "/"))
}

// insecure adds a registry without TLS, once.
func (m *importer) insecure(s *setting, registry string) {
	r := &m.doc.Spec.Registry
	if _, err := netip.ParsePrefix(registry); err != nil { // a range is no registry, and told
		registry = hostOf(registry)
	}
	for _, known := range r.Insecure {
		if known == registry {
			return
		}
	}
	m.r.Set(insecurePath, s.at)
	m.r.Set(insecurePath.Index(len(r.Insecure)), s.at)
	r.Insecure = append(r.Insecure, registry)
}

// containerdMirrors reads a list of {prefix, mirrors: [{host, skip_verify}]}.
func (m *importer) containerdMirrors(s *setting) {
	list := m.value(mirrorsPath, s)
	if list == nil || isNull(list) {
		return
	}
	if list.Kind != yaml.SequenceNode {
		m.r.Errorf(mirrorsPath, "", "%s must be a list of {prefix: …, mirrors: [{host: …}]}", s.name)
		return
	}
	for _, item := range list.Content {
		m.tellOfMirror(s, item, "prefix", "mirrors", "server")
		prefix, ok := m.child(mirrorsPath, s, item, "prefix")
		mirrors := childOf(item, "mirrors")
		if !ok || mirrors == nil || mirrors.Kind != yaml.SequenceNode {
			m.r.Errorf(mirrorsPath, "", "an element of %s must be {prefix: …, mirrors: [{host: …}]}", s.name)
			return
		}
		for _, mirror := range mirrors.Content {
			address, ok := m.child(mirrorsPath, s, mirror, "host")
			if !ok {
				m.r.Errorf(mirrorsPath, "", "a mirror in %s has no host that is known", s.name)
				return
			}
			m.tellOfMirror(s, mirror, "host", "skip_verify", "override_path", "capabilities")
			if capable := childOf(mirror, "capabilities"); capable != nil && !isCapable(capable) {
				m.tell(s, "remove it, or give it the capabilities pull and resolve", "%s: the mirror %s of %s is left out: it is not one to pull and to resolve names from", s.name, quote(address), quote(prefix))
				continue
			}
			if override := childOf(mirror, "override_path"); override != nil && canonical(override) == "true" && !hasAPIPath(address) {
				m.r.Errorf(mirrorsPath, "write the address with the path of the registry's API, as https://harbor.example.com/v2/PROJECT",
					"%s: override_path of %s: its path does not begin with /v2", s.name, quote(address))
				continue
			}
			m.mirror(s, prefix, address)
			if skip := childOf(mirror, "skip_verify"); skip != nil && canonical(skip) == "true" {
				m.insecure(s, address)
			}
		}
	}
}

// mirrorsByRegistry reads a mapping of registries to one address or several, whose
// certificates do not count where they are insecure.
func (m *importer) mirrorsByRegistry(s *setting, insecure bool) {
	n := m.value(mirrorsPath, s)
	if n == nil || isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		m.r.Errorf(mirrorsPath, "", "%s must be a mapping (registry: address)", s.name)
		return
	}
	for _, pair := range m.inv.pairs(s.file, n) {
		items := []*yaml.Node{pair.value}
		if pair.value.Kind == yaml.SequenceNode {
			items = pair.value.Content
		}
		for _, item := range items {
			address, why := m.resolve(item, s.host)
			switch {
			case why != nil || address.Kind != yaml.ScalarNode:
				m.r.Errorf(mirrorsPath.Key(pair.key.Value), "write the address out", "%s: an address for %s is not known, or no text", s.name, quote(pair.key.Value))
			case pair.key.Value == "docker.io" && address.Value == "https://registry-1.docker.io": // the registry itself
			case insecure && hostOf(address.Value) == hostOf(pair.key.Value):
				m.insecure(s, address.Value)
			default:
				m.mirror(s, hostOf(pair.key.Value), address.Value)
				if insecure {
					m.insecure(s, address.Value)
				}
			}
		}
	}
}

// child is the text of a mapping's key, resolved.
func (m *importer) child(p strict.Path, s *setting, n *yaml.Node, key string) (string, bool) {
	inside := childOf(n, key)
	if inside == nil {
		return "", false
	}
	value, why := m.resolve(inside, s.host)
	if why != nil {
		m.r.Errorf(p, why.hint, "%s: %s %s", s.name, key, why.why)
		return "", false
	}
	return value.Value, value.Kind == yaml.ScalarNode && value.Value != ""
}
