// Package bounded reads answers of hosts and APIs, which may be hostile, up to a bound:
// one that never ends must not take the memory of the operator's machine.
package bounded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Error says that an answer is larger than whoever asked is ready to take.
type Error struct{ Limit int64 } // in bytes

func (e *Error) Error() string {
	if e.Limit < 1<<20 {
		return fmt.Sprintf("it answers more than %d KiB", e.Limit>>10)
	}
	return fmt.Sprintf("it answers more than %d MiB", e.Limit>>20)
}

// Reader gives at most limit bytes of r; a further one is an *Error.
func Reader(r io.Reader, limit int64) io.Reader { return &reader{r: r, left: limit, limit: limit} }

type reader struct {
	r           io.Reader
	left, limit int64
}

func (b *reader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), &Error{b.limit}
	}
	b.left -= int64(n)
	return n, err
}

// Lines gives the lines of r one after another, each of at most limit bytes. A line is
// valid until the next call.
func Lines(r io.Reader, limit int) func() ([]byte, error) {
	buffered := bufio.NewReaderSize(r, limit)
	return func() ([]byte, error) {
		line, err := buffered.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, &Error{int64(limit)}
		}
		if err != nil {
			return nil, err
		}
		return line, nil
	}
}

// Transport bounds the body of every answer that comes through t.
func Transport(t http.RoundTripper, limit int64) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := t.RoundTrip(r)
		if err == nil && response.Body != nil {
			response.Body = struct {
				io.Reader
				io.Closer
			}{Reader(response.Body, limit), response.Body}
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
