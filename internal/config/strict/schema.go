package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Types that decoding treats in a way of their own.
var (
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[*yaml.Node]()
)

// Field is a struct's field as the file sees it.
type Field struct {
	Key   string
	Index []int // for reflect.Value.FieldByIndex
	Type  reflect.Type
}

// Fields lists a struct's fields under their yaml keys, in the order of
// the type, those of inlined structs in their place.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				fields = append(fields, inner)
			}
			continue
		}
		fields = append(fields, Field{Key: key, Index: []int{i}, Type: f.Type})
	}
	return fields
}

// keysOf returns the keys that a mapping of the struct's type may have.
func keysOf(fields []Field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Key
	}
	return keys
}

// homeOf tells where a key that is unknown among some fields belongs: one level
// further in if it is known there, else anywhere in the document; "" if nowhere.
func homeOf(key string, fields []Field, document reflect.Type) string {
	var near []string
	for _, f := range fields {
		if f.Type.Kind() == reflect.Struct && slices.Contains(keysOf(Fields(f.Type)), key) {
			near = append(near, fmt.Sprintf("%s: {%s: …}", f.Key, key))
		}
	}
	if len(near) > 0 {
		return strings.Join(near, " or ")
	}
	const tooMany = 3 // such as port: naming one of its places would only mislead
	homes := homesOf(key, document)
	if len(homes) >= tooMany {
		return ""
	}
	return strings.Join(homes, " or ")
}

// homesOf returns every place in a document of a type where a key is known.
func homesOf(key string, document reflect.Type) []string {
	var homes []string
	seen := map[reflect.Type]bool{}
	var search func(t reflect.Type, at string)
	search = func(t reflect.Type, at string) {
		switch {
		case t.Kind() == reflect.Pointer:
			search(t.Elem(), at)
			return
		case t.Kind() == reflect.Slice:
			search(t.Elem(), "each of "+at)
			return
		case t.Kind() != reflect.Struct || seen[t]:
			return
		}
		seen[t] = true
		inner := Fields(t)
		if slices.Contains(keysOf(inner), key) {
			homes = append(homes, at)
		}
		for _, f := range inner {
			next := f.Key
			if at != topLevel {
				next = at + "." + f.Key
			}
			search(f.Type, next)
		}
	}
	search(document, topLevel)
	return homes
}

// topLevel is what messages call the place of apiVersion and kind.
const topLevel = "the file's top level"
