package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/host"
)

// outcome is how one call through the balancer went.
type outcome int

const (
	reached    outcome = iota // it came to a backend
	refused                   // the balancer's address refuses connections
	unanswered                // no answer at all from the balancer's address
	unresolved                // its name means nothing to the node
	cut                       // it took the connection, then closed it
	hung                      // it took the connection, then nothing came
	stranger                  // somebody else answers
	outcomes                  // how many there are
)

// String words an outcome for people.
func (o outcome) String() string {
	return [outcomes]string{
		"reached", "connection refused", "no answer", "the name is unknown",
		"connected, then closed", "connected, then silence", "somebody else answers",
	}[o]
}

// caller is a node that calls through the balancer, and what it has found out.
type caller struct {
	name   string
	host   *host.Host
	target string

	seen  map[string]int // calls by backend
	count [outcomes]int
	// row is how many of the latest calls came to a backend without one that
	// did not, and streak to which.
	row          int
	streak       map[string]bool
	last         outcome
	lastText     string // of the last call that failed
	strangerText string // of the last call that somebody else answered
}

func newCaller(name string, h *host.Host, target string) *caller {
	return &caller{name: name, host: h, target: target, seen: map[string]int{}, streak: map[string]bool{}}
}

// note takes one call in.
func (c *caller) note(o outcome, backend string, err error) {
	c.count[o]++
	c.last = o
	if o == reached {
		c.seen[backend]++
		c.row++
		c.streak[backend] = true
		return
	}
	c.row, c.streak, c.lastText = 0, map[string]bool{}, err.Error()
	if o == stranger {
		c.strangerText = c.lastText
	}
}

// connected is how many of the calls the balancer took.
func (c *caller) connected() int {
	return c.count[reached] + c.count[cut] + c.count[hung] + c.count[stranger]
}

// failed is how many of the calls came to no backend.
func (c *caller) failed() int {
	n := 0
	for o := refused; o < outcomes; o++ {
		n += c.count[o]
	}
	return n
}

// latest words how it stands.
func (c *caller) latest() string {
	if c.last == reached {
		return fmt.Sprintf("sees %d of them", len(c.streak))
	}
	return c.last.String()
}

// describeLeaf tells people whose a certificate is.
func describeLeaf(der []byte) string {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return "a certificate that cannot be read"
	}
	return fmt.Sprintf("a certificate of %q by %q", leaf.Subject.String(), leaf.Issuer.String())
}

// Bounds of one call: a balancer's own tries at a dead backend take seconds.
const (
	connectTimeout = 2 * time.Second
	answerTimeout  = 5 * time.Second
)

// keptCalls is how many connections a caller keeps open. A balancer that goes by
// the number of connections never gives one to a backend that has more than the
// others, as one that serves a node's kubelet has, unless the others catch up.
const keptCalls = 32

// call makes one call through the balancer. Where it came to a backend, the
// connection is the caller's to close.
func (p *proof) call(ctx context.Context, c *caller) (outcome, string, net.Conn, error) {
	dialling, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.host.Dial(dialling, "tcp", c.target)
	if err != nil {
		return notConnected(err), "", nil, err
	}
	keep := false
	defer func() {
		if !keep {
			_ = conn.Close() // it is of no use
		}
	}()
	shaking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	leaf, err := leafOf(shaking, conn, p.cluster.Endpoint.Domain)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		return hung, "", nil, err
	default:
		return cut, "", nil, err
	}
	for _, b := range p.backends {
		if bytes.Equal(b.certificate, leaf) {
			keep = true
			return reached, b.name, conn, nil
		}
	}
	return stranger, "", nil, errors.New(describeLeaf(leaf))
}

// notConnected classes why a connection was not made; the agent's words are
// Go's and the kernel's.
func notConnected(err error) outcome {
	text := err.Error()
	switch {
	case strings.Contains(text, "connection refused"):
		return refused
	case strings.Contains(text, "no such host"), strings.Contains(text, "lookup "):
		return unresolved
	}
	return unanswered
}

// leafAt is the certificate that a server at an address shows to a host.
func leafAt(ctx context.Context, h *host.Host, address, name string) ([]byte, error) {
	conn, err := h.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return leafOf(ctx, conn, name)
}

// leafOf is the certificate that the other end proves itself with, in DER.
// Whose it is is for the caller to judge, by comparing it with those it knows.
func leafOf(ctx context.Context, conn net.Conn, name string) ([]byte, error) {
	client := tls.Client(conn, &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // the certificate itself is compared
	})
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0].Raw, nil
}
