package strict

import "go.yaml.in/yaml/v4"

// entry is one key of a mapping and its value.
type entry struct{ key, value *yaml.Node }

// entries returns a mapping's entries, those merged in by << included where the
// mapping does not have the key itself, and reports keys that are given twice
// or are no text.
func (d *decoder) entries(n *yaml.Node) []entry {
	var all []entry
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if isMerge(key) || !d.newKey(key, first) {
			continue
		}
		all = append(all, entry{key, value})
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			continue
		}
		for _, e := range d.merged(n.Content[i+1]) {
			if first[e.key.Value] == nil {
				first[e.key.Value] = e.key
				all = append(all, e)
			}
		}
	}
	return all
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

// merged returns the entries that the value of a << stands for: a mapping's, or
// those of a list of mappings, of which the first that has a key wins.
func (d *decoder) merged(n *yaml.Node) []entry {
	if !d.visit(n) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		if d.open[n.Alias] {
			d.ErrorAt(Position(n), "", "alias *%s contains itself", n.Value)
			return nil
		}
		d.open[n.Alias] = true
		defer delete(d.open, n.Alias)
		return d.merged(n.Alias)
	case yaml.MappingNode:
		d.nodes += len(n.Content)
		return d.entries(n)
	case yaml.SequenceNode:
		var all []entry
		for _, from := range n.Content {
			all = append(all, d.merged(from)...)
		}
		return all
	}
	d.ErrorAt(Position(n), "", "<< must name a mapping, not %s", Describe(n))
	return nil
}

// newKey reports whether a mapping's key is a text that it did not have yet,
// and complains if not.
func (d *decoder) newKey(key *yaml.Node, first map[string]*yaml.Node) bool {
	if key.Kind != yaml.ScalarNode {
		d.ErrorAt(Position(key), "", "a key must be text, not %s", Describe(key))
		return false
	}
	if before, ok := first[key.Value]; ok {
		d.ErrorAt(Position(key), "remove one of the two",
			"key %q is given twice, first on line %d", KeyName(key.Value), before.Line)
		return false
	}
	first[key.Value] = key
	return true
}
