package cli

import (
	"context"
	"errors"

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
	s.runID = event.NewRunID()
	held, err := lock.Acquire(ctx, s.hosts, lock.Info{
		Owner: lock.Self(), Purpose: purpose, RunID: s.runID, Break: breakLock,
	})
	if err != nil {
		return nil, nil, err
	}
	locked, stop := held.Guard(ctx)
	return locked, func() {
		stop()
		held.Release(context.WithoutCancel(ctx))
	}, nil
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
