package ui

import (
	"io"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/printable"
)

// JSONView writes every event as one line of JSON, for programs.
type JSONView struct{ out io.Writer }

// NewJSON makes a JSON view. Write errors are left to whoever reads out.
func NewJSON(out io.Writer) *JSONView {
	return &JSONView{out: out}
}

// Send implements View.
func (v *JSONView) Send(e event.Event) { _ = printable.JSONLine(v.out, e) }

// Close implements View; there is nothing left to write.
func (v *JSONView) Close() error { return nil }
