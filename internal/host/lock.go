package host

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bounded"
	"github.com/quorate/quorate/internal/printable"
)

// Lock is a host's lock, held and renewed until Release.
type Lock struct {
	host    *Host
	feed    *io.PipeWriter
	end     context.CancelFunc
	release chan struct{} // closed by Release
	done    chan struct{}
	err     error // why it ended; to be read once done is closed
}

// Lock takes the host's lock for a run. When somebody else holds it, the error
// is a *LockedError. Ctx bounds the taking only; the lock is renewed until it
// is released or lost.
func (h *Host) Lock(ctx context.Context, request protocol.LockRequest) (*Lock, error) {
	life, end := context.WithCancel(context.Background())
	taking := context.AfterFunc(ctx, end)
	upload, feed := io.Pipe()
	response, err := h.send(life, protocol.OpLock, request, upload, -1)
	var reply protocol.LockReply
	var answers func() ([]byte, error)
	if err == nil {
		answers = bounded.Lines(response.Body, maxLine)
		err = readLine(answers, &reply)
		if err == nil && !taking() {
			err = context.Cause(ctx)
		}
		if err == nil && !reply.Held {
			err = newLockedError(h.name, reply.Holder)
		}
		if err != nil {
			response.Body.Close()
		}
	}
	if err != nil {
		taking()
		end()
		feed.Close()
		if locked, ok := err.(*LockedError); ok {
			return nil, locked
		}
		return nil, h.failed(ctx, "taking the lock", err)
	}
	l := &Lock{host: h, feed: feed, end: end, release: make(chan struct{}), done: make(chan struct{})}
	go l.renew()
	go l.watch(answers, response.Body)
	return l, nil
}

func readLine(next func() ([]byte, error), into any) error {
	line, err := next()
	if err != nil {
		return fmt.Errorf("reading the reply: %w", err)
	}
	return readReply(line, into)
}

// renew tells the agent that the operator lives. A write waits for the
// connection; when that is gone, it ends with the request.
func (l *Lock) renew() {
	tick := time.NewTicker(protocol.LockRenewal)
	defer tick.Stop()
	defer l.feed.Close() // in good order: the agent gives the lock up
	for {
		select {
		case <-tick.C:
			if _, err := l.feed.Write([]byte{'.'}); err != nil {
				return
			}
		case <-l.release:
			return
		case <-l.done:
			return
		}
	}
}

// watch waits for the end of the answer, and learns why it ended.
func (l *Lock) watch(answers func() ([]byte, error), body io.Closer) {
	defer close(l.done)
	defer l.end()
	defer body.Close()
	var last protocol.LockLost
	err := readLine(answers, &last)
	select {
	case <-l.release:
		return
	default:
	}
	if err == nil && last.Lost != "" {
		l.err = &LockLostError{Host: l.host.name, Reason: last.Lost}
		return
	}
	l.err = fmt.Errorf("%s: holding the lock: %w", l.host.name, &UnreachableError{Cause: err})
}

// Done is closed when the lock is no longer held.
func (l *Lock) Done() <-chan struct{} { return l.done }

// Err is why the lock ended, once Done is closed: nil when it was released, a
// *LockLostError when the agent let it go, an ErrUnreachable when the
// connection to the host broke off (and the agent with it).
func (l *Lock) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Release gives the lock up and waits until the host has let it go, at most
// until ctx is done. It may be called once.
func (l *Lock) Release(ctx context.Context) {
	close(l.release)
	select {
	case <-l.done:
	case <-ctx.Done():
		l.end()
		<-l.done
	}
}

// LockedError says that somebody else works on a host.
type LockedError struct {
	Host string
	// Holder is what the host knows of them; fields may be empty.
	Holder protocol.LockHolder
}

func newLockedError(host string, holder *protocol.LockHolder) *LockedError {
	e := &LockedError{Host: host}
	if holder != nil {
		e.Holder = *holder
	}
	return e
}

func (e *LockedError) Error() string {
	if e.Holder.Owner == "" {
		return fmt.Sprintf("%s: somebody else is working on it (the lock %s is held, by nobody knows whom)", e.Host, protocol.LockFile)
	}
	text := fmt.Sprintf("%s: %s is working on it (%s", e.Host, told(e.Holder.Owner), told(e.Holder.Purpose))
	if e.Holder.RunID != "" {
		text += ", run " + told(e.Holder.RunID)
	}
	return text + fmt.Sprintf(", since %s, %s ago)", e.Holder.Since.Local().Format(time.DateTime), e.Holder.Now.Sub(e.Holder.Since).Round(time.Second))
}

// Hint says what to do about it.
func (e *LockedError) Hint() string {
	hint := "wait until they are done"
	if left := e.Holder.Expires.Sub(e.Holder.Now); left > 0 {
		hint += fmt.Sprintf("; should their quorate be dead or cut off, the lock ends by itself within %s", left.Round(time.Second))
	}
	return hint + ". If you are sure that nothing good comes of their run, --break-lock ends it on the hosts"
}

// LockLostError says that the agent let the lock go while the operator's side
// still wanted it: another operator may be working on the host by now.
type LockLostError struct {
	Host   string
	Reason string // the agent's words
}

func (e *LockLostError) Error() string {
	return fmt.Sprintf("%s: the lock was lost: %s", e.Host, told(e.Reason))
}

// Hint says what to do about it.
func (e *LockLostError) Hint() string {
	return "the run was stopped, since somebody else may be working on the hosts by now; what is done stays done: run the same command again to go on"
}

// told is what a file on a host says, in one line that is not too long.
func told(s string) string {
	s = printable.Line(s)
	const most = 120
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}
