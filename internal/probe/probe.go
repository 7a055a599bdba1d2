// Package probe asks a Kubernetes API endpoint again and again and keeps what
// came of each question, so that availability is a figure and not a feeling.
//
// A Viewpoint is where one looks from: it knows how to connect, so the same
// prober looks from the operator's machine, from a worker through its own
// proxy, or from a pod through the service address. Questions are asked at a
// fixed rate whether or not earlier ones were answered, as independent clients
// would: one that hangs hides nothing from those after it.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kind is what a sample is of.
type Kind string

// The kinds of samples.
const (
	Read      Kind = "read"       // a request on a connection of its own
	KeepAlive Kind = "keep-alive" // a request on a connection that is kept open
	Write     Kind = "write"      // an object created
	Watch     Kind = "watch"      // a write seen by a watch that was open before it
)

// Outcome is what became of one question.
type Outcome string

// The outcomes.
const (
	OK          Outcome = "ok"
	Refused     Outcome = "refused"      // nobody listens
	Unreachable Outcome = "unreachable"  // no way there
	TimedOut    Outcome = "timed out"    // no answer in time
	Reset       Outcome = "reset"        // the connection broke off
	ServerError Outcome = "server error" // an answer of 500 and above, or 429
	Denied      Outcome = "denied"       // an answer of 400 and above
	BadTLS      Outcome = "tls"          // the peer could not prove itself
	Other       Outcome = "other"
)

// Sample is one question and what became of it.
type Sample struct {
	At   time.Duration `json:"at"`   // when it was asked, since the recording began
	Took time.Duration `json:"took"` // until the answer, or until it was given up
	// Late is how much later than planned it was asked: this program's own doing,
	// or that of a machine without a processor to spare.
	Late    time.Duration `json:"late,omitempty"`
	Outcome Outcome       `json:"outcome"`
	Detail  string        `json:"detail,omitempty"` // the failure's own words
	// Begun tells of one that failed that a server had proved itself on its
	// connection before: what is lost is the request, not the way to a server.
	Begun bool `json:"begun,omitempty"`
}

// Done is when the sample was over, since the recording began.
func (s Sample) Done() time.Duration { return s.At + s.Took }

// Log collects samples from several goroutines.
type Log struct {
	began time.Time

	mu      sync.Mutex
	samples []Sample
}

// NewLog begins a recording at a time.
func NewLog(began time.Time) *Log { return &Log{began: began} }

// Add notes a question that was asked at a time and is over now.
func (l *Log) Add(asked time.Time, err error) Sample { return l.add(asked, 0, err) }

func (l *Log) add(asked time.Time, late time.Duration, err error) Sample {
	s := Sample{At: asked.Sub(l.began), Took: time.Since(asked), Late: late, Outcome: OutcomeOf(err)}
	if err != nil {
		s.Detail = err.Error()
		_, s.Begun = errors.AsType[*begunError](err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
	return s
}

// Samples is what was noted so far, in the order in which it was over.
func (l *Log) Samples() []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Sample(nil), l.samples...)
}

// Since are the samples that were over at a time or later, in the order in
// which they were: a long recording is not copied for its last seconds.
func (l *Log) Since(at time.Duration) []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.samples)
	for first > 0 && l.samples[first-1].Done() >= at-slack {
		first--
	}
	recent := append([]Sample(nil), l.samples[first:]...)
	return slices.DeleteFunc(recent, func(s Sample) bool { return s.Done() < at })
}

// slack is how much later than it was over a sample may have been noted, while
// others were.
const slack = time.Second

// StatusError is an answer that is no success.
type StatusError struct {
	Code int
	Body string // the beginning of it
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(http.StatusText(e.Code) + ": " + e.Body)
}

// begunError is why a request failed on a connection that was made.
type begunError struct{ error }

func (e *begunError) Unwrap() error { return e.error }

// OutcomeOf classes an error; nil is OK.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OK
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		if status.Code >= 500 || status.Code == http.StatusTooManyRequests {
			return ServerError
		}
		return Denied
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return TimedOut
	}
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), strings.Contains(text, "i/o timeout"):
		return TimedOut
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "connection refused"):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), strings.Contains(text, "no route to host"), strings.Contains(text, "unreachable"):
		return Unreachable
	case isTLS(err):
		return BadTLS
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.Contains(text, "connection reset"), strings.Contains(text, "http2:"), strings.Contains(text, "closed"):
		return Reset
	}
	return Other
}

func isTLS(err error) bool {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, garbled := errors.AsType[tls.RecordHeaderError](err)
	return unverified || garbled
}
