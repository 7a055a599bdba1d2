package ansible

import (
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A value may be written in Jinja, or be encrypted. Quorate runs no Jinja: what
// is resolved is a text with plain {{ names }} of variables that are known, and
// {{ name.key }} of those that are mappings.
var (
	templated = regexp.MustCompile(`\{\{|\{%|\{#`)
	plainPart = regexp.MustCompile(`\{\{-?\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*-?\}\}`)
)

// The limits of resolving: how far names lead to names, and how long the text
// may become that is made of them.
const (
	maxReferences = 10
	maxResolved   = 64 << 10
)

// unresolved says why a value is not known, and what to do.
type unresolved struct{ why, hint string }

const plainHint = "write the value out"

// resolve returns what a value means on a host, or why that is not known.
func (m *importer) resolve(n *yaml.Node, h *host) (*yaml.Node, *unresolved) {
	budget := maxResolved
	return m.resolveDeep(n, h, 0, &budget)
}

func (m *importer) resolveDeep(n *yaml.Node, h *host, depth int, budget *int) (*yaml.Node, *unresolved) {
	n = follow(n)
	switch {
	case n.Tag == "!vault":
		return nil, &unresolved{"is encrypted with Ansible Vault, which Quorate does not decrypt", "write the value in the clear, or make a cluster file (quorate import) and refer to secrets by passwordFrom"}
	case n.Kind != yaml.ScalarNode || n.Tag == "!unsafe" || !templated.MatchString(n.Value):
		return n, nil
	case depth > maxReferences:
		return nil, &unresolved{"refers to itself, or through too many variables", plainHint}
	}
	var failed *unresolved
	var only *yaml.Node
	out := plainPart.ReplaceAllStringFunc(n.Value, func(part string) string {
		if failed != nil {
			return ""
		}
		name := plainPart.FindStringSubmatch(part)[1]
		value, why := m.named(name, h, depth, budget)
		switch {
		case why != nil:
			failed = why
			return ""
		case part == strings.TrimSpace(n.Value):
			only = value
			return ""
		case value.Kind != yaml.ScalarNode:
			failed = &unresolved{"holds {{ " + name + " }}, which is no text", plainHint}
			return ""
		}
		*budget -= len(value.Value)
		if *budget < 0 {
			failed = &unresolved{"is too long once its variables are filled in", plainHint}
			return ""
		}
		return value.Value
	})
	switch {
	case failed != nil:
		return nil, failed
	case only != nil:
		return only, nil
	case templated.MatchString(plainPart.ReplaceAllString(n.Value, "")):
		return nil, &unresolved{"is a Jinja expression that only Ansible can work out", plainHint + "; only plain {{ names }} of variables in these files are filled in"}
	}
	resolved := *n
	resolved.Value, resolved.Tag = out, "!!str"
	return &resolved, nil
}

// named returns the value of a name in a template.
func (m *importer) named(name string, h *host, depth int, budget *int) (*yaml.Node, *unresolved) {
	first, rest, _ := strings.Cut(name, ".")
	switch first {
	case "inventory_hostname":
		return text(h.name), nil
	case "inventory_hostname_short":
		short, _, _ := strings.Cut(h.name, ".")
		return text(short), nil
	case "inventory_dir":
		return text(m.folderOfInventory()), nil
	}
	v := m.inv.lookup(h, first)
	if v == nil {
		hint := plainHint
		if len(m.inv.encrypted) > 0 {
			hint += "; it may be in " + m.inv.encrypted[0].Source.Name() + ", which is encrypted"
		}
		return nil, &unresolved{"refers to {{ " + name + " }}, which these files do not define", hint}
	}
	m.referred[v] = true
	n, why := m.resolveDeep(v.value, h, depth+1, budget)
	for why == nil && rest != "" {
		var key string
		key, rest, _ = strings.Cut(rest, ".")
		inside := childOf(n, key)
		if inside == nil {
			return nil, &unresolved{"refers to {{ " + name + " }}, which these files do not define", plainHint}
		}
		n, why = m.resolveDeep(inside, h, depth+1, budget)
	}
	if why != nil && depth == 0 { // names on the way are of little help
		why = &unresolved{"refers to {{ " + name + " }}, which " + why.why, why.hint}
	}
	return n, why
}

// childOf is the value of a mapping's key, aliases followed, or nil.
func childOf(n *yaml.Node, key string) *yaml.Node {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return follow(n.Content[i+1])
		}
	}
	return nil
}

// folderOfInventory is what {{ inventory_dir }} stands for, as seen from the
// folder of the first file, which relative paths are relative to.
func (m *importer) folderOfInventory() string {
	folder := filepath.Dir(m.inv.file.Path)
	if rel, err := filepath.Rel(filepath.Dir(m.files[0].Path), folder); err == nil {
		return rel
	}
	return folder
}
