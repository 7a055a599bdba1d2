package ansible

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// maxDepth is how deep values, groups and aliases are followed.
const maxDepth = 30

// pair is one key of a mapping and its value, aliases followed; the value of a
// key with nothing behind it has the tag !!null.
type pair struct{ key, value *yaml.Node }

// pairs returns a mapping's keys in order, those merged in by << behind its own.
// A key that is given twice counts as Ansible counts it: the last one wins.
func (inv *inventory) pairs(f *strict.File, n *yaml.Node) []pair {
	var all []pair
	index := map[string]int{}
	var add func(n *yaml.Node, isMerged bool, depth int)
	add = func(n *yaml.Node, isMerged bool, depth int) {
		n = follow(n)
		if depth > maxDepth {
			return
		}
		if n.Kind == yaml.SequenceNode && isMerged {
			for _, item := range n.Content {
				add(item, true, depth+1)
			}
			return
		}
		if n.Kind != yaml.MappingNode {
			return
		}
		var merges []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], follow(n.Content[i+1])
			if !inv.count(1, strict.Place{Source: f.Source, Position: strict.Position(key)}) {
				return
			}
			before, isKnown := index[key.Value]
			switch {
			case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
				merges = append(merges, value)
			case key.Kind != yaml.ScalarNode:
				inv.fail(strict.Place{Source: f.Source, Position: strict.Position(key)}, "", "a key must be text, not %s", strict.Describe(key))
			case isKnown && !isMerged:
				inv.warn(strict.Place{Source: f.Source, Position: strict.Position(key)}, "remove one of the two",
					"%s is given twice, first on line %d; as with Ansible, the last one counts", quote(key.Value), all[before].key.Line)
				all[before] = pair{key, value}
			case !isKnown:
				index[key.Value] = len(all)
				all = append(all, pair{key, value})
			}
		}
		for _, m := range merges {
			add(m, true, depth+1)
		}
	}
	add(n, false, 0)
	return all
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// IsYAML reports whether a document is a YAML inventory: a mapping of groups,
// one of which has hosts or children.
func IsYAML(root *yaml.Node) bool {
	if root == nil || root.Kind != yaml.MappingNode || strict.Child(root, "apiVersion") != nil {
		return false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, g := root.Content[i].Value, root.Content[i+1]
		if name == "spec" || name == "metadata" {
			continue
		}
		for _, key := range []string{"hosts", "children"} {
			if inside := strict.Child(g, key); inside != nil && inside.Kind == yaml.MappingNode {
				return true
			}
		}
	}
	return false
}

// readYAML reads a YAML inventory.
func (inv *inventory) readYAML(f *strict.File, root *yaml.Node) {
	for _, p := range inv.pairs(f, root) {
		inv.readGroup(f, p, nil, 0)
	}
}

// readGroup reads a group: its hosts, variables and the groups in it.
func (inv *inventory) readGroup(f *strict.File, p pair, parent *group, depth int) {
	at := strict.Place{Source: f.Source, Position: strict.Position(p.key)}
	if depth > maxDepth {
		inv.fail(at, "", "groups are in each other more than %d deep", maxDepth)
		return
	}
	g := inv.group(p.key.Value, at)
	if !g.isDefined && p.value.Kind == yaml.MappingNode {
		g.at = at
	}
	g.isDefined = true
	if parent != nil && parent != inv.groups["all"] {
		inv.addChild(parent, g, at)
	}
	if isNull(p.value) {
		return
	}
	if p.value.Kind != yaml.MappingNode {
		inv.fail(at, "a group has hosts:, children: and vars:", "the group %s must be a mapping (key: value), not %s", quote(g.name), strict.Describe(p.value))
		return
	}
	for _, part := range inv.pairs(f, p.value) {
		there := strict.Place{Source: f.Source, Position: strict.Position(part.key)}
		switch part.key.Value {
		case "hosts":
			inv.readHosts(f, part, g)
		case "vars":
			for _, v := range inv.pairs(f, part.value) {
				g.vars[v.key.Value] = inv.define(f, v)
			}
		case "children":
			for _, child := range inv.pairs(f, part.value) {
				inv.readGroup(f, child, g, depth+1)
			}
		default:
			hint := strict.DidYouMean(part.key.Value, []string{"hosts", "children", "vars"})
			if hint == "" {
				hint = "groups stand below children:, variables below vars:"
			}
			inv.warn(there, hint, "a group has hosts, children and vars; Ansible ignores %s in the group %s", quote(part.key.Value), quote(g.name))
			continue
		}
		if k := part.value.Kind; k != yaml.MappingNode && !isNull(part.value) {
			hint := ""
			if part.key.Value != "vars" {
				hint = "write each name as a key, with a colon behind it and no dash before it"
			}
			inv.fail(there, hint, "%s of the group %s must be a mapping (key: value), not %s", part.key.Value, quote(g.name), strict.Describe(part.value))
		}
	}
}

// readHosts reads a group's hosts with their variables.
func (inv *inventory) readHosts(f *strict.File, hosts pair, g *group) {
	for _, h := range inv.pairs(f, hosts.value) {
		at := strict.Place{Source: f.Source, Position: strict.Position(h.key)}
		if !isNull(h.value) && h.value.Kind != yaml.MappingNode {
			inv.fail(at, "", "the host %s must have variables (key: value), not %s", quote(h.key.Value), strict.Describe(h.value))
			continue
		}
		var vars []*variable
		for _, v := range inv.pairs(f, h.value) {
			vars = append(vars, inv.define(f, v))
		}
		inv.addHosts(h.key.Value, g, vars, at)
	}
}

// define notes a variable of a YAML file.
func (inv *inventory) define(f *strict.File, p pair) *variable {
	v := &variable{
		name: p.key.Value, value: p.value, file: f,
		at: strict.Place{Source: f.Source, Position: strict.Position(p.key), Name: strict.Clip(strict.Printable(p.key.Value))},
	}
	inv.variables = append(inv.variables, v)
	return v
}

// firstLine is where a document's text begins, for findings about all of it.
func firstLine(n *yaml.Node) diag.Position {
	if n == nil {
		return diag.Position{Line: 1, Column: 1}
	}
	return strict.Position(n)
}

// IsEncrypted reports whether a whole file is encrypted with Ansible Vault.
func IsEncrypted(f *strict.File) bool {
	return strings.HasPrefix(strings.TrimPrefix(string(f.Data[:min(len(f.Data), 64)]), "\ufeff"), "$ANSIBLE_VAULT;")
}
