package strict

import (
	"cmp"
	"fmt"
	"math"
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
	*Report
	Options
	document  reflect.Type // what the root is decoded into
	nodes     int
	exhausted bool // there were more than maxNodes
	// open are the aliases being followed, to notice one inside itself.
	open map[*yaml.Node]bool
}

// Options are how a document is decoded. The zero value is as strict as can be.
type Options struct {
	// Loose takes a quoted number or truth value for what it says, an unquoted
	// one for text, and matches keys without regard to case: as JSON decoders
	// do whose files are to be read.
	Loose bool
	// Unknown is called for a key that the type does not have, and says what
	// there is to say; p is the path of the mapping that it stands in, known
	// the keys that the mapping may have. Nil makes it an error.
	Unknown func(key *yaml.Node, p Path, known []string)
}

// Decode fills out, a pointer to a struct, from a document's root mapping. The
// struct's fields are found by their yaml tags. A *yaml.Node takes a value as
// it stands, an any what it means (nil, bool, int64, float64, string, []any or
// map[string]any).
func Decode(r *Report, root *yaml.Node, out any, o Options) {
	target := reflect.ValueOf(out).Elem()
	d := &decoder{Report: r, Options: o, document: target.Type(), open: map[*yaml.Node]bool{}}
	d.value(root, target, "", topLevel)
}

// Position is where a node stands.
func Position(n *yaml.Node) diag.Position { return diag.Position{Line: n.Line, Column: n.Column} }

// visit counts a node and reports whether decoding may go on; the first node
// too many is reported.
func (d *decoder) visit(n *yaml.Node) bool {
	d.nodes++
	if d.nodes > maxNodes && !d.exhausted {
		d.exhausted = true
		d.ErrorAt(Position(n), "write the values out instead of repeating them by aliases",
			"the file is too large once its aliases are followed (more than %d values)", maxNodes)
	}
	return !d.exhausted
}

// value decodes one node. what names the value for messages.
func (d *decoder) value(n *yaml.Node, out reflect.Value, p Path, what string) {
	if !d.visit(n) {
		return
	}
	if n.Kind == yaml.AliasNode {
		if d.open[n.Alias] {
			d.Errorf(p, "", "%s: alias *%s contains itself", what, n.Value)
			return
		}
		d.open[n.Alias] = true
		defer delete(d.open, n.Alias)
		n = n.Alias
	}
	if isNull(n) {
		return // "key:" with nothing behind it is as if it were not there
	}
	d.Set(p, Place{Source: d.src, Position: Position(n)})

	switch {
	case out.Type() == nodeType:
		out.Set(reflect.ValueOf(n))
	case out.Kind() == reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(n, out.Elem(), p, what)
	case out.Kind() == reflect.Struct:
		d.structure(n, out, p, what)
	case out.Kind() == reflect.Slice:
		d.list(n, out, p, what)
	case out.Kind() == reflect.Map:
		d.mapping(n, out, p, what)
	case out.Kind() == reflect.Interface:
		if v := d.free(n, p, what); v != nil {
			out.Set(reflect.ValueOf(v))
		}
	default:
		d.scalar(n, out, p, what)
	}
}

func (d *decoder) wrongType(n *yaml.Node, p Path, what, wanted, hint string) {
	if isTemplate(n) {
		d.Errorf(p, "write the value itself", "%s is a template ({{ … }}), which nothing here fills in", what)
		return
	}
	d.Errorf(p, hint, "%s must be %s, not %s", what, wanted, Describe(n))
}

// isTemplate reports whether a node is what YAML takes {{ name }} for where it
// stands without quotes: a mapping whose only key is a mapping.
func isTemplate(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Kind == yaml.MappingNode && isNull(n.Content[1])
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// Describe names what a node is, never its value: it may be a secret that was
// put in the wrong place.
func Describe(n *yaml.Node) string {
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

func (d *decoder) structure(n *yaml.Node, out reflect.Value, p Path, what string) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, p, what, "a mapping (key: value)", cmp.Or(gluedHint(n.Value), hintIf(n.ShortTag() == "!!bool", "does the line stand in the column that it should? It may be indented too little, or too far")))
		return
	}
	known := Fields(out.Type())
	for _, e := range d.entries(n) {
		f := d.field(known, e.key.Value)
		if f < 0 && glued(e.key.Value) == "" && d.src.Hides(Position(e.key)) {
			// Its name may be a part of the password.
			d.ErrorAt(Position(e.key), "put the password in quotes, and a blank behind the comma", "an unknown key stands in %s, right behind a password without quotes", what)
			continue
		}
		if f < 0 && d.Unknown != nil {
			d.Unknown(e.key, p, keysOf(known))
			continue
		}
		if f < 0 {
			d.unknownKey(e.key, p, what, known)
			continue
		}
		at := p.Key(known[f].Key)
		d.keys[at] = Place{Source: d.src, Position: Position(e.key)}
		d.value(e.value, out.FieldByIndex(known[f].Index), at, known[f].Key)
	}
}

// field finds the field that a key is for, or returns -1.
func (d *decoder) field(known []Field, key string) int {
	f := slices.IndexFunc(known, func(f Field) bool { return f.Key == key })
	if f < 0 && d.Loose {
		f = slices.IndexFunc(known, func(f Field) bool { return strings.EqualFold(f.Key, key) })
	}
	return f
}

// mapping decodes a mapping whose keys are free.
func (d *decoder) mapping(n *yaml.Node, out reflect.Value, p Path, what string) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, p, what, "a mapping (key: value)", "")
		return
	}
	entries := reflect.MakeMap(out.Type())
	for _, e := range d.entries(n) {
		value := reflect.New(out.Type().Elem()).Elem()
		d.keys[p.Key(e.key.Value)] = Place{Source: d.src, Position: Position(e.key)}
		d.value(e.value, value, p.Key(e.key.Value), what+": "+Clip(Printable(e.key.Value)))
		entries.SetMapIndex(reflect.ValueOf(e.key.Value), value)
	}
	out.Set(entries)
}

// free decodes what has no type of its own, by YAML's core schema.
func (d *decoder) free(n *yaml.Node, p Path, what string) any {
	switch n.Kind {
	case yaml.MappingNode:
		var m map[string]any
		d.mapping(n, reflect.ValueOf(&m).Elem(), p, what)
		return m
	case yaml.SequenceNode:
		var l []any
		d.list(n, reflect.ValueOf(&l).Elem(), p, what)
		return l
	}
	switch n.ShortTag() {
	case "!!bool":
		if v, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return v
		}
	case "!!int":
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return v
		}
		d.wrongType(n, p, what, "a number of 64 bits", "")
		return nil
	case "!!float":
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
		d.wrongType(n, p, what, "a finite number", "")
		return nil
	}
	return n.Value
}

// unknownKey reports a key that the struct does not have. When it is nearly one
// that it has, that one counts as mentioned, so that nobody is told both that
// "adress" is unknown and that the address is missing.
func (d *decoder) unknownKey(key *yaml.Node, p Path, what string, known []Field) {
	if d.Full(diag.SeverityError) {
		d.dropped[diag.SeverityError]++
		d.MarkBad(p.Key(key.Value))
		return
	}
	name := KeyName(key.Value)
	if hint := KeyHint(key.Value, keysOf(known)); hint != "" {
		d.ErrorAt(Position(key), hint, "unknown key %q in %s", name, what)
		d.MarkBad(p.Key(cmp.Or(Nearest(glued(key.Value), keysOf(known)), Nearest(key.Value, keysOf(known)))))
		return
	}
	hint := "known here: " + strings.Join(keysOf(known), ", ")
	if home := homeOf(key.Value, known, d.document); home != "" {
		hint = fmt.Sprintf("%q belongs in %s", name, home)
	}
	d.ErrorAt(Position(key), hint, "unknown key %q in %s", name, what)
}

// Clip shortens what a message quotes.
func Clip(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

func (d *decoder) list(n *yaml.Node, out reflect.Value, p Path, what string) {
	if n.Kind != yaml.SequenceNode {
		hint := "write " + what + ": [a, b], or one element a line after \"- \""
		if strings.HasPrefix(n.Value, "-") {
			hint = "write a blank behind each dash"
		}
		d.wrongType(n, p, what, "a list", hint)
		return
	}
	items := reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, items.Index(i), p.Index(i), elementName(what, item))
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
			return "host " + Clip(Printable(v.Value))
		}
	}
	return one
}

// scalar decodes a text, a number, a truth value or a duration.
func (d *decoder) scalar(n *yaml.Node, out reflect.Value, p Path, what string) {
	tag := n.ShortTag()
	isText := n.Kind == yaml.ScalarNode && tag == "!!str"
	switch {
	case out.Type() == durationType:
		d.duration(n, out, p, what)
	case out.Kind() == reflect.String:
		// 1.36 and 12345 are numbers to YAML, and text to whoever wrote them
		// as a version or a password: taken as they stand.
		if n.Kind != yaml.ScalarNode || tag == "!!bool" && !d.Loose {
			d.wrongType(n, p, what, "text", hintIf(tag == "!!bool", "put it in quotes"))
			return
		}
		out.SetString(n.Value)
	case out.Kind() == reflect.Bool:
		value, err := strconv.ParseBool(n.Value)
		if tag != "!!bool" && !(isText && d.Loose) || err != nil {
			d.wrongType(n, p, what, "true or false", "")
			return
		}
		out.SetBool(value)
	default: // whole numbers
		value, err := strconv.ParseInt(n.Value, 10, 64)
		if tag != "!!int" && !(isText && d.Loose) || err != nil {
			d.notWhole(n, p, what)
			return
		}
		out.SetInt(value)
	}
}

// notWhole reports what should be a whole number and is none.
func (d *decoder) notWhole(n *yaml.Node, p Path, what string) {
	_, err := strconv.Atoi(n.Value)
	switch tag := n.ShortTag(); {
	case n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float":
		d.wrongType(n, p, what, "a whole number", hintIf(err == nil, "remove the quotes"))
	case strings.ContainsAny(n.Value, ".eE"):
		d.Errorf(p, "", "%s must be a whole number, not %s", what, Clip(n.Value))
	default: // of too many digits, or to another base
		d.Errorf(p, "", "%s must be a whole number, with decimal digits and not too many of them, not %s", what, Clip(n.Value))
	}
}

func (d *decoder) duration(n *yaml.Node, out reflect.Value, p Path, what string) {
	value, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && n.Value != "0":
		d.Errorf(p, fmt.Sprintf("write %ss or %sms", Clip(n.Value), Clip(n.Value)), "%s needs a unit", what)
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
