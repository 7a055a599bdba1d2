package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/diag"
)

// maxNodes is how many nodes decoding visits at most, each use of an alias
// counted anew. A real file of a thousand hosts has some ten thousand; aliases
// of aliases can pretend to be billions.
const maxNodes = 500_000

// decoder fills Go values from a YAML tree. Where the yaml package's own
// decoding stops at what it cannot place, this one goes on and reports
// everything: unknown and repeated keys, values of a wrong type, all with their
// place.
type decoder struct {
	*report
	nodes     int
	exhausted bool // there were more than maxNodes
	// open are the aliases being followed, to notice one inside itself.
	open map[*yaml.Node]bool
}

// decode fills out, a pointer to a struct, from a document's root mapping.
func decode(r *report, root *yaml.Node, out any) {
	d := &decoder{report: r, open: map[*yaml.Node]bool{}}
	d.value(root, reflect.ValueOf(out).Elem(), "", topLevel)
}

func position(n *yaml.Node) diag.Position { return diag.Position{Line: n.Line, Column: n.Column} }

// visit counts a node and reports whether decoding may go on; the first node
// too many is reported.
func (d *decoder) visit(n *yaml.Node) bool {
	d.nodes++
	if d.nodes > maxNodes && !d.exhausted {
		d.exhausted = true
		d.errorAt(position(n), "write the values out instead of repeating them by aliases",
			"the file is too large once its aliases are followed (more than %d values)", maxNodes)
	}
	return !d.exhausted
}

// value decodes one node. what names the value for messages.
func (d *decoder) value(n *yaml.Node, out reflect.Value, p path, what string) {
	if !d.visit(n) {
		return
	}
	if n.Kind == yaml.AliasNode {
		if d.open[n.Alias] {
			d.errorf(p, "", "%s: alias *%s contains itself", what, n.Value)
			return
		}
		d.open[n.Alias] = true
		defer delete(d.open, n.Alias)
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // "key:" with nothing behind it is as if it were not there
	}
	d.at[p] = position(n)

	switch {
	case out.Kind() == reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(n, out.Elem(), p, what)
	case out.Kind() == reflect.Struct:
		d.structure(n, out, p, what)
	case out.Kind() == reflect.Slice:
		d.list(n, out, p, what)
	case out.Kind() == reflect.Map:
		d.stringMap(n, out, p, what)
	default:
		d.scalar(n, out, p, what)
	}
}

func (d *decoder) wrongType(n *yaml.Node, p path, what, wanted, hint string) {
	d.errorf(p, hint, "%s must be %s, not %s", what, wanted, describe(n))
}

// describe names what a node is, never its value: it may be a secret that was
// put in the wrong place.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

func (d *decoder) structure(n *yaml.Node, out reflect.Value, p path, what string) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, p, what, "a mapping (key: value)", "")
		return
	}
	known := structFields(out.Type())
	for _, e := range d.entries(n) {
		f := slices.IndexFunc(known, func(f structField) bool { return f.key == e.key.Value })
		if f < 0 {
			d.unknownKey(e.key, p, what, known)
			continue
		}
		d.value(e.value, out.FieldByIndex(known[f].index), p.key(e.key.Value), e.key.Value)
	}
}

func (d *decoder) stringMap(n *yaml.Node, out reflect.Value, p path, what string) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, p, what, "a mapping (key: value)", "")
		return
	}
	entries := map[string]string{}
	for _, e := range d.entries(n) {
		var text string
		d.value(e.value, reflect.ValueOf(&text).Elem(), p.key(e.key.Value), what+": "+clip(printableText(e.key.Value)))
		entries[e.key.Value] = text
	}
	out.Set(reflect.ValueOf(entries))
}

// unknownKey reports a key that the struct does not have. When it is nearly one
// that it has, that one counts as mentioned, so that nobody is told both that
// "adress" is unknown and that the address is missing.
func (d *decoder) unknownKey(key *yaml.Node, p path, what string, known []structField) {
	if d.full() { // looking for the right key would be in vain
		d.dropped++
		d.markBad(p.key(key.Value))
		return
	}
	name := clip(key.Value)
	if best := nearest(key.Value, keysOf(known)); best != "" {
		d.errorAt(position(key), fmt.Sprintf("did you mean %q?", best), "unknown key %q in %s", name, what)
		d.markBad(p.key(best))
		return
	}
	hint := "known here: " + strings.Join(keysOf(known), ", ")
	if home := homeOf(key.Value, known); home != "" {
		hint = fmt.Sprintf("%q belongs in %s", name, home)
	}
	d.errorAt(position(key), hint, "unknown key %q in %s", name, what)
}

// clip shortens what a message quotes.
func clip(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

func (d *decoder) list(n *yaml.Node, out reflect.Value, p path, what string) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, p, what, "a list", "write "+what+": [a, b], or one element a line after \"- \"")
		return
	}
	items := reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, items.Index(i), p.index(i), elementName(what, item))
	}
	out.Set(items)
}

// elementName names a list's element for messages: a host by its name.
func elementName(what string, item *yaml.Node) string {
	one := "an element of " + what
	if what == "hosts" {
		one = "a host"
	}
	if item.Kind == yaml.AliasNode {
		item = item.Alias
	}
	if item.Kind != yaml.MappingNode {
		return one
	}
	for i := 0; i+1 < len(item.Content); i += 2 {
		if k, v := item.Content[i], item.Content[i+1]; k.Value == "name" && v.Kind == yaml.ScalarNode && v.Value != "" {
			return "host " + clip(printableText(v.Value))
		}
	}
	return one
}

// scalar decodes a text, a number, a truth value or a duration.
func (d *decoder) scalar(n *yaml.Node, out reflect.Value, p path, what string) {
	tag := n.ShortTag()
	isText := n.Kind == yaml.ScalarNode && tag == "!!str"
	switch {
	case out.Type() == durationType:
		d.duration(n, out, p, what)
	case out.Kind() == reflect.String:
		// 1.36 and 12345 are numbers to YAML, and text to whoever wrote them
		// as a version or a password: taken as they stand.
		if n.Kind != yaml.ScalarNode || tag == "!!bool" {
			d.wrongType(n, p, what, "text", hintIf(tag == "!!bool", "put it in quotes"))
			return
		}
		out.SetString(n.Value)
	case out.Kind() == reflect.Bool:
		value, err := strconv.ParseBool(n.Value)
		if tag != "!!bool" || err != nil {
			d.wrongType(n, p, what, "true or false", "")
			return
		}
		out.SetBool(value)
	default: // whole numbers
		value, err := strconv.ParseInt(n.Value, 10, 64)
		if tag != "!!int" || err != nil {
			_, quoted := strconv.Atoi(n.Value)
			d.wrongType(n, p, what, "a whole number", hintIf(isText && quoted == nil, "remove the quotes"))
			return
		}
		out.SetInt(value)
	}
}

func (d *decoder) duration(n *yaml.Node, out reflect.Value, p path, what string) {
	value, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && n.Value != "0":
		d.errorf(p, fmt.Sprintf("write %ss or %sms", clip(n.Value), clip(n.Value)), "%s needs a unit", what)
	case n.Kind != yaml.ScalarNode || err != nil:
		d.wrongType(n, p, what, "a time such as 10s or 100ms", "")
	default:
		out.SetInt(int64(value))
	}
}

func hintIf(yes bool, hint string) string {
	if yes {
		return hint
	}
	return ""
}
