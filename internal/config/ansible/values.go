package ansible

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// canonicalLength is how much of a value is written for comparing.
const canonicalLength = 4096

// canonical is a value in a form in which equal ones are the same text: blanks
// around it removed, nothing and "" alike, every word for true "true".
func canonical(n *yaml.Node) string {
	var b strings.Builder
	writeCanonical(&b, n, 0)
	return b.String()
}

func writeCanonical(b *strings.Builder, n *yaml.Node, depth int) {
	n = follow(n)
	if depth > maxDepth || b.Len() > canonicalLength {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		value := strings.TrimSpace(n.Value)
		switch lower := strings.ToLower(value); {
		case isNull(n):
		case n.Tag == "!vault":
			b.WriteString("!vault")
		case lower == "true" || lower == "yes":
			b.WriteString("true")
		case lower == "false" || lower == "no":
			b.WriteString("false")
		default:
			b.WriteString(value)
		}
	default:
		open, end := "[", "]"
		if n.Kind == yaml.MappingNode {
			open, end = "{", "}"
		}
		b.WriteString(open)
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, item, depth+1)
		}
		b.WriteString(end)
	}
}

// compact is canonical without blanks and quotes, for comparing expressions that
// releases write differently.
func compact(n *yaml.Node) string {
	return strings.NewReplacer(" ", "", "\n", "", "\t", "", "ansible.utils.", "", `"`, "", "'", "").Replace(canonical(n))
}

// scalarValue is what one value means by YAML's core schema.
func scalarValue(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		if v, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return v
		}
	case "!!int":
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return v
		}
	case "!!float":
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil && v == v && v-v == 0 {
			return v
		}
	}
	return n.Value
}

// placeOr is where a node stands; values of INI inventories have no place of
// their own, and get that of their variable.
func placeOr(n *yaml.Node, other strict.Place) diag.Position {
	if n.Line > 0 {
		return strict.Position(n)
	}
	return other.Position
}

// hasPrefix reports whether a name begins with any of some prefixes.
func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
