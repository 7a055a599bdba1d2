package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// Show writes the file as a cluster file of ours: what was read and nothing
// more, or with its defaults, each with a comment that says why. Passwords that
// stand in the file are not written: where one stands, the written file has
// them asked for, and a comment says so. It can therefore be shown to others,
// and is itself a file that can be used.
func (f *File) Show(defaults bool) []byte {
	doc := f.asRead
	if defaults {
		doc = f.Document
	}
	shown, hidden := hideLiterals(doc)
	root := documentNode(shown)
	for _, path := range hidden {
		annotate(root, path, "the file has it in the clear; it is not shown here")
	}
	if defaults {
		for _, filled := range f.Filled {
			why := filled.Why
			if strings.HasSuffix(filled.Path, ".roles") {
				why = filled.Value + ", as " + why
			}
			annotate(root, strict.Path(filled.Path), "default: "+why)
		}
	}
	text := dump(root)
	if f.KubeSphere != nil {
		text = append(text, "# What the file says of KubeSphere, in a document of its own, is not shown.\n"...)
	}
	return text
}

// asRead is a copy of a document that filling in defaults does not change.
func asRead(doc *v1alpha1.Cluster) *v1alpha1.Cluster {
	read := *doc
	read.Spec.Hosts = slices.Clone(doc.Spec.Hosts)
	return &read
}

// hideLiterals returns a copy of a document that asks for every password that
// stands in it, with the paths of those.
func hideLiterals(doc *v1alpha1.Cluster) (*v1alpha1.Cluster, []strict.Path) {
	var hidden []strict.Path
	out := withoutLiterals(reflect.ValueOf(*doc), "", &hidden).Interface().(v1alpha1.Cluster)
	return &out, hidden
}

// withoutLiterals copies a value. A secret text in it becomes a question in the
// field of the same name with From: password is then passwordFrom.
func withoutLiterals(v reflect.Value, p strict.Path, hidden *[]strict.Path) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(withoutLiterals(v.Elem(), p, hidden))
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(withoutLiterals(v.Index(i), p.Index(i), hidden))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMap(v.Type()))
		for entry := v.MapRange(); entry.Next(); {
			out.SetMapIndex(entry.Key(), withoutLiterals(entry.Value(), p.Key(entry.Key().String()), hidden))
		}
	case v.Kind() == reflect.Struct:
		fields := strict.Fields(v.Type())
		for _, f := range fields {
			out.FieldByIndex(f.Index).Set(withoutLiterals(v.FieldByIndex(f.Index), p.Key(f.Key), hidden))
		}
		for _, f := range fields {
			if f.Type != reflect.TypeFor[v1alpha1.SecretText]() || out.FieldByIndex(f.Index).IsZero() {
				continue
			}
			out.FieldByIndex(f.Index).SetZero()
			if from := fieldWithKey(fields, f.Key+"From"); from != nil {
				out.FieldByIndex(from.Index).Set(reflect.ValueOf(&v1alpha1.SecretSource{Prompt: true}))
				*hidden = append(*hidden, p.Key(from.Key))
			}
		}
	}
	return out
}

func fieldWithKey(fields []strict.Field, key string) *strict.Field {
	for i := range fields {
		if fields[i].Key == key {
			return &fields[i]
		}
	}
	return nil
}

// documentNode is a whole document as YAML.
func documentNode(doc *v1alpha1.Cluster) *yaml.Node {
	whole := *doc
	whole.APIVersion, whole.Kind = v1alpha1.APIVersion, v1alpha1.Kind
	return writeStruct(reflect.ValueOf(whole), "")
}

// annotate puts a comment behind the value at a path. Mappings around it that
// are written in one line are written in several for it.
func annotate(root *yaml.Node, path strict.Path, comment string) {
	n := root
	for key := range strings.FieldsFuncSeq(string(path), func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		n.Style &^= yaml.FlowStyle
		if n.Kind == yaml.SequenceNode {
			at, err := strconv.Atoi(key)
			if err != nil || at >= len(n.Content) {
				return
			}
			n = n.Content[at]
		} else if n = strict.Child(n, key); n == nil {
			return
		}
	}
	n.LineComment = comment
}
