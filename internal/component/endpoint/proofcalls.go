package endpoint

import (
	"crypto/x509"
	"fmt"

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
