package agent

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Who answered is told by the certificate, whatever the answer was.
func TestHealthQueriesTellTheServer(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	root := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(root, "ca.crt"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	a := New(Options{Root: root})
	defer a.Close()
	reply := a.askHTTP(t.Context(), []protocol.HTTPQuery{{URL: server.URL, CAFile: "/ca.crt"}})[0]
	if want := fmt.Sprintf("%x", sha256.Sum256(server.Certificate().Raw)); reply.PeerSHA256 != want || reply.Status != 404 {
		t.Errorf("answered %+v, want the certificate %s", reply, want)
	}
}

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

// A connection that is held is open until all are answered, any other is closed
// with its answer.
func TestHealthQueriesHold(t *testing.T) {
	for _, hold := range []bool{true, false} {
		first := make(chan http.ConnState, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/last" {
				fmt.Fprint(w, <-first)
			}
		}))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateIdle || s == http.StateClosed {
				select {
				case first <- s:
				default: // the other one, or its end
				}
			}
		}
		server.Start()
		a := New(Options{})
		replies := a.askHTTP(t.Context(), []protocol.HTTPQuery{{URL: server.URL, Hold: hold}, {URL: server.URL + "/last", TimeoutMillis: 10000}})
		if got, want := replies[1].Body, map[bool]string{true: "idle", false: "closed"}[hold]; got != want {
			t.Errorf("hold %v: the first connection was %q (%s) before the last was answered, want %q", hold, got, replies[1].Error, want)
		}
		a.Close()
		server.Close()
	}
}
