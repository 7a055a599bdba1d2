package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// schema is a JSON schema of draft 7, the one that editors know best. Its
// fields are in the order in which they are written.
type schema struct {
	Draft       string            `json:"$schema,omitempty"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Type        any               `json:"type,omitempty"` // a word, or a list of words
	Ref         string            `json:"$ref,omitempty"`
	AllOf       []*schema         `json:"allOf,omitempty"`
	Const       any               `json:"const,omitempty"`
	Enum        []string          `json:"enum,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	Minimum     *int              `json:"minimum,omitempty"`
	Maximum     *int              `json:"maximum,omitempty"`
	MinItems    int               `json:"minItems,omitempty"`
	Default     any               `json:"default,omitempty"`
	Examples    []any             `json:"examples,omitempty"`
	Properties  *properties       `json:"properties,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Extra       any               `json:"additionalProperties,omitempty"` // false, or a schema
	Items       *schema           `json:"items,omitempty"`
	OneOf       []required        `json:"oneOf,omitempty"`
	Definitions map[string]schema `json:"definitions,omitempty"`
}

// required is a schema that asks for keys and nothing else.
type required struct {
	Required []string `json:"required"`
}

// properties are a block's keys, in their own order.
type properties []property

type property struct {
	key    string
	schema *schema
}

// MarshalJSON keeps the order, which a map would not.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, property := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(property.key)
		if err != nil {
			return nil, err
		}
		content, err := marshal(property.schema)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%s", key, content)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal without \u003c for <.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// durationPattern is what time.ParseDuration takes, but for signs.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`

// schemaOf makes the schema of a document.
func schemaOf(document *block) ([]byte, error) {
	m := schemaMaker{definitions: map[string]schema{}}
	root := m.block(document)
	if m.err != nil {
		return nil, m.err
	}
	root.Draft = "http://json-schema.org/draft-07/schema#"
	root.Title = "Quorate cluster file, quorate.dev/v1alpha1"
	root.Definitions = m.definitions
	compact, err := marshal(root)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// schemaMaker makes schemas; definitions are those of shared blocks.
type schemaMaker struct {
	definitions map[string]schema
	err         error // the first
}

func (m *schemaMaker) block(b *block) *schema {
	s := &schema{Description: b.meaning, Type: "object", Extra: false}
	var keys properties
	for _, f := range b.fields {
		keys = append(keys, property{f.key, m.field(f)})
		if f.required {
			s.Required = append(s.Required, f.key)
		}
	}
	s.Properties = &keys
	if b.goType == "SecretSource" {
		for _, f := range b.fields {
			s.OneOf = append(s.OneOf, required{[]string{f.key}})
		}
	}
	return s
}

func (m *schemaMaker) field(f field) *schema {
	s := m.value(f.value)
	if s.Ref != "" { // what stands beside a $ref counts for nothing
		s = &schema{AllOf: []*schema{s}}
	}
	s.Description = f.meaning
	if word, ok := s.Type.(string); ok && (word == "object" || word == "array") && !f.required {
		// All that it holds may be commented out, which leaves nothing behind
		// the key: that is as if it were not there.
		s.Type = []string{word, "null"}
	}
	if why := f.value.rule.Why; why != "" {
		s.Description += "\nDefault: " + f.value.rule.Default + " (" + why + ")."
	} else if f.fallback != "" {
		s.Description += "\nDefault: " + f.fallback + "."
	}
	if f.required && f.value.kind == kindList {
		s.MinItems = 1
	}
	if f.value.rule.Default != "" {
		s.Default = m.literal(f.path, f.value.rule.Default)
	}
	if f.example != "" {
		example := m.literal(f.path, f.example)
		s.Examples = []any{example}
		if f.path == "apiVersion" || f.path == "kind" {
			s.Examples, s.Const = nil, example
		}
	}
	return s
}

// literal is a value as a file has it, as JSON has it.
func (m *schemaMaker) literal(path, text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil && m.err == nil {
		m.err = fmt.Errorf("%s: %q is not YAML: %w", path, text, err)
	}
	return v
}

func (m *schemaMaker) value(v value) *schema {
	switch v.kind {
	case kindNumber:
		s := &schema{Type: "integer"}
		if v.rule.Bounded {
			s.Minimum, s.Maximum = &v.rule.Least, &v.rule.Most
		}
		return s
	case kindTruth:
		return &schema{Type: "boolean"}
	case kindDuration:
		return &schema{Type: "string", Pattern: durationPattern}
	case kindList:
		return &schema{Type: "array", Items: m.value(*v.element)}
	case kindMapping:
		s := &schema{Type: "object"}
		if v.element.kind != kindFree {
			s.Extra = m.value(*v.element)
		}
		return s
	case kindFree:
		return &schema{}
	case kindBlock:
		if !v.block.shared {
			return m.block(v.block)
		}
		if _, known := m.definitions[v.block.goType]; !known {
			m.definitions[v.block.goType] = schema{} // it may hold itself
			m.definitions[v.block.goType] = *m.block(v.block)
		}
		return &schema{Ref: "#/definitions/" + v.block.goType}
	}
	if v.rule.Choices != nil {
		return &schema{Type: "string", Enum: v.rule.Choices}
	}
	// 12345 is a number to YAML and a password to whoever wrote it: a text that
	// is not quoted is taken as it stands.
	return &schema{Type: []string{"string", "number"}}
}
