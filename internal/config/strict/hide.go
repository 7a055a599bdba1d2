package strict

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// IsSecretKey reports whether a key is, or looks like a misspelling of, one whose
// value is a secret. It is generous: hiding too much of an excerpt does no harm.
func IsSecretKey(key string) bool {
	k := plain(key)
	if strings.HasSuffix(k, "path") || strings.HasSuffix(k, "file") {
		return false
	}
	for _, part := range []string{"pass", "pwd", "secret", "token", "privatekey", "credential"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	if k != "key" && strings.HasSuffix(k, "key") { // access_key, activationKey
		return true
	}
	return misspells(k, "password", 2) || misspells(k, "sudopassword", 3)
}

// misspells reports whether a word is another with at most so many mistakes.
func misspells(word, other string, mistakes int) bool {
	difference := len(word) - len(other)
	return max(difference, -difference) <= mistakes && editDistance(word, other) <= mistakes
}

// credentials are a user's name and password in a URL.
var credentials = regexp.MustCompile(`://[^/@\s]*:[^/@\s]*@`)

// HasCredentials reports whether a text holds a URL with a password in it.
func HasCredentials(text string) bool { return credentials.MatchString(text) }

// IsPrivateKey reports whether a text is a private key, such as people put where
// the path of one belongs.
func IsPrivateKey(text string) bool { return strings.Contains(text, "PRIVATE KEY-----") }

// secretNodes are a document's nodes in the file's order, with the secret ones
// marked.
type secretNodes struct {
	nodes  []*yaml.Node
	secret []bool
}

// add takes a node and all inside it. A reference to a secret, such as
// {env: X}, is none; a plain text where the reference should be probably is.
func (s *secretNodes) add(n *yaml.Node, secret bool) {
	s.nodes = append(s.nodes, n)
	s.secret = append(s.secret, (secret || HasCredentials(n.Value) || IsPrivateKey(n.Value)) && n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			s.add(key, IsSecretKey(glued(key.Value)))
			inside := IsSecretKey(key.Value)
			if inside && strings.HasSuffix(key.Value, "From") && value.Kind == yaml.MappingNode {
				s.addReference(value)
				continue
			}
			// A login that has its password with it is one too.
			inside = inside || strings.HasSuffix(key.Value, "user") && strings.Contains(value.Value, ":")
			s.add(value, secret || inside)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			// Flags and settings are lists of name=value.
			name, _, isSetting := strings.Cut(item.Value, "=")
			s.add(item, secret || isSetting && IsSecretKey(name))
		}
	}
}

// addReference takes in a mapping that says where a secret is, such as {env: X}.
// What is none of that may be the secret itself, put in the wrong place.
func (s *secretNodes) addReference(n *yaml.Node) {
	s.nodes, s.secret = append(s.nodes, n), append(s.secret, false)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		isOne := false
		switch {
		case value.Kind != yaml.ScalarNode:
		case key.Value == "env":
			isOne = OddCharacter(value.Value, EnvCharacter) == ""
		case key.Value == "file":
			isOne = true
		case key.Value == "prompt":
			isOne = value.ShortTag() == "!!bool"
		case key.Value == "age":
			isOne = cluster.IsAge(value.Value)
		}
		s.add(key, IsSecretKey(glued(key.Value)))
		s.add(value, !isOne)
	}
}

// HideSecrets keeps the values of secret keys out of all excerpts. A secret
// reaches from its node's start to the next node's.
func HideSecrets(src *diag.Source, root *yaml.Node) {
	var all secretNodes
	all.add(root, false)
	for i, n := range all.nodes {
		if !all.secret[i] {
			if n.Kind == yaml.ScalarNode && urlPassword.MatchString(n.Value) {
				HideURLPasswords(src, n.Line)
			}
			continue
		}
		if length := lengthInLine(src.Line(n.Line), n); length > 0 {
			src.Hide(Position(n), length)
			continue
		}
		end := diag.Position{Line: src.LineCount() + 1, Column: 1}
		if i+1 < len(all.nodes) {
			end = Position(all.nodes[i+1])
		}
		if end.Line == n.Line {
			src.Hide(Position(n), end.Column-n.Column)
			continue
		}
		src.Hide(Position(n), -1)
		for line := n.Line + 1; line < end.Line; line++ {
			src.Hide(diag.Position{Line: line, Column: 1}, -1)
		}
	}
}

// lengthInLine is how many characters of the line a scalar takes, or 0 where
// that is not plain to see: it has several lines, escapes, a tag or an anchor.
func lengthInLine(line string, n *yaml.Node) int {
	const longest = 4096 // in a file of one long line, finding each place in it would take for ever
	if len(line) > longest {
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

// keyValue finds what looks like a key and the start of its value in a line
// that could not be parsed.
var keyValue = regexp.MustCompile(`([\w-]+)["']?\s*[:=]\s*`)

// HideSecretText is hideSecrets for one line of a text that is no YAML.
func HideSecretText(src *diag.Source, line int) {
	text := src.Line(line)
	if HasCredentials(text) || IsPrivateKey(text) {
		src.Hide(diag.Position{Line: line, Column: 1}, -1)
	}
	for _, m := range keyValue.FindAllStringSubmatchIndex(text, -1) {
		if IsSecretKey(text[m[2]:m[3]]) {
			src.Hide(diag.Position{Line: line, Column: utf8.RuneCountInString(text[:m[1]]) + 1}, -1)
		}
	}
}
