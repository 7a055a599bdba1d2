package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/lock"
)

func breakLockFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "break-lock", false, "end another operator's run on the hosts and take its place")
}

// lock takes the hosts' lock for a command that changes them. The context it
// returns ends when the lock is lost; unlock gives the lock up.
func (s *session) lock(ctx context.Context, purpose string, breakLock bool) (locked context.Context, unlock func(), err error) {
	held, err := s.acquire(ctx, purpose, breakLock)
	if err != nil {
		return nil, nil, err
	}
	locked, stop := held.Guard(ctx)
	return locked, func() {
		stop()
		held.Release(context.WithoutCancel(ctx))
	}, nil
}

// acquire takes the hosts' lock for a new run. A host whose lock was not had is
// connected no more.
func (s *session) acquire(ctx context.Context, purpose string, breakLock bool) (*lock.Held, error) {
	s.runID = event.NewRunID()
	held, err := lock.Acquire(ctx, s.hosts, lock.Info{
		Owner: lock.Self(), Purpose: purpose, RunID: s.runID, Break: breakLock,
	})
	if err != nil {
		return nil, err
	}
	s.leave(held.Passed)
	return held, nil
}

// leave ends the connections to hosts, which have failed for these reasons.
func (s *session) leave(failed map[string]error) {
	var wg sync.WaitGroup
	for name, why := range failed {
		h := s.hosts[name]
		wg.Go(func() { _ = h.Close(context.Background()) })
		delete(s.hosts, name)
		s.failed[name] = why
	}
	wg.Wait()
}

// verdict is what a run that ended badly ends the command with: the lock's
// loss, which has not been told yet, or the exit code alone.
func verdict(ctx context.Context, result engine.Result) error {
	if lost, ok := errors.AsType[*host.LockLostError](context.Cause(ctx)); ok && !result.OK() {
		return lost
	}
	switch {
	case result.OK():
		return nil
	case result.Interrupted:
		return silent(exitInterrupted)
	}
	return silent(exitFailed)
}
