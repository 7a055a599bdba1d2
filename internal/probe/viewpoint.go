package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/bounded"
)

// Viewpoint is a place to look at the endpoint from.
type Viewpoint struct {
	// Name says whose eyes these are: "operator", "worker-1", "pod on worker-1".
	Name string
	// Dial connects to the endpoint from there.
	Dial func(ctx context.Context) (net.Conn, error)
	// TLS verifies the endpoint, and proves the client where it holds a
	// certificate.
	TLS *tls.Config
	// Turn, when set, is told of every failure: a viewpoint that has several
	// addresses to choose from then tries another.
	Turn func()
}

// Clients are a viewpoint's HTTP clients.
type Clients struct {
	// Fresh makes a connection for every request.
	Fresh *http.Client
	// Pooled keeps connections for a while, with HTTP/1.1: one that a request
	// timed out on is not used again.
	Pooled *http.Client
	// Kept holds one connection, with HTTP/2 and the pings of Kubernetes' own
	// clients: it notices a peer that fell silent as late as they do.
	Kept *http.Client
}

// Kubernetes' clients ping a silent connection after 30 seconds and give it 15
// to answer.
const (
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// Clients makes the viewpoint's HTTP clients. Close their idle connections
// when they are not used any more.
func (v Viewpoint) Clients() Clients {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return v.Dial(ctx) }
	var one, two http.Protocols
	one.SetHTTP1(true)
	two.SetHTTP2(true)
	return Clients{
		Fresh: &http.Client{Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: v.TLS.Clone(), Protocols: &one, DisableKeepAlives: true, DisableCompression: true,
		}},
		Pooled: &http.Client{Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: v.TLS.Clone(), Protocols: &one, DisableCompression: true, MaxIdleConnsPerHost: 8,
		}},
		Kept: &http.Client{Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: v.TLS.Clone(), Protocols: &two, DisableCompression: true,
			HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		}},
	}
}

// Close ends the clients' connections.
func (c Clients) Close() {
	c.Fresh.CloseIdleConnections()
	c.Pooled.CloseIdleConnections()
	c.Kept.CloseIdleConnections()
}

// URL is the address of a path at the viewpoint's endpoint. The name in it is
// the one that the endpoint proves; how to get there is Dial's.
func (v Viewpoint) URL(path string) string { return "https://" + v.TLS.ServerName + path }

// maxAnswer bounds what an API server may answer, in bytes.
const maxAnswer = 16 << 20

// mostBody bounds what is kept of an answer that is no success, in bytes.
const mostBody = 200

// Do makes a request and reads the whole answer; what is no success is a
// *StatusError.
func Do(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(bounded.Reader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if response.StatusCode/100 != 2 {
		text := strings.Join(strings.Fields(string(body)), " ")
		return nil, &StatusError{Code: response.StatusCode, Body: text[:min(len(text), mostBody)]}
	}
	return body, nil
}

// connectTimeout is how long one of several addresses may take to accept a
// connection before the next is tried.
const connectTimeout = 500 * time.Millisecond

// AnyOf connects to one of several addresses, and stays with it until it
// fails: a client that knows all API servers and no balancer. Turn goes on to
// the next address.
func AnyOf(addresses []string) (dial func(context.Context) (net.Conn, error), turn func()) {
	var mu sync.Mutex
	current := 0
	turnFrom := func(from int) {
		mu.Lock()
		defer mu.Unlock()
		if current == from {
			current = (from + 1) % len(addresses)
		}
	}
	now := func() int {
		mu.Lock()
		defer mu.Unlock()
		return current
	}
	dial = func(ctx context.Context) (net.Conn, error) {
		dialer := net.Dialer{Timeout: connectTimeout}
		var last error
		for range addresses {
			at := now()
			conn, err := dialer.DialContext(ctx, "tcp", addresses[at])
			if err == nil {
				return conn, nil
			}
			if last = err; ctx.Err() != nil {
				break
			}
			turnFrom(at)
		}
		return nil, last
	}
	return dial, func() { turnFrom(now()) }
}
