// Package host is the operator's handle to one machine: every operation of
// the agent that runs there as a method with plain Go types, whatever carries
// the connection. Package host/ssh makes handles to real machines, package
// host/hosttest to fakes.
//
// Every error names the host. A host that no longer answers gives errors that
// wrap ErrUnreachable.
package host

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bounded"
)

// Host is a handle to one machine. Its methods may be called at the same time
// from several goroutines; they share one connection.
type Host struct {
	name      string
	transport http.RoundTripper
	closer    func() error
}

// New makes a handle that speaks to an agent through t. The closer ends the
// connection; it may be nil.
func New(name string, t http.RoundTripper, closer func() error) *Host {
	if closer == nil {
		closer = func() error { return nil }
	}
	return &Host{name: name, transport: t, closer: closer}
}

// Name is the host's name in the cluster file.
func (h *Host) Name() string { return h.name }

// closeGrace bounds the farewell to an agent that may be gone already.
const closeGrace = 2 * time.Second

// Close ends the agent and the connection. The agent's file stays on the host
// for the next run.
func (h *Host) Close(ctx context.Context) error { return h.end(ctx, protocol.ExitRequest{}) }

// CloseAndRemove ends the agent, removes its folder from the host and ends the
// connection.
func (h *Host) CloseAndRemove(ctx context.Context) error {
	return h.end(ctx, protocol.ExitRequest{RemoveSelf: true})
}

func (h *Host) end(ctx context.Context, request protocol.ExitRequest) error {
	ctx, cancel := context.WithTimeout(ctx, closeGrace)
	defer cancel()
	var reply protocol.ChangedReply
	err := h.call(ctx, "ending the agent", protocol.OpExit, request, &reply)
	if !request.RemoveSelf {
		// Closing the connection ends the agent just as well.
		err = nil
	}
	if closeErr := h.closer(); err == nil && closeErr != nil {
		err = fmt.Errorf("%s: closing the connection: %w", h.name, closeErr)
	}
	return err
}

// maxAnswer bounds what a host may answer to one question, in bytes. The largest good
// answer is the facts of a host, of a few MiB.
const maxAnswer = 32 << 20

// What bounds one line of an answer that comes in lines, in bytes: so much is held for
// each, for all hosts at once.
const (
	maxLine   = 64 << 10
	maxReport = 1 << 20 // of all who connected to a host that stands in for an API server
)

// call makes a request whose request and reply are JSON bodies.
func (h *Host) call(ctx context.Context, doing, op string, request, reply any) error {
	text, err := json.Marshal(request)
	if err != nil {
		return h.failed(ctx, doing, err)
	}
	response, err := h.send(ctx, op, nil, bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return h.failed(ctx, doing, err)
	}
	defer response.Body.Close()
	return h.decode(ctx, doing, response, maxAnswer, reply)
}

// callStream makes a request whose body is a stream and whose reply is JSON, of at most
// limit bytes.
func (h *Host) callStream(ctx context.Context, doing, op string, request any, body io.Reader, size, limit int64, reply any) error {
	response, err := h.send(ctx, op, request, body, size)
	if err != nil {
		return h.failed(ctx, doing, err)
	}
	defer response.Body.Close()
	return h.decode(ctx, doing, response, limit, reply)
}

func (h *Host) decode(ctx context.Context, doing string, response *http.Response, limit int64, reply any) error {
	text, err := io.ReadAll(bounded.Reader(response.Body, limit))
	if err == nil {
		err = readReply(text, reply)
	}
	if err != nil {
		return h.failed(ctx, doing, err)
	}
	return nil
}

// readReply reads an answer that has come whole: what is wrong with it is the agent's
// doing, not the connection's.
func readReply(text []byte, reply any) error {
	if err := json.Unmarshal(text, reply); err != nil {
		return &bodyError{fmt.Errorf("the agent's answer cannot be read: %w", err)}
	}
	return nil
}

// send makes one request. A request that is not nil travels in the Args
// header; size is -1 when unknown. The response is a success.
func (h *Host) send(ctx context.Context, op string, request any, body io.Reader, size int64) (*http.Response, error) {
	r := (&http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Scheme: "http", Host: "agent", Path: "/v1/" + op},
		Header: http.Header{},
	}).WithContext(ctx)
	if request != nil {
		text, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		r.Header.Set(protocol.ArgsHeader, base64.StdEncoding.EncodeToString(text))
	}
	if body != nil {
		r.Body, r.ContentLength = sendable(body), size
	}
	response, err := h.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	failure := &protocol.Error{}
	if err := json.Unmarshal(text, failure); err != nil || failure.Message == "" {
		return nil, &protocol.Error{Kind: protocol.KindOther, Message: fmt.Sprintf("the agent answered %s: %.200q", response.Status, text)}
	}
	return nil, failure
}

// sendable makes a request's body of what the caller gave. A failed request
// waits until nobody reads from its body any more, so closing the body must
// end a read that blocks, which a caller's reader cannot be made to do: a pipe
// is put between, and the goroutine that feeds it ends with the caller's read.
func sendable(body io.Reader) io.ReadCloser {
	switch body := body.(type) {
	case *io.PipeReader:
		return body
	case *bytes.Reader:
		return io.NopCloser(body) // never blocks
	}
	out, in := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{body}, make([]byte, 128<<10))
		in.CloseWithError(err)
	}()
	return out
}

// failed says of an error which host and what step it befell. What is not
// the agent's own answer, and not the caller's own doing, is the connection's
// end.
func (h *Host) failed(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %s: %w", h.name, doing, cause)
	}
	if _, ok := errors.AsType[*protocol.Error](err); ok || errors.Is(err, ErrUnreachable) {
		return fmt.Errorf("%s: %s: %w", h.name, doing, err)
	}
	_, own := errors.AsType[*bodyError](err)
	if _, large := errors.AsType[*bounded.Error](err); own || large {
		return fmt.Errorf("%s: %s: %w", h.name, doing, err)
	}
	return fmt.Errorf("%s: %s: %w", h.name, doing, &UnreachableError{Cause: whyLost(err)})
}
