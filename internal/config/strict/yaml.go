package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/quorate/quorate/internal/diag"
)

// maxDepth is how deep a file's mappings and lists may be in each other.
const maxDepth = 100

// ParseYAML returns the roots of a file's documents, empty ones left out, or
// reports the syntax error and returns false.
func ParseYAML(r *Report, data []byte) ([]*yaml.Node, bool) {
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(limits))
	if err != nil {
		r.ErrorAt(diag.Position{}, "", "the YAML reader does not start: %v", err)
		return nil, false
	}
	var roots []*yaml.Node
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return roots, true
		}
		if err != nil {
			syntaxError(r, err)
			return nil, false
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && doc.Content[0].ShortTag() != "!!null" {
			roots = append(roots, doc.Content[0])
		}
	}
}

// syntaxError reports what the YAML parser could not read. It stops there: the
// rest of the file cannot be understood.
func syntaxError(r *Report, err error) {
	at, message := diag.Position{Line: 1, Column: 1}, err.Error()
	if load, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = load.Message
		mark := load.Mark
		if mark.Line == 0 {
			mark = load.ContextMark
		}
		if mark.Line > 0 {
			at = diag.Position{Line: min(mark.Line, r.src.LineCount()), Column: max(mark.Column, 1)}
		}
	}
	HideSecretText(r.src)
	if place, found := findSlip(r.src, at); found != nil {
		r.ErrorAt(place, found.hint, "%s", found.what)
		return
	}
	hint := ""
	switch {
	case strings.Contains(message, "max depth"):
		message, hint = fmt.Sprintf("lists and mappings are in each other more than %d deep", maxDepth), "is it the right file?"
	case strings.Contains(message, "unknown anchor"):
		// The parser quotes the name, which may be a password that begins with *.
		message, hint = "the alias (*) names an anchor that the file does not have", "put a value that begins with * in quotes"
	case strings.Contains(message, "found unexpected end of stream"):
		message, hint = "the quote that begins here is not closed", "close it; a password that begins with a quote stands in quotes of the other kind"
		at = contextOf(r, err, at)
	case hasBarePassword(r.src.Line(at.Line)):
		message, hint = "a password in this line, which has no quotes, holds what means something else to YAML", quotePassword
	case strings.Contains(r.src.Line(at.Line), "\t"):
		hint = "indent with spaces, YAML takes no tabs"
	case strings.Contains(message, "cannot start any token"):
		hint = "put a value that begins with @, % or ` in quotes"
	case strings.Contains(message, "did not find expected key"):
		hint = "does the line stand in the column that it should, and the one that begins the block before it? A line too far to the left ends all that it was in"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "is the line indented as its neighbours are, and is a value with \": \" in it in quotes?"
	}
	r.ErrorAt(at, hint, "this is not YAML: %s", message)
}

// contextOf is where what the parser was reading begins.
func contextOf(r *Report, err error, at diag.Position) diag.Position {
	if load, ok := errors.AsType[*yaml.LoadError](err); ok && load.ContextMark.Line > 0 {
		return diag.Position{Line: min(load.ContextMark.Line, r.src.LineCount()), Column: max(load.ContextMark.Column, 1)}
	}
	return at
}

// Child is the value of a mapping's key, or nil where there is none or the node
// is no mapping.
func Child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// CheckSpecPlace refuses a document whose spec is indented too far, so that it
// stands in metadata, and reports whether that is well.
func CheckSpecPlace(r *Report, root *yaml.Node) bool {
	metadata := Child(root, "metadata")
	if Child(root, "spec") != nil || Child(metadata, "spec") == nil {
		return true
	}
	for i := 0; i+1 < len(metadata.Content); i += 2 {
		if key := metadata.Content[i]; key.Value == "spec" {
			r.ErrorAt(Position(key), "move spec: and all lines below it to the left, so that spec: begins in the column of metadata:", "spec is indented so far that it stands in metadata")
			break
		}
	}
	return false
}

// ScalarAt is the text of a mapping's key and its node; the node is nil when
// the key is missing, the text empty when it is no scalar.
func ScalarAt(n *yaml.Node, key string) (string, *yaml.Node) {
	v := Child(n, key)
	if v == nil || v.Kind != yaml.ScalarNode {
		return "", v
	}
	return v.Value, v
}
