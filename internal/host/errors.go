package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// ErrUnreachable is wrapped by every error that says that a host does not
// answer, or no longer does.
var ErrUnreachable = errors.New("the host is unreachable")

// UnreachableError says why a host does not answer, and what to do.
type UnreachableError struct {
	Cause error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the connection to the host was lost (%v); check that it is on and reachable, then run the same command again", e.Cause)
}

// Is makes the error an ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnreachable }

func (e *UnreachableError) Unwrap() error { return e.Cause }

// SilentError says that a host let Quorate in and then did not answer in time.
type SilentError struct{ Within time.Duration }

func (e *SilentError) Error() string {
	return fmt.Sprintf("it let Quorate in, and then did not answer within %s (busy, or its disk hangs?)", e.Within)
}

// Is makes the error an ErrUnreachable.
func (e *SilentError) Is(target error) bool { return target == ErrUnreachable }

// AnswerWithin bounds what is asked of a host: what is over by then fails with a
// *SilentError.
func AnswerWithin(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, within, &SilentError{within})
}

// ExitError says that a program on a host ended with an exit code that the
// caller did not list as good.
type ExitError struct {
	Host   string
	Argv   []string
	Code   int
	Stderr string // the end of it
	Stdout string // the end of it
}

// stackTraceHint begins the line that kubeadm ends every failure with.
const stackTraceHint = "To see the stack trace of this error"

// Error shows the last line of the program's own words that says something, and
// shows it first: progress is cut at its end.
func (e *ExitError) Error() string {
	words := lastLine(e.Stderr)
	if words == "" {
		words = lastLine(e.Stdout)
	}
	if words == "" {
		words = "no output"
	}
	return fmt.Sprintf("%s: %s (exit code %d of %s)", e.Host, words, e.Code, shortArgv(e.Argv))
}

// UnitError says that systemd could not bring a unit to the state asked for.
type UnitError struct {
	Host  string
	Name  string
	Reply protocol.UnitReply // with the unit's state and the end of its journal
}

func (e *UnitError) Error() string {
	message := fmt.Sprintf("%s: unit %s (%s): %s", e.Host, e.Name, e.Reply.Unit.Active, strings.TrimSpace(e.Reply.Failure))
	if e.Reply.Journal != "" {
		message += "\nthe end of its journal:\n" + indent(e.Reply.Journal)
	}
	return message
}

// bodyError is a failure to read what the caller gave to be sent, or to make sense of
// what came whole: not the connection's.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// bodyReader marks errors of the caller's reader as such.
type bodyReader struct{ r io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

// errEnded says in plain words what an end of file in the middle of an answer,
// and what the HTTP library makes of it, mean.
var errEnded = errors.New("the SSH session or the agent on the host was ended")

// whyLost is the cause of a lost connection as people can use it.
func whyLost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.HasPrefix(err.Error(), "http2: client conn") {
		return errEnded
	}
	return err
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndex(s, stackTraceHint); i >= 0 && !strings.Contains(s[i:], "\n") {
		s = strings.TrimSpace(s[:i])
	}
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	const most = 400
	if s = strings.TrimSpace(s); len(s) > most {
		s = s[:most] + "…"
	}
	return s
}

// shortArgv shows a command by its first words; arguments may be long.
func shortArgv(argv []string) string {
	words := slices.Clone(argv)
	if len(words) > 4 {
		words = append(words[:4], "…")
	}
	for i, word := range words {
		if len(word) > 60 {
			words[i] = word[:60] + "…"
		}
	}
	return strings.Join(words, " ")
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}
