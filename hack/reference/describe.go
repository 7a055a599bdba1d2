package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/config/strict"
)

// kind is what a value is, as users see it.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindTruth
	kindDuration
	kindList
	kindMapping // with free keys
	kindBlock   // with known keys
	kindFree    // whatever YAML can say
)

// value is a field's type: with its element's for a list and a mapping, and with
// its fields for a block.
type value struct {
	kind    kind
	element *value
	block   *block
	rule    config.Rule
}

// block is a mapping with known keys: a struct at a place in the document.
type block struct {
	goType  string // such as "SSH"
	path    string // such as "spec.hosts[].ssh"; empty for the document
	meaning string
	fields  []field
	// shared says that blocks of the type are all alike, wherever they stand,
	// and may stand inside themselves: types behind pointers.
	shared bool
}

type field struct {
	key      string
	path     string
	value    value
	required bool
	meaning  string // as a sentence that begins with the key
	fallback string // what happens without it, where that is no fixed value
	example  string
	inlined  bool // it is one of another type's, taken over as a whole
}

// describer makes the description of the document.
type describer struct {
	comments map[string]comment
	rules    map[string]config.Rule
	used     map[string]bool // the rules that a field was found for
	shared   map[reflect.Type]*block
	problems []string
}

// describe describes the whole document. It is an error when a field has no
// comment or no example, or when what package config knows is told twice.
func describe(comments map[string]comment, rules map[string]config.Rule) (*block, error) {
	d := &describer{comments: comments, rules: rules, used: map[string]bool{}, shared: map[reflect.Type]*block{}}
	document := d.block(reflect.TypeFor[v1alpha1.Cluster](), "")
	for path := range rules {
		if !d.used[path] {
			d.problem("package config has a rule for %s, which is no field", path)
		}
	}
	if len(d.problems) > 0 {
		return nil, fmt.Errorf("the cluster file's types cannot be described:\n%s", strings.Join(d.problems, "\n"))
	}
	return document, nil
}

func (d *describer) problem(format string, args ...any) {
	d.problems = append(d.problems, fmt.Sprintf(format, args...))
}

func (d *describer) block(t reflect.Type, path string) *block {
	b := &block{goType: t.Name(), path: path, meaning: d.comments[t.Name()].text}
	d.fill(b, t)
	return b
}

func (d *describer) fill(b *block, t reflect.Type) {
	for _, f := range strict.Fields(t) {
		b.fields = append(b.fields, d.field(t, f, string(strict.Path(b.path).Key(f.Key))))
	}
}

func (d *describer) field(t reflect.Type, f strict.Field, path string) field {
	owner := t // the struct that declares the field, which may be an inlined one
	for _, i := range f.Index[:len(f.Index)-1] {
		owner = owner.Field(i).Type
	}
	declared := t.FieldByIndex(f.Index)
	name := owner.Name() + "." + declared.Name
	c := d.comments[name]
	v := d.value(f.Type, path)
	out := field{
		key: f.Key, path: path, value: v, fallback: c.fallback, example: c.example, inlined: owner != t,
		required: !strings.Contains(declared.Tag.Get("yaml"), "omitempty"),
		meaning:  f.Key + strings.TrimPrefix(c.text, declared.Name),
	}
	switch {
	case c.text == "":
		d.problem("%s has no comment", name)
	case c.example == "" && v.kind != kindBlock && !(v.kind == kindList && v.element.kind == kindBlock):
		d.problem("%s has no example", name)
	case c.fallback != "" && v.rule.Default != "":
		d.problem("the comment of %s tells a default, and so does package config", name)
	}
	if out.inlined {
		out.fallback = "" // where it was taken over, others may hold
	}
	if out.fallback != "" && v.block != nil {
		withoutFallbacks(v.block)
	}
	return out
}

// withoutFallbacks takes away what happens without the fields of a block: the
// block as a whole has something that it falls back to.
func withoutFallbacks(b *block) {
	for i := range b.fields {
		if b.shared {
			return
		}
		b.fields[i].fallback = ""
		if inner := b.fields[i].value.block; inner != nil {
			withoutFallbacks(inner)
		}
	}
}

func (d *describer) value(t reflect.Type, path string) value {
	v := value{rule: d.rules[path]}
	d.used[path] = true
	switch {
	case t == reflect.TypeFor[time.Duration]():
		v.kind = kindDuration
	case t.Kind() == reflect.Pointer:
		v.kind, v.block = kindBlock, d.sharedBlock(t.Elem(), path)
	case t.Kind() == reflect.Struct:
		v.kind, v.block = kindBlock, d.block(t, path)
	case t.Kind() == reflect.Slice:
		element := d.value(t.Elem(), path+"[]")
		v.kind, v.element = kindList, &element
	case t.Kind() == reflect.Map:
		element := d.value(t.Elem(), path+".*")
		v.kind, v.element = kindMapping, &element
	case t.Kind() == reflect.Interface:
		v.kind = kindFree
	case t.Kind() == reflect.String:
		v.kind = kindText
	case t.Kind() == reflect.Bool:
		v.kind = kindTruth
	default:
		v.kind = kindNumber
	}
	return v
}

// sharedBlock describes a type once, for all the places where it stands, with
// the rules of the first.
func (d *describer) sharedBlock(t reflect.Type, path string) *block {
	if b := d.shared[t]; b != nil {
		for rule := range d.rules { // the same check, at another place
			if strings.HasPrefix(rule, path+".") {
				d.used[rule] = true
			}
		}
		return b
	}
	b := &block{goType: t.Name(), path: path, meaning: d.comments[t.Name()].text, shared: true}
	d.shared[t] = b
	d.fill(b, t)
	return b
}
