// Package secret turns references to secrets (an environment variable, a file,
// a question on the terminal, a value encrypted with age) into values, at the
// moment they are used and not before, and keeps the values from being printed
// by accident. It also makes what such a reference needs: keys, and encrypted
// values.
package secret

import "log/slog"

// hidden is what stands for a value wherever it is printed.
const hidden = "(hidden)"

// Value is a secret value. Printing, logging or marshalling it, alone or inside
// another value, shows only that it is hidden. The zero Value is no secret.
//
// The text is behind a pointer because fmt, given a wrong verb for a value that
// holds this one, prints all fields without asking any method.
type Value struct{ text *string }

// NewValue makes a value of a text.
func NewValue(text string) Value { return Value{&text} }

// Reveal is the value itself, for the one place that needs it.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.Reveal() == "" }

// String hides the value.
func (v Value) String() string {
	if v.IsZero() {
		return ""
	}
	return hidden
}

// GoString keeps %#v from showing the value.
func (v Value) GoString() string { return `secret.Value("` + v.String() + `")` }

// MarshalText keeps JSON and YAML from showing the value.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// LogValue keeps slog from showing the value.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }
