// Package lock keeps two operators from changing the same cluster at the same
// time. The lock is on the hosts themselves, since it must hold before there
// is an API: each host's agent holds it for as long as the operator's side
// renews it, and lets it go when the connection ends.
package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// Info is what others are told of the run that holds the lock.
type Info struct {
	Owner   string // user@machine; Self gives it
	Purpose string // the command: apply, reset …
	RunID   string
	// Break ends the runs of others that hold the lock.
	Break bool
}

// Self is the operator as user@machine.
func Self() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	// Through sudo, the person is of more interest than the account.
	name = cmp.Or(os.Getenv("SUDO_USER"), name)
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return name + "@" + machine
}

// Held is the lock of a set of hosts.
type Held struct {
	// Passed are the hosts that went away, or fell silent, before their lock was had,
	// with the reason. They must not be worked on: others may be.
	Passed map[string]error

	locks []*host.Lock
	lost  chan error
}

// takeTimeout bounds the taking of one host's lock: an agent waits 15 s for a holder
// that is just ending.
const takeTimeout = 25 * time.Second

// Acquire takes the lock on every host, or on none: the error then is a
// *RefusedError (or why a host could not be asked). The first host in the
// order of their names is asked alone: of two operators who start at the same
// moment on the same hosts, only one gets past it. A host that goes away
// meanwhile, or does not answer, is passed over. Commands that need every host
// are so kept from each other; one that destroys needs most of the control
// planes, and one that ends drills only undoes, each host for itself.
func Acquire(ctx context.Context, hosts map[string]*host.Host, info Info) (*Held, error) {
	request := protocol.LockRequest{Owner: info.Owner, Purpose: info.Purpose, RunID: info.RunID, Break: info.Break}
	held := &Held{Passed: map[string]error{}, lost: make(chan error, 1)}
	names := slices.Sorted(maps.Keys(hosts))
	var mu sync.Mutex
	var failures []error
	take := func(name string) {
		ctx, cancel := host.AnswerWithin(ctx, takeTimeout)
		defer cancel()
		l, err := hosts[name].Lock(ctx, request)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			held.locks = append(held.locks, l)
		case errors.Is(err, host.ErrUnreachable):
			held.Passed[name] = err
		default:
			failures = append(failures, err)
		}
	}
	for len(names) > 0 && len(held.locks) == 0 && len(failures) == 0 {
		take(names[0])
		names = names[1:]
	}
	if len(failures) == 0 {
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() { take(name) })
		}
		wg.Wait()
	}
	if len(failures) > 0 {
		held.Release(context.WithoutCancel(ctx))
		return nil, refusal(failures)
	}
	for _, l := range held.locks {
		go held.watch(l)
	}
	return held, nil
}

// refusal makes one error of what the hosts answered.
func refusal(failures []error) error {
	refused := &RefusedError{}
	for _, err := range failures {
		locked, ok := errors.AsType[*host.LockedError](err)
		if !ok {
			return err
		}
		refused.Locked = append(refused.Locked, locked)
	}
	slices.SortFunc(refused.Locked, func(a, b *host.LockedError) int { return cmp.Compare(a.Host, b.Host) })
	return refused
}

// RefusedError says that somebody else holds the lock of some of the hosts.
type RefusedError struct {
	Locked []*host.LockedError // at least one, by host name
}

func (e *RefusedError) Error() string {
	text := e.Locked[0].Error()
	if n := len(e.Locked) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more of the hosts", n)
	}
	return text + "; nothing was changed"
}

// Hint says what to do about it.
func (e *RefusedError) Hint() string { return e.Locked[0].Hint() }

func (h *Held) watch(l *host.Lock) {
	<-l.Done()
	// The end of a connection is not the end of the lock: the host is dead or
	// cut off, its agent ends by itself, and the run sees its steps there fail.
	if lost, ok := errors.AsType[*host.LockLostError](l.Err()); ok {
		select {
		case h.lost <- lost:
		default:
		}
	}
}

// Lost gives why the lock was lost on a host that lives, if that happens:
// another operator may work there from now on, so the run must stop.
func (h *Held) Lost() <-chan error { return h.lost }

// Guard returns a context that ends, with the reason as its cause, when the
// lock is lost.
func (h *Held) Guard(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-h.Lost():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// releaseTimeout bounds the farewell to hosts that may be gone already.
const releaseTimeout = 3 * time.Second

// Release gives the lock up on all hosts at once; those that do not answer
// let it go by themselves.
func (h *Held) Release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range h.locks {
		wg.Go(func() { l.Release(ctx) })
	}
	wg.Wait()
	h.locks = nil
}
