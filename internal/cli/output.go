package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/ui"
)

// colorful reports whether a writer is a terminal that shows colours.
func colorful(w io.Writer) bool {
	f := printable.File(w)
	return f != nil && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// lookOf is what a writer can show.
func lookOf(w io.Writer) ui.Look {
	if f := printable.File(w); f != nil {
		return ui.LookFor(f)
	}
	return ui.Look{}
}

// draw writes a text that a view has drawn with a look, in its colours where there are
// any: the view has made the words of hosts printable.
func draw(w io.Writer, look ui.Look, text string) error {
	if look.Color {
		w = printable.Painted(w)
	}
	_, err := io.WriteString(w, text)
	return err
}

// printList writes diagnostics.
func printList(w io.Writer, list diag.List) error {
	if !colorful(w) {
		return list.Print(w, diag.PrintOptions{})
	}
	return list.Print(printable.Painted(w), diag.PrintOptions{Color: true})
}
