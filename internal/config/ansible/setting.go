package ansible

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// setting is a variable that holds for the whole cluster, with the host from
// whose viewpoint it was found.
type setting struct {
	*variable
	host *host
}

// cluster finds a variable that holds for the whole cluster, and notes that it
// is dealt with. Where hosts differ, the first control-plane host's counts, and
// that is told; etcd's settings are those of the first etcd host.
func (m *importer) cluster(name string) *setting {
	m.handled[name] = true
	hosts := m.members
	if strings.HasPrefix(name, "etcd_") {
		hosts = slices.Clone(hosts)
		slices.SortStableFunc(hosts, func(a, b *host) int { return rank(b, groupEtcd) - rank(a, groupEtcd) })
	}
	var found *setting
	for _, h := range hosts {
		v := m.inv.lookup(h, name)
		switch {
		case v == nil || isEmpty(follow(v.value)) && name != "loadbalancer_apiserver": // its value may stand below, unindented
		case found == nil:
			found = &setting{v, h}
		case v != found.variable && canonical(v.value) != canonical(found.value):
			m.inv.warn(v.at, "give all hosts the same value, in "+m.fileForAll(),
				"%s is another for host %s than for host %s, whose value is used for the whole cluster", name, quote(h.name), quote(found.host.name))
			return found
		}
	}
	return found
}

// rank is 1 for the hosts of a group and 0 for others, for sorting.
func rank(h *host, group string) int {
	if _, ok := h.isIn(group); ok {
		return 1
	}
	return 0
}

// fileForAll is where a variable of all hosts stands.
func (m *importer) fileForAll() string {
	if m.isKubeSphere {
		return "vars.yml"
	}
	if m.isKubeasz {
		return "[all:vars]"
	}
	return "group_vars/all"
}

// value returns what a setting means. It reports an error about the path if
// that is not known: the value is needed.
func (m *importer) value(p strict.Path, s *setting) *yaml.Node {
	m.r.Set(p, s.at)
	n, why := m.resolve(s.value, s.host)
	if why != nil {
		m.r.Errorf(p, why.hint, "the value of %s %s", s.name, why.why)
		return nil
	}
	return n
}

// scalar returns what a setting of one value says, as text.
func (m *importer) scalar(p strict.Path, s *setting) (string, bool) {
	n := m.value(p, s)
	if n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode || isNull(n) {
		hint := ""
		if n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
			hint = "put {{ … }} in quotes: YAML takes it for a mapping"
		}
		m.r.Errorf(p, hint, "%s must be one value, not %s", s.name, describe(n))
		return "", false
	}
	return strings.TrimSpace(n.Value), true
}

func describe(n *yaml.Node) string {
	if isNull(n) {
		return "nothing"
	}
	return strict.Describe(n)
}

// text sets a field to what a variable says, if any does.
func (m *importer) text(p strict.Path, field *string, name string) *setting {
	s := m.cluster(name)
	if s == nil {
		return nil
	}
	if value, ok := m.scalar(p, s); ok {
		*field = value
	}
	return s
}

// number is text for a whole number, quoted or not.
func (m *importer) number(p strict.Path, field *int, name string) {
	s := m.cluster(name)
	if s == nil {
		return
	}
	if value, ok := m.integer(p, s); ok {
		*field = int(value)
	}
}

// integer returns a setting's whole number.
func (m *importer) integer(p strict.Path, s *setting) (int64, bool) {
	value, ok := m.scalar(p, s)
	if !ok {
		return 0, false
	}
	n, err := parseWhole(value)
	if err != nil {
		m.r.Errorf(p, "", "%s must be a whole number", s.name)
		return 0, false
	}
	return n, true
}

// truth returns what a variable says by Ansible's words for yes and no; it is
// other when none does, or when that is not known, which is told.
func (m *importer) truth(name string, other bool) (bool, *setting) {
	s := m.cluster(name)
	if s == nil {
		return other, nil
	}
	n, why := m.resolve(s.value, s.host)
	if why == nil && n.Kind == yaml.ScalarNode {
		switch strings.ToLower(strings.TrimSpace(n.Value)) {
		case "true", "yes", "on", "y", "t", "1":
			return true, s
		case "false", "no", "off", "n", "f", "0", "":
			return false, s
		}
	}
	if why == nil {
		why = &unresolved{"is neither true nor false", "write true or false"}
	}
	m.inv.warn(s.at, why.hint, "the value of %s %s: it is taken for %v", name, why.why, other)
	return other, s
}

// texts returns the items of a setting that is a list, or one text with commas.
func (m *importer) texts(p strict.Path, s *setting) []string {
	n := m.value(p, s)
	if n == nil || isNull(n) {
		return nil
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return strings.FieldsFunc(n.Value, func(r rune) bool { return r == ',' || r == ' ' })
	case yaml.MappingNode:
		m.r.Errorf(p, "", "%s must be a list, not %s", s.name, describe(n))
		return nil
	}
	var out []string
	for i, item := range n.Content {
		at := p.Index(len(out))
		m.r.Set(at, s.at)
		value, why := m.resolve(item, s.host)
		switch {
		case why != nil:
			m.r.Errorf(p.Index(i), why.hint, "an element of %s %s", s.name, why.why)
		case value.Kind != yaml.ScalarNode || isNull(value):
			m.r.Errorf(p.Index(i), "", "an element of %s must be one value, not %s", s.name, describe(value))
		default:
			out = append(out, strings.TrimSpace(value.Value))
		}
	}
	return out
}

// lose is tell where the cluster will not have what the setting asks for.
func (m *importer) lose(s *setting, hint, lost, format string, args ...any) {
	m.r.TellLoss(diag.SeverityWarning, s.at, hint, "", fmt.Sprintf(format, args...), lost)
}

// tell warns about a setting whose meaning is not quite what it was.
func (m *importer) tell(s *setting, hint, format string, args ...any) {
	m.inv.warn(s.at, hint, "%s", fmt.Sprintf(format, args...))
}
