package agent

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// maxHTTPBody is the most bytes of an answer that a reply carries.
const maxHTTPBody = 64 << 10

// askHTTP asks health endpoints from the host's own viewpoint, all at once.
func (a *Agent) askHTTP(ctx context.Context, queries []protocol.HTTPQuery) []protocol.HTTPReply {
	replies := make([]protocol.HTTPReply, len(queries))
	held := make([]*http.Transport, len(queries))
	defer func() {
		for _, transport := range held {
			if transport != nil {
				transport.CloseIdleConnections()
			}
		}
	}()
	var wg sync.WaitGroup
	for i, query := range queries {
		wg.Go(func() {
			began := time.Now()
			reply, transport, err := a.askOne(ctx, query)
			if err != nil {
				reply.Error = err.Error()
			}
			held[i] = transport
			reply.Millis = time.Since(began).Milliseconds()
			replies[i] = reply
		})
	}
	wg.Wait()
	return replies
}

// askOne asks once. The transport holds the query's connection, for the caller to
// close; it is nil where none is held.
func (a *Agent) askOne(ctx context.Context, query protocol.HTTPQuery) (_ protocol.HTTPReply, held *http.Transport, _ error) {
	timeout := time.Second
	if query.TimeoutMillis > 0 {
		timeout = time.Duration(query.TimeoutMillis) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	config, err := a.tlsConfig(query)
	if err != nil {
		return protocol.HTTPReply{}, nil, err
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: !query.Hold}
	if query.UnixSocket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", query.UnixSocket)
		}
	}
	if query.Hold {
		held = transport
	} else {
		defer transport.CloseIdleConnections()
	}
	method, content := http.MethodGet, io.Reader(nil)
	if query.Body != "" {
		method, content = http.MethodPost, strings.NewReader(query.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, query.URL, content)
	if err != nil {
		return protocol.HTTPReply{}, held, err
	}
	if query.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return protocol.HTTPReply{}, held, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxHTTPBody))
	reply := protocol.HTTPReply{Status: response.StatusCode, Body: string(body)}
	if response.TLS != nil {
		sum := sha256.Sum256(response.TLS.PeerCertificates[0].Raw)
		reply.PeerSHA256 = hex.EncodeToString(sum[:])
	}
	return reply, held, err
}

func (a *Agent) tlsConfig(query protocol.HTTPQuery) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: query.ServerName}
	if query.CAFile != "" {
		path, err := a.path(query.CAFile)
		if err != nil {
			return nil, err
		}
		authorities, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("%s holds no certificate", query.CAFile)
		}
	}
	if query.CertFile != "" {
		certificate, err := a.path(query.CertFile)
		if err != nil {
			return nil, err
		}
		key, err := a.path(query.KeyFile)
		if err != nil {
			return nil, err
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
