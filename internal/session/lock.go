package session

import (
	"context"
	"sync"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/lock"
)

// Lock takes the hosts' lock for a command that changes them. The context it
// returns ends when the lock is lost; unlock gives the lock up.
func (s *Session) Lock(ctx context.Context, purpose string, breakLock bool) (locked context.Context, unlock func(), err error) {
	held, err := s.Acquire(ctx, purpose, breakLock)
	if err != nil {
		return nil, nil, err
	}
	locked, stop := held.Guard(ctx)
	return locked, func() {
		stop()
		held.Release(context.WithoutCancel(ctx))
	}, nil
}

// Acquire takes the hosts' lock for a new run. A host whose lock was not had is
// connected no more.
func (s *Session) Acquire(ctx context.Context, purpose string, breakLock bool) (*lock.Held, error) {
	s.RunID = event.NewRunID()
	held, err := lock.Acquire(ctx, s.Hosts, lock.Info{
		Owner: lock.Self(), Purpose: purpose, RunID: s.RunID, Break: breakLock,
	})
	if err != nil {
		return nil, err
	}
	s.Leave(held.Passed)
	return held, nil
}

// Leave ends the connections to hosts, which have failed for these reasons.
func (s *Session) Leave(failed map[string]error) {
	var wg sync.WaitGroup
	for name, why := range failed {
		h := s.Hosts[name]
		wg.Go(func() { _ = h.Close(context.Background()) })
		delete(s.Hosts, name)
		s.Failed[name] = why
	}
	wg.Wait()
}
