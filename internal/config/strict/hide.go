package strict

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// HideSecrets keeps what stands behind secret keys in a file's documents out of
// all excerpts: the value where it is plain to see where that ends, and else all
// to the end of the mapping in braces, or of the lines that it may have.
func HideSecrets(src *diag.Source, roots []*yaml.Node) {
	h := &hider{src: src}
	for _, root := range roots {
		h.walk(root, false)
	}
	for _, s := range h.found {
		h.hide(s)
	}
	for _, n := range h.nodes {
		if n.Kind == yaml.ScalarNode && urlPassword.MatchString(n.Value) {
			HideURLPasswords(src, n.Line)
		}
	}
}

// hider finds and hides the secrets of one file.
type hider struct {
	src   *diag.Source
	nodes []*yaml.Node // all, in the file's order
	found []foundSecret
}

// foundSecret is one secret in the tree.
type foundSecret struct {
	// from is where what is hidden begins, and value what it should be.
	from  diag.Position
	value *yaml.Node
	// next and behind are the numbers of the first node behind the value, and
	// behind the mapping or list that the value stands in.
	next, behind int
	// isFlow says that it stands in braces or brackets; isCut that what follows
	// there may belong to it.
	isFlow, isCut bool
}

// walk numbers a node and all inside it, and finds the secrets among them. A
// reference to a secret, such as {env: X}, is none; what is no such reference
// where one should be is probably the secret itself.
func (h *hider) walk(n *yaml.Node, isReference bool) {
	h.nodes = append(h.nodes, n)
	first := len(h.found)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if saysSecret(key) || isReference && isLeftOut(value) { // password:Rest, with the value in the key
				h.take(key, Position(key), n, i+2)
			} else {
				h.walk(key, false)
			}
			refers := IsSecretKey(key.Value) && strings.HasSuffix(key.Value, "From") && value.Kind == yaml.MappingNode
			if isReference && !saysWhere(key.Value, value) || !isReference && !refers && isSecretEntry(key, value) {
				h.take(value, h.behindKey(key, value), n, i+2)
			} else {
				h.walk(value, refers)
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if saysSecret(item) {
				h.take(item, Position(item), n, i+1)
			} else {
				h.walk(item, false)
			}
		}
	}
	for i := first; i < len(h.found); i++ {
		if h.found[i].behind == 0 {
			h.found[i].behind = len(h.nodes)
		}
	}
}

// take notes a secret in a mapping or list, with the number of what follows it
// there; what is inside the secret is numbered only.
func (h *hider) take(value *yaml.Node, from diag.Position, in *yaml.Node, next int) {
	var number func(n *yaml.Node)
	number = func(n *yaml.Node) {
		h.nodes = append(h.nodes, n)
		for _, inner := range n.Content {
			number(inner)
		}
	}
	number(value)
	isFlow := in.Style&yaml.FlowStyle != 0
	h.found = append(h.found, foundSecret{from: from, value: value, next: len(h.nodes), isFlow: isFlow, isCut: isFlow && isGluedBehind(h.src, in, next)})
}

// isSecretEntry reports whether a key's value is a secret. A login that has its
// password with it is one too.
func isSecretEntry(key, value *yaml.Node) bool {
	return IsSecretKey(key.Value) || saysSecret(value) || strings.HasSuffix(key.Value, "user") && strings.Contains(value.Value, ":")
}

// saysSecret reports whether a text holds a secret, whatever its key is: the
// password of a URL, a private key, or a setting such as --token=… or password：….
func saysSecret(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (hasLogin(n.Value) || HasCredentials(n.Value) || IsPrivateKey(n.Value) || len(secretsIn(n.Value)) > 0)
}

// isGluedBehind reports whether the node of a number, in braces or brackets, may
// be a part of what stands before it: an entry that is a key alone, or one whose
// comma has no blank behind it.
func isGluedBehind(src *diag.Source, n *yaml.Node, at int) bool {
	if at >= len(n.Content) {
		return false
	}
	next := n.Content[at]
	if n.Kind == yaml.MappingNode && isLeftOut(n.Content[at+1]) || len(src.Line(next.Line)) > longestLine {
		return true
	}
	line := []rune(src.Line(next.Line))
	before := next.Column - 2
	return before >= 0 && before < len(line) && line[before] == ','
}

// isLeftOut reports whether nothing stands where a value could.
func isLeftOut(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.ShortTag() == "!!null" && n.Style == 0 && n.Anchor == ""
}

// saysWhere reports whether an entry of a reference says where a secret is.
func saysWhere(key string, value *yaml.Node) bool {
	if value.Kind != yaml.ScalarNode {
		return false
	}
	switch key {
	case "env":
		return OddCharacter(value.Value, EnvCharacter) == ""
	case "file":
		return true
	case "prompt":
		return value.ShortTag() == "!!bool"
	case "age":
		return cluster.IsAge(value.Value)
	}
	return false
}

// longestLine is how many bytes of a line are looked at: in a file of one long
// line, finding each place in it would take for ever.
const longestLine = 4096

// behindKey is where a key's value may begin at the earliest, with tags, anchors
// and comments before it: behind the colon, and the blanks there.
func (h *hider) behindKey(key, value *yaml.Node) diag.Position {
	if len(h.src.Line(key.Line)) > longestLine {
		return Position(value)
	}
	line := []rune(h.src.Line(key.Line))
	at := key.Column - 1 + lengthInLine(h.src.Line(key.Line), key)
	if at < key.Column || at >= len(line) {
		return Position(value)
	}
	for at < len(line) && line[at] != ':' {
		at++
	}
	for at++; at < len(line) && (line[at] == ' ' || line[at] == '\t'); {
		at++
	}
	return diag.Position{Line: key.Line, Column: at + 1}
}

// hide hides one secret.
func (h *hider) hide(s foundSecret) {
	line := h.src.Line(s.value.Line)
	length := lengthInLine(line, s.value)
	if length > 0 && s.isFlow && !s.isCut && s.from == Position(s.value) {
		h.src.Hide(s.from, length)
		h.hideComment(s.from.Line, s.from.Column-1+length)
		return
	}
	end := diag.Position{Line: h.src.LineCount() + 1, Column: 1}
	number := s.next
	if s.isCut {
		number = s.behind
	}
	if number < len(h.nodes) {
		end = Position(h.nodes[number])
	}
	if end.Line == s.from.Line && s.isFlow {
		h.src.Hide(s.from, end.Column-s.from.Column)
		return
	}
	h.src.Hide(s.from, -1)
	for line := s.from.Line + 1; line < end.Line; line++ {
		h.src.Hide(diag.Position{Line: line, Column: 1}, -1)
	}
	last := []rune(h.src.Line(end.Line))
	before := min(max(end.Column-1, 0), len(last))
	if s.isFlow && end.Line > s.from.Line && strings.Trim(string(last[:before]), " \t-,[]{}") != "" {
		h.src.Hide(diag.Position{Line: end.Line, Column: 1}, before) // what is left of it in the last line
	}
}

// hideComment hides what looks like a comment behind a place of a line that has
// a secret: it may be a part of it.
func (h *hider) hideComment(line, from int) {
	text := []rune(h.src.Line(line))
	for i := max(from, 1); i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			h.src.Hide(diag.Position{Line: line, Column: i + 1}, -1)
			return
		}
	}
}

// lengthInLine is how many characters of the line a scalar takes, or 0 where
// that is not plain to see: it has several lines, escapes, a tag or an anchor.
func lengthInLine(line string, n *yaml.Node) int {
	if len(line) > longestLine || n.Kind != yaml.ScalarNode {
		return 0
	}
	rest := []rune(line)
	rest = rest[min(max(n.Column-1, 0), len(rest)):]
	written := n.Value
	switch n.Style {
	case 0:
	case yaml.SingleQuotedStyle:
		written = "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	case yaml.DoubleQuotedStyle:
		written = `"` + n.Value + `"`
	default:
		return 0
	}
	if n.Value == "" || !strings.HasPrefix(string(rest), written) {
		return 0
	}
	return utf8.RuneCountInString(written)
}

// urlPassword finds the password in a URL such as http://user:password@proxy.
var urlPassword = regexp.MustCompile(`://[^/\s:@]*:([^/\s@]+)@`)

// HideURLPasswords hides the passwords in the URLs of one line.
func HideURLPasswords(src *diag.Source, line int) {
	text := src.Line(line)
	for _, m := range urlPassword.FindAllStringSubmatchIndex(text, -1) {
		src.Hide(diag.Position{Line: line, Column: utf8.RuneCountInString(text[:m[2]]) + 1}, utf8.RuneCountInString(text[m[2]:m[3]]))
	}
}

// HideLogins hides a line from the first name and password on that stand in it
// before an address.
func HideLogins(src *diag.Source, line int) {
	text := src.Line(line)
	if hasLogin(text) {
		at := login.FindStringIndex(text)
		src.Hide(diag.Position{Line: line, Column: utf8.RuneCountInString(text[:at[0]]) + 1}, -1)
	}
}

// HideSecretText is HideSecrets for a text that is no YAML, or not yet: all
// behind a secret key is hidden, with the lines below it that are further in.
func HideSecretText(src *diag.Source) {
	inside, isItem := -1, false // the columns before the line with the key
	for number := 1; number <= src.LineCount(); number++ {
		line := src.Line(number)
		trimmed := strings.TrimLeft(line, " \t\u00a0\u3000")
		indent := utf8.RuneCountInString(line) - utf8.RuneCountInString(trimmed)
		if inside >= 0 && (strings.TrimSpace(trimmed) == "" || indent > inside || indent == inside && !isItem && strings.HasPrefix(trimmed, "-")) {
			src.Hide(diag.Position{Line: number, Column: 1}, -1)
			continue
		}
		inside = -1
		if begin := secretsIn(line); len(begin) > 0 {
			src.Hide(diag.Position{Line: number, Column: utf8.RuneCountInString(line[:begin[0]]) + 1}, -1)
			inside, isItem = indent, strings.HasPrefix(trimmed, "-")
		}
		if hasLogin(line) || HasCredentials(line) || IsPrivateKey(line) {
			src.Hide(diag.Position{Line: number, Column: 1}, -1)
		}
	}
}
