package host_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// endless is a host whose answers, good ones as far as can be seen, never end.
type endless struct{ begin string }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(e.begin), forever{})
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 2, Header: http.Header{}, Request: r, ContentLength: -1, Body: io.NopCloser(body)}, nil
}

type forever struct{}

func (forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// One host whose answers do not end must not take the operator's memory, whatever it
// was asked, and is told of as what it is.
func TestEndlessAnswers(t *testing.T) {
	h := host.New("cp-1", endless{`{"hostname": "`}, nil)
	for what, ask := range map[string]func() error{
		"facts":  func() error { _, err := h.Facts(t.Context(), protocol.FactsRequest{}); return err },
		"run":    func() error { _, err := h.Run(t.Context(), host.Command{Argv: []string{"true"}}); return err },
		"read":   func() error { _, err := h.ReadFile(t.Context(), "/x"); return err },
		"lock":   func() error { _, err := h.Lock(t.Context(), protocol.LockRequest{}); return err },
		"listen": func() error { _, _, err := h.Listen(t.Context(), nil, ""); return err },
		"stand":  func() error { _, err := h.StandIn(t.Context(), nil, ""); return err },
		"fault":  func() error { _, err := h.Fault(t.Context(), protocol.FaultRequest{}); return err },
		"undo":   func() error { _, err := h.Undo(t.Context(), ""); return err },
	} {
		t.Run(what, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := ask()
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "it answers more than ") || !strings.HasPrefix(err.Error(), "cp-1: ") || strings.Contains(err.Error(), "lost") {
				t.Errorf("got %v", err)
			}
			if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 400 {
				t.Errorf("%d MiB were taken", taken)
			}
		})
	}
}
