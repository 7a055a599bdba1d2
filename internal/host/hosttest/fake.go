package hosttest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// Fake is a host that knows only what a test told it. An operation that was
// not expected fails the test, and so does one that was expected and never
// came. Expectations are met in any order; each is met once unless Any is
// called on it.
type Fake struct {
	t    testing.TB
	name string

	mu     sync.Mutex
	expect []*Expectation
	got    []string
}

// Call is one operation that came in.
type Call struct {
	// Op is the operation's name, as in package protocol.
	Op string
	// Args is the request as JSON.
	Args []byte
	// Body is what was streamed with it (write, run, unpack).
	Body []byte
}

// Decode fills request from the call.
func (c Call) Decode(request any) error { return json.Unmarshal(c.Args, request) }

// Expectation is one operation that the test allows, and its answer.
type Expectation struct {
	what   string
	match  func(Call) bool
	answer func(Call) (any, error)
	any    bool
	times  int
}

// Any lets the operation come any number of times, also never.
func (e *Expectation) Any() *Expectation {
	e.any = true
	return e
}

// Reply sets the answer; without it the operation answers its zero reply.
func (e *Expectation) Reply(reply any) *Expectation {
	e.answer = func(Call) (any, error) { return reply, nil }
	return e
}

// Do computes the answer; a []byte is sent as it is (read), all else as JSON.
func (e *Expectation) Do(answer func(Call) (any, error)) *Expectation {
	e.answer = answer
	return e
}

// Fail makes the operation fail.
func (e *Expectation) Fail(kind protocol.Kind, format string, args ...any) *Expectation {
	e.answer = func(Call) (any, error) { return nil, protocol.Failure(kind, format, args...) }
	return e
}

// New makes a fake host and the handle to it. When the test ends, it fails for
// every expectation that was not met.
func New(t testing.TB, name string) (*host.Host, *Fake) {
	t.Helper()
	f := &Fake{t: t, name: name}
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range f.expect {
			if e.times == 0 && !e.any {
				t.Errorf("%s: expected, and never asked for: %s", name, e.what)
			}
		}
	})
	return host.New(name, f, nil), f
}

// Calls lists what came in, one line an operation, in order.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// Expect allows an operation for which match is true; what describes it.
func (f *Fake) Expect(what string, match func(Call) bool) *Expectation {
	e := &Expectation{what: what, match: match, answer: func(Call) (any, error) { return struct{}{}, nil }}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expect = append(f.expect, e)
	return e
}

// ExpectRun allows a program with just these arguments.
func (f *Fake) ExpectRun(argv ...string) *Expectation {
	return expect(f, protocol.OpRun, strings.Join(argv, " "), func(r protocol.RunRequest) bool { return slices.Equal(r.Argv, argv) })
}

// ExpectRead allows reading path and answers with content.
func (f *Fake) ExpectRead(path, content string) *Expectation {
	return expect(f, protocol.OpRead, path, func(r protocol.ReadRequest) bool { return r.Path == path }).Reply([]byte(content))
}

// ExpectWrite allows writing just this content to path, and answers that it
// changed.
func (f *Fake) ExpectWrite(path, content string) *Expectation {
	e := f.Expect(protocol.OpWrite+" "+path, func(c Call) bool {
		var request protocol.WriteRequest
		return c.Op == protocol.OpWrite && c.Decode(&request) == nil && request.Path == path && cmp.Equal(string(c.Body), content)
	})
	return e.Reply(protocol.WriteReply{Changed: true})
}

// ExpectRemove allows removing path, recursively or not.
func (f *Fake) ExpectRemove(path string) *Expectation {
	return expect(f, protocol.OpRemove, path, func(r protocol.RemoveRequest) bool { return r.Path == path }).Reply(protocol.ChangedReply{Changed: true})
}

// ExpectMkdir allows making the directory path.
func (f *Fake) ExpectMkdir(path string) *Expectation {
	return expect(f, protocol.OpMkdir, path, func(r protocol.MkdirRequest) bool { return r.Path == path }).Reply(protocol.ChangedReply{Changed: true})
}

// ExpectUnit allows just this request for a unit, and answers that it changed
// and is active.
func (f *Fake) ExpectUnit(request protocol.UnitRequest) *Expectation {
	return expect(f, protocol.OpUnit, fmt.Sprintf("%+v", request), func(r protocol.UnitRequest) bool { return r == request }).
		Reply(protocol.UnitReply{Changed: true, Unit: protocol.Unit{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled"}})
}

// ExpectFacts allows asking for facts, whichever, and answers with these.
func (f *Fake) ExpectFacts(facts protocol.Facts) *Expectation {
	return expect(f, protocol.OpFacts, "", func(protocol.FactsRequest) bool { return true }).Reply(facts)
}

func expect[Request any](f *Fake, op, what string, match func(Request) bool) *Expectation {
	return f.Expect(strings.TrimSpace(op+" "+what), func(c Call) bool {
		var request Request
		return c.Op == op && c.Decode(&request) == nil && match(request)
	})
}

// RoundTrip makes the fake a transport of package host.
func (f *Fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	call, err := callOf(r)
	if err != nil {
		return nil, err
	}
	if call.Op == protocol.OpExit {
		return response(r, http.StatusOK, []byte("{}")), nil // closing is always allowed
	}
	e := f.take(call)
	if e == nil {
		f.t.Errorf("%s: unexpected operation: %s %s", f.name, call.Op, call.Args)
		return failure(r, protocol.Failure(protocol.KindOther, "the test did not expect %s %s", call.Op, call.Args))
	}
	// Outside the lock: an answer may wait for another operation.
	reply, err := e.answer(call)
	if err != nil {
		return failure(r, err)
	}
	if raw, ok := reply.([]byte); ok {
		return response(r, http.StatusOK, raw), nil
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	return response(r, http.StatusOK, text), nil
}

func (f *Fake) take(call Call) *Expectation {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, call.Op+" "+string(call.Args))
	for _, e := range f.expect {
		if (e.times == 0 || e.any) && e.match(call) {
			e.times++
			return e
		}
	}
	return nil
}

func callOf(r *http.Request) (Call, error) {
	call := Call{Op: strings.TrimPrefix(r.URL.Path, "/v1/")}
	if r.Body != nil {
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return call, err
		}
		call.Body = body
	}
	header := r.Header.Get(protocol.ArgsHeader)
	if header == "" {
		call.Args, call.Body = call.Body, nil
		return call, nil
	}
	var err error
	call.Args, err = base64.StdEncoding.DecodeString(header)
	return call, err
}

func failure(r *http.Request, err error) (*http.Response, error) {
	if cause := context.Cause(r.Context()); cause != nil {
		return nil, cause
	}
	wire, ok := errors.AsType[*protocol.Error](err)
	if !ok {
		return nil, err // the connection's own failure
	}
	text, err := json.Marshal(wire)
	if err != nil {
		return nil, err
	}
	return response(r, http.StatusInternalServerError, text), nil
}

func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{}, Request: r,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body))),
	}
}
