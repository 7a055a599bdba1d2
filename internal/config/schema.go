package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
)

// What decoding needs to know of Go types that stand for scalars.
var (
	durationType   = reflect.TypeFor[time.Duration]()
	secretTextType = reflect.TypeFor[v1alpha1.SecretText]()
)

// structField is a struct's field as the file sees it.
type structField struct {
	key   string
	index []int // for reflect.Value.FieldByIndex
	typ   reflect.Type
}

// structFields lists a struct's fields under their yaml keys, in the order of
// the type, those of inlined structs in their place.
func structFields(t reflect.Type) []structField {
	var fields []structField
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, inner := range structFields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		fields = append(fields, structField{key: key, index: []int{i}, typ: f.Type})
	}
	return fields
}

// keysOf returns the keys that a mapping of the struct's type may have.
func keysOf(fields []structField) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// homeOf tells where a key that is unknown among some fields belongs: one level
// further in if it is known there, else anywhere in the file; "" if nowhere.
func homeOf(key string, fields []structField) string {
	var near []string
	for _, f := range fields {
		if f.typ.Kind() == reflect.Struct && slices.Contains(keysOf(structFields(f.typ)), key) {
			near = append(near, fmt.Sprintf("%s: {%s: …}", f.key, key))
		}
	}
	if len(near) > 0 {
		return strings.Join(near, " or ")
	}
	const tooMany = 3 // such as port: naming one of its places would only mislead
	homes := homesOf(key)
	if len(homes) >= tooMany {
		return ""
	}
	return strings.Join(homes, " or ")
}

// homesOf returns every place in a cluster file where a key is known.
func homesOf(key string) []string {
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
		inner := structFields(t)
		if slices.Contains(keysOf(inner), key) {
			homes = append(homes, at)
		}
		for _, f := range inner {
			next := f.key
			if at != topLevel {
				next = at + "." + f.key
			}
			search(f.typ, next)
		}
	}
	search(reflect.TypeFor[v1alpha1.Cluster](), topLevel)
	return homes
}

// topLevel is what messages call the place of apiVersion and kind.
const topLevel = "the file's top level"
