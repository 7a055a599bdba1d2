package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

const (
	// standInTimeout bounds a handshake, and a request.
	standInTimeout = 5 * time.Second
	// maxSeen bounds how many peers, and how many attempts, are remembered:
	// a host that the whole internet knocks at must not grow the agent.
	maxSeen = 256
)

// standIn answers where an API server will: over TLS, with 200 to whatever is
// asked, so that a balancer's health check by TCP as well as by HTTPS finds it
// healthy. It remembers who came, and who tried.
type standIn struct {
	certificate tls.Certificate
	server      *http.Server
	shaken      chan net.Conn // connections whose TLS is set up
	ended       context.Context
	end         context.CancelFunc
	wg          sync.WaitGroup

	mu       sync.Mutex
	peers    map[string]protocol.PeerReport
	attempts map[protocol.Attempt]int // by source and port; Count is zero in the key
	blind    string
	version  int // grows with every change of the three
}

func newStandIn(nonce string) (*standIn, error) {
	certificate, err := standInCertificate()
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the listener: %w", err)
	}
	s := &standIn{
		certificate: certificate, shaken: make(chan net.Conn),
		peers: map[string]protocol.PeerReport{}, attempts: map[protocol.Attempt]int{},
	}
	s.ended, s.end = context.WithCancel(context.Background())
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.note(hostOf(r.RemoteAddr), func(p *protocol.PeerReport) { p.Requests++ })
			io.WriteString(w, nonce)
		}),
		ReadTimeout: standInTimeout, WriteTimeout: standInTimeout, IdleTimeout: standInTimeout,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.wg.Go(func() { s.server.Serve((*shakenListener)(s)) })
	return s, nil
}

// standInCertificate makes a certificate that is good for nothing but to tell
// the listener from all others.
func standInCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	// The clock of a host that is not built yet may be off by a little.
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "quorate proves the balancer"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, &x509.Certificate{SerialNumber: serial}, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// serve takes connections until the listener is closed.
func (s *standIn) serve(l net.Listener) {
	acceptAll(l, func(conn net.Conn) { s.wg.Go(func() { s.shake(conn) }) })
}

// shake sets TLS up on a connection and hands it to the HTTP server.
func (s *standIn) shake(conn net.Conn) {
	from := hostOf(conn.RemoteAddr().String())
	s.note(from, func(p *protocol.PeerReport) { p.Connections++ })
	secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.certificate}, NextProtos: []string{"http/1.1"}})
	ctx, cancel := context.WithTimeout(s.ended, standInTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if s.ended.Err() == nil && !closedAtOnce(err) {
			s.note(from, func(p *protocol.PeerReport) { p.Failed, p.Failure = p.Failed+1, err.Error() })
		}
		return
	}
	select {
	case s.shaken <- secure:
	case <-s.ended.Done():
		conn.Close()
	}
}

// closedAtOnce tells the end of a connection that was only to be made, as
// health checks by TCP do, from TLS that failed.
func closedAtOnce(err error) bool {
	return errors.Is(err, io.EOF) || strings.Contains(err.Error(), "connection reset by peer") || strings.Contains(err.Error(), "broken pipe")
}

func hostOf(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}

// note changes what is remembered of a peer.
func (s *standIn) note(from string, change func(*protocol.PeerReport)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known := s.peers[from]
	if !known && len(s.peers) >= maxSeen {
		return
	}
	change(&p)
	s.peers[from] = p
	s.version++
}

// watch notes attempts until ctx ends.
func (s *standIn) watch(ctx context.Context) {
	err := watchAttempts(ctx, &s.wg, func(from string, port int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		key := protocol.Attempt{From: from, Port: port}
		if _, known := s.attempts[key]; known || len(s.attempts) < maxSeen {
			s.attempts[key]++
			s.version++
		}
	})
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.blind = err.Error()
		s.version++
	}
}

// report is what was seen so far, with a number that grows with it.
func (s *standIn) report() (protocol.ListenReport, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := protocol.ListenReport{Peers: maps.Clone(s.peers), Blind: s.blind}
	for a, n := range s.attempts {
		a.Count = n
		out.Attempts = append(out.Attempts, a)
	}
	slices.SortFunc(out.Attempts, func(a, b protocol.Attempt) int {
		if c := strings.Compare(a.From, b.From); c != 0 {
			return c
		}
		return a.Port - b.Port
	})
	return out, s.version
}

// close ends every connection and waits for all that was started. The
// listeners are closed by then, or are being closed.
func (s *standIn) close() {
	s.end()
	s.server.Close()
	s.wg.Wait()
}

// shakenListener hands a standIn's connections to its HTTP server.
type shakenListener standIn

// Accept implements net.Listener.
func (l *shakenListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.shaken:
		return c, nil
	case <-l.ended.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *shakenListener) Close() error { return nil }

// Addr implements net.Listener.
func (l *shakenListener) Addr() net.Addr { return &net.TCPAddr{} }
