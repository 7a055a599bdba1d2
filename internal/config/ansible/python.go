package ansible

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// pythonValue is what Ansible takes a value in an INI inventory for: a Python
// literal (True, 42, 'text', ['a', 'b'], {'a': 1}) where it is one, else text.
// Numbers keep the text that they were written with.
func pythonValue(s string) *yaml.Node {
	p := &pythonReader{rest: s}
	n := p.value(0)
	p.space()
	if n == nil || p.rest != "" && !strings.HasPrefix(p.rest, "#") {
		return text(s)
	}
	return n
}

// pythonDepth is how deep lists and dictionaries may be in each other.
const pythonDepth = 20

var pythonNumber = regexp.MustCompile(`^[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?`)

// pythonReader reads one literal.
type pythonReader struct{ rest string }

func (p *pythonReader) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take removes a prefix, if it is there.
func (p *pythonReader) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// value reads a literal, or returns nil.
func (p *pythonReader) value(depth int) *yaml.Node {
	p.space()
	if depth > pythonDepth || p.rest == "" {
		return nil
	}
	for name, tag := range map[string]string{"True": "!!bool", "False": "!!bool", "None": "!!null"} {
		if rest, ok := strings.CutPrefix(p.rest, name); ok && !continuesWord(rest) {
			p.rest = rest
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: strings.ToLower(name)}
		}
	}
	switch c := p.rest[0]; c {
	case '\'', '"':
		return p.quoted(c)
	case '[':
		p.rest = p.rest[1:]
		return p.list(depth, "]")
	case '(':
		p.rest = p.rest[1:]
		return p.list(depth, ")")
	case '{':
		p.rest = p.rest[1:]
		return p.dictionary(depth)
	}
	number := pythonNumber.FindString(p.rest)
	if number == "" || continuesWord(p.rest[len(number):]) {
		return nil
	}
	p.rest = p.rest[len(number):]
	tag := "!!int"
	if strings.Contains(number, ".") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: number}
}

// continuesWord reports whether what follows a word or number belongs to it.
func continuesWord(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && !strings.ContainsRune(" \t,]})#:", r)
}

// quoted reads a text in quotes, without prefixes or line breaks.
func (p *pythonReader) quoted(quote byte) *yaml.Node {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return text(b.String())
		case c == '\\' && i+1 < len(p.rest):
			if r, _, tail, err := strconv.UnquoteChar(p.rest[i:], quote); err == nil {
				b.WriteRune(r)
				i = len(p.rest) - len(tail) - 1
				continue
			}
			b.WriteByte(c) // an unknown escape stands for itself
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

func (p *pythonReader) list(depth int, end string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for {
		if p.space(); p.take(end) {
			return n
		}
		item := p.value(depth + 1)
		if item == nil {
			return nil
		}
		n.Content = append(n.Content, item)
		if p.space(); !p.take(",") && !strings.HasPrefix(p.rest, end) {
			return nil
		}
	}
}

func (p *pythonReader) dictionary(depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for {
		if p.space(); p.take("}") {
			return n
		}
		key := p.value(depth + 1)
		if key == nil || key.Kind != yaml.ScalarNode {
			return nil
		}
		if p.space(); !p.take(":") {
			return nil
		}
		value := p.value(depth + 1)
		if value == nil {
			return nil
		}
		n.Content = append(n.Content, key, value)
		if p.space(); !p.take(",") && !strings.HasPrefix(p.rest, "}") {
			return nil
		}
	}
}
