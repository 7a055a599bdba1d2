package strict

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// CheckPasswords refuses passwords without quotes of which YAML takes a part, or
// all, for something else: a comma in braces ends them, # begins a comment, ! a
// tag, & an anchor. A password that is shorter than it was meant would only be
// noticed when a host refuses it. It reports whether all is well; if not, the
// rest of the file is not to be spoken about, for parts of passwords are in it.
func CheckPasswords(r *Report, roots []*yaml.Node) bool {
	c := &passwordChecker{Report: r, used: map[*yaml.Node]bool{}, fine: true}
	for _, root := range roots {
		c.findAliases(root)
	}
	for _, root := range roots {
		c.check(root)
	}
	return c.fine
}

type passwordChecker struct {
	*Report
	used map[*yaml.Node]bool // what aliases stand for
	fine bool
}

func (c *passwordChecker) findAliases(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		c.used[n.Alias] = true
	}
	for _, inner := range n.Content {
		c.findAliases(inner)
	}
}

func (c *passwordChecker) check(n *yaml.Node) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if glued(key.Value) != "" || !IsPasswordKey(key.Value) || strings.HasSuffix(key.Value, "From") {
			continue
		}
		if why, hint := c.slip(n, i, value); why != "" {
			c.fine = false
			c.ErrorAt(Position(key), hint, "%s: %s", Clip(Printable(key.Value)), why)
		}
	}
	for _, inner := range n.Content {
		c.check(inner)
	}
}

const (
	quotePassword = "put the password in single quotes, and write a ' in it twice"
	quoteOrMove   = "put the password in quotes; a comment behind it begins with # and a blank"
)

// variableOfShell is a value that a shell would fill in.
var variableOfShell = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// slip says what is wrong with how a password is written, or nothing; the number
// is that of its key in the mapping.
func (c *passwordChecker) slip(in *yaml.Node, number int, value *yaml.Node) (why, hint string) {
	isFlow := in.Style&yaml.FlowStyle != 0
	isPlain := value.Kind == yaml.ScalarNode && value.Style == 0
	switch {
	case value.Kind == yaml.AliasNode:
		return "", ""
	case value.Anchor != "" && (!c.used[value] || isPlain && value.Value == ""):
		return "YAML takes a value that begins with & for an anchor, and not for a password", quotePassword
	case hasForeignTag(value):
		return "YAML takes a value that begins with ! for a tag, and not for a password", quotePassword
	case value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle != 0 && isKeysAlone(value):
		return "YAML takes a value in braces for a mapping, and not for a password", quotePassword
	case value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle != 0 && !strings.HasSuffix(plain(in.Content[number].Value), "words"):
		return "YAML takes a value in brackets for a list, and not for a password", quotePassword
	case isFlow && isPlain && number+3 < len(in.Content) && isLeftOut(in.Content[number+3]):
		return "a comma ends the password here, as it is in braces and without quotes", quotePassword
	case isPlain && c.isCommentBehind(in.Content[number], value):
		return "a # begins a comment here, and may be meant for a part of the password", quoteOrMove
	case isPlain && (strings.HasPrefix(value.Value, "“") || strings.HasPrefix(value.Value, "”") || strings.HasPrefix(value.Value, "‘")):
		return "the quotes around it are typographic ones, which YAML takes for a part of the password", "write straight quotes; if these do belong to it, put straight ones around them"
	case (isPlain || value.Style == yaml.DoubleQuotedStyle) && variableOfShell.MatchString(value.Value):
		return "nothing fills in the variables of a shell here: ${…} would be the password itself", "in a cluster file of Quorate's own write passwordFrom: {env: VARIABLE}, in an inventory \"{{ lookup('env', 'VARIABLE') }}\"; if it is the password, put it in single quotes"
	}
	return "", ""
}

// hasForeignTag reports whether a value has a tag that is none of YAML's own, nor
// one of those of Ansible that say what a text is.
func hasForeignTag(n *yaml.Node) bool {
	switch n.Tag {
	case "", "!vault", "!vault-encrypted", "!unsafe":
		return false
	case "!":
		return true
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!!map", "!!seq", "!!merge":
		return false
	}
	return true
}

// isKeysAlone reports whether a mapping has no values, as {word} has none.
func isKeysAlone(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode || !isLeftOut(n.Content[i+1]) {
			return false
		}
	}
	return len(n.Content) > 0
}

// isCommentBehind reports whether a comment stands behind a value, or in place
// of one, that has no blank behind its #.
func (c *passwordChecker) isCommentBehind(key, value *yaml.Node) bool {
	at := key
	if !isLeftOut(value) {
		at = value
	}
	line := c.src.Line(at.Line)
	length := lengthInLine(line, at)
	if length == 0 {
		return false
	}
	rest := string([]rune(line)[at.Column-1+length:])
	if at == key {
		_, rest, _ = strings.Cut(rest, ":")
	}
	comment := strings.TrimLeft(rest, " \t")
	return len(comment) > 1 && comment[0] == '#' && len(comment) < len(rest) && !strings.ContainsAny(comment[1:2], " \t#-=")
}
