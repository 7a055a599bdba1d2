package config

import (
	"reflect"
	"regexp"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// Rule is what reading holds a field to, and gives it, beyond its type.
type Rule struct {
	// Choices are the words that the field may be; nil where it is free.
	Choices []string
	// Least and Most are the bounds of a number, both inclusive, where Bounded.
	Bounded     bool
	Least, Most int
	// Default is what the field gets when the file leaves it out, as a file
	// would say it, and Why the reason; empty where it gets nothing, or
	// something that depends on the rest of the file.
	Default, Why string
}

// Rules tells what is known of each field, by its path in a document with []
// for the elements of lists, such as spec.hosts[].connection. Nothing here is
// written down a second time: the checks are asked, by converting a document
// that gives every field, and so is the table of defaults, for one that gives
// none but a host. It is what the schema and the reference are made from.
func Rules(o Options) map[string]Rule {
	rules := map[string]Rule{}
	r := strict.NewReport(diag.NewSource("rules", nil))
	full := &v1alpha1.Cluster{}
	giveAll(r, reflect.ValueOf(full).Elem(), "")
	c := &converter{Report: r, home: "/", o: o, asked: func(p strict.Path, rule Rule) { rules[anyIndex(p)] = rule }}
	c.document(full)
	bare := &v1alpha1.Cluster{Spec: v1alpha1.Spec{Hosts: []v1alpha1.Host{{}}}}
	for _, filled := range fillDefaults(strict.NewReport(diag.NewSource("rules", nil)), bare, o) {
		at := anyIndex(strict.Path(filled.Path))
		rule := rules[at]
		rule.Default, rule.Why = filled.Value, filled.Why
		rules[at] = rule
	}
	return rules
}

// index is a list's index in a path.
var index = regexp.MustCompile(`\[\d+\]`)

func anyIndex(p strict.Path) string { return index.ReplaceAllString(string(p), "[]") }

// giveAll gives every field of a document some value and notes that it stands
// in the file, so that no check is passed over. A bastion gets none of its own.
func giveAll(r *strict.Report, v reflect.Value, p strict.Path) {
	r.Set(p, strict.Place{})
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(int64(time.Second))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		giveAll(r, v.Elem(), p)
	case v.Kind() == reflect.Struct:
		for _, f := range strict.Fields(v.Type()) {
			if f.Type != reflect.PointerTo(v.Type()) {
				giveAll(r, v.FieldByIndex(f.Index), p.Key(f.Key))
			}
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		giveAll(r, v.Index(0), p.Index(0))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	}
}
