package ui

import (
	"encoding/json"
	"io"

	"github.com/quorate/quorate/internal/event"
)

// JSONView writes every event as one line of JSON, for programs.
type JSONView struct{ enc *json.Encoder }

// NewJSON makes a JSON view. Write errors are left to whoever reads out.
func NewJSON(out io.Writer) *JSONView {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &JSONView{enc: enc}
}

// Send implements View.
func (v *JSONView) Send(e event.Event) { _ = v.enc.Encode(e) }

// Close implements View; there is nothing left to write.
func (v *JSONView) Close() error { return nil }
