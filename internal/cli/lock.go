package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/host"
)

func breakLockFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "break-lock", false, "end another operator's run on the hosts and take its place")
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
