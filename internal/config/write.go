package config

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// flowWidth is how many columns a mapping may take to be written in one line.
// Hosts are, however long, so that a list of them reads like a table.
const flowWidth = 100

// Format writes a document as a cluster file: its fields in the order of the
// types, empty ones left out, small mappings in one line. Reading it again
// gives the same document. The first lines, apiVersion and kind, are written
// whether or not the document has them. Literal passwords are written as they are, so the
// file should then have mode 0600.
func Format(doc *v1alpha1.Cluster) []byte { return dump(documentNode(doc)) }

// dump writes a document that is made of nodes.
func dump(root *yaml.Node) []byte {
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err == nil {
		err = dumper.Dump(root)
	}
	if err == nil {
		err = dumper.Close()
	}
	if err != nil { // a tree of texts and numbers can always be written to memory
		panic(fmt.Sprintf("writing a cluster file: %v", err))
	}
	return out.Bytes()
}

// writeStruct makes a mapping of a struct. key is where it stands, "" for the
// document itself.
func writeStruct(v reflect.Value, key string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range strict.Fields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if isEmpty(field) {
			continue
		}
		n.Content = append(n.Content, textNode(f.Key), writeValue(field, f.Key))
	}
	if key != "" && key != "spec" && isFlat(n) && flatWidth(key, n) <= flowWidth {
		n.Style = yaml.FlowStyle
	}
	return n
}

func writeValue(v reflect.Value, key string) *yaml.Node {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return textNode(time.Duration(v.Int()).String())
	case v.Kind() == reflect.Pointer:
		return writeValue(v.Elem(), key)
	case v.Kind() == reflect.Struct:
		return writeStruct(v, key)
	case v.Kind() == reflect.Slice:
		return writeList(v, key)
	case v.Kind() == reflect.Map:
		return writeMap(v, key)
	case v.Kind() == reflect.Interface && v.IsNil():
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case v.Kind() == reflect.Interface:
		return writeValue(v.Elem(), key)
	case v.Kind() == reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: floatText(v.Float())}
	case v.Kind() == reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case v.Kind() == reflect.String:
		return textNode(v.String())
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
}

// writeList makes a list: hosts each in one line, texts all in one.
func writeList(v reflect.Value, key string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		item := writeValue(v.Index(i), key)
		if item.Kind == yaml.MappingNode {
			item.Style = yaml.FlowStyle
		}
		n.Content = append(n.Content, item)
	}
	if v.Type().Elem().Kind() == reflect.String {
		n.Style = yaml.FlowStyle
	}
	return n
}

// writeMap makes a mapping with free keys, sorted, in one line where it is small.
func writeMap(v reflect.Value, key string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, k := range keys {
		n.Content = append(n.Content, textNode(k.String()), writeValue(v.MapIndex(k), k.String()))
	}
	if isFlat(n) && flatWidth(key, n) <= flowWidth {
		n.Style = yaml.FlowStyle
	}
	return n
}

// floatText is a number that YAML does not take for a whole one.
func floatText(f float64) string {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".eE") {
		text += ".0"
	}
	return text
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// isEmpty reports whether a field says nothing.
func isEmpty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// isFlat reports whether a mapping holds no further mappings.
func isFlat(n *yaml.Node) bool {
	for _, child := range n.Content {
		if child.Kind == yaml.MappingNode {
			return false
		}
	}
	return true
}

// flatWidth is about how many columns a flat mapping takes in one line.
func flatWidth(key string, n *yaml.Node) int {
	width := len(key) + len(": {}")
	for _, child := range n.Content {
		width += len(child.Value) + len(", ")
		for _, item := range child.Content {
			width += len(item.Value) + len(", ")
		}
	}
	return width
}
