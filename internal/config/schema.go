package config

import (
	"reflect"
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

// homesOf returns the paths at which a key would be known, for "belongs under"
// hints. Elements of lists are written with [].
func homesOf(key string) []string {
	var homes []string
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		switch t.Kind() {
		case reflect.Pointer:
			walk(t.Elem(), at)
		case reflect.Slice:
			walk(t.Elem(), at+"[]")
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for _, f := range structFields(t) {
				if f.key == key {
					homes = append(homes, at)
				}
				next := f.key
				if at != "" {
					next = at + "." + f.key
				}
				walk(f.typ, next)
			}
		}
	}
	walk(reflect.TypeFor[v1alpha1.Cluster](), "")
	return homes
}
