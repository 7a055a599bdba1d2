package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

func TestHealthQueriesGetOrPost(t *testing.T) {
	long := strings.Repeat("x", 32<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+string(body))
		if r.URL.Path == "/long" {
			io.WriteString(w, long)
		}
	}))
	defer server.Close()

	a := New(Options{})
	defer a.Close()
	replies := a.askHTTP(t.Context(), []protocol.HTTPQuery{
		{URL: server.URL}, {URL: server.URL, Body: "{}"}, {URL: server.URL + "/long"},
	})
	for i, want := range []string{"GET  ", "POST application/json {}", "GET  " + long} {
		if replies[i].Status != 200 || replies[i].Body != want {
			t.Errorf("query %d: status %d (%s), body of %d bytes, want %d", i, replies[i].Status, replies[i].Error, len(replies[i].Body), len(want))
		}
	}
}
