package diag

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/quorate/quorate/internal/printable"
)

// PrintOptions says how to print.
type PrintOptions struct {
	// Color puts terminal colours on the words error, warning, hint and on
	// the caret. Whether the output is a terminal is the caller's to know.
	Color bool
}

// The few colours, as terminal sequences.
const (
	colorReset = "\x1b[0m"
	colorRed   = "\x1b[1;31m"
	colorAmber = "\x1b[1;33m"
	colorBlue  = "\x1b[1;34m"
)

// Print writes the whole list, errors first, since warnings may be of what an error
// caused, and a blank line between diagnostics:
//
//	error: cluster.yaml:7:20: unknown key "adress" in a host
//	   7 |   - {name: cp-1, adress: 192.168.0.2}
//	     |                  ^
//	hint: did you mean "address"?
func (l List) Print(w io.Writer, o PrintOptions) error {
	for i, d := range append(l.Errors(), l.Warnings()...) {
		text := d.text(o)
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// text is one diagnostic as printed, ending in a newline.
func (d Diagnostic) text(o PrintOptions) string {
	paint := func(color, s string) string {
		if !o.Color {
			return s
		}
		return color + s + colorReset
	}
	color := colorRed
	if d.Severity == SeverityWarning {
		color = colorAmber
	}
	var b strings.Builder
	b.WriteString(paint(color, string(d.Severity)+":") + " ")
	if place := d.Place(); place != "" {
		b.WriteString(printable.Text(place) + ": ")
	}
	b.WriteString(printable.Text(d.Summary) + "\n")
	if d.Excerpt != "" {
		number := strconv.Itoa(d.Line)
		fmt.Fprintf(&b, "%6s | %s\n", number, printable.Text(d.Excerpt))
		if d.Column > 0 {
			fmt.Fprintf(&b, "%6s | %s%s\n", "", strings.Repeat(" ", caretColumns(d)), paint(color, "^"))
		}
	}
	for line := range strings.Lines(printable.Text(d.Detail)) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	if d.Hint != "" {
		b.WriteString(paint(colorBlue, "hint:") + " " + printable.Text(d.Hint) + "\n")
	}
	return b.String()
}

// caretColumns is how many terminal columns stand before the caret: Chinese
// characters take two.
func caretColumns(d Diagnostic) int {
	before := []rune(d.Excerpt)
	before = before[:min(max(d.Caret, 0), len(before))]
	return runewidth.StringWidth(string(before))
}
