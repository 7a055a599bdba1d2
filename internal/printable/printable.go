// Package printable keeps what hosts, APIs and files say from steering the operator's
// terminal: it is the one place that knows which characters may be printed. What it
// makes of a text has no control characters but line breaks and tabs.
package printable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Text makes whole lines printable: escape sequences, control and direction-changing
// characters go; line breaks and tabs stay. A sequence that does not end takes no more
// than the rest of its line along.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if !strings.ContainsFunc(s, steers) {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if steers(r) {
				return -1
			}
			return r
		}, ansi.Strip(line))
	}
	return strings.Join(lines, "\n")
}

// Line is Text with its line breaks folded into spaces.
func Line(s string) string { return strings.Join(strings.Fields(Text(s)), " ") }

// steers tells whether a character does more than stand where it is.
func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// JSON writes a value as JSON for people and programs: indented, and with every
// character escaped that would steer a terminal, also in what `jq -r` reads.
func JSON(w io.Writer, value any) error { return encode(w, value, "  ") }

// JSONLine is JSON in one line.
func JSONLine(w io.Writer, value any) error { return encode(w, value, "") }

func encode(w io.Writer, value any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	// In what the encoder wrote they can only stand within strings.
	var out strings.Builder
	out.Grow(b.Len())
	for _, r := range b.String() {
		if steers(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
