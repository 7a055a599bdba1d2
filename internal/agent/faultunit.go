package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// unitFault stops a systemd unit.
type unitFault struct{ *protocol.UnitFault }

func (f unitFault) check() error {
	return checkUnitRequest(protocol.UnitRequest{Name: f.Name, Verb: "stop"})
}

func (unitFault) able(context.Context, *Agent) error { return nil }

func (f unitFault) prepare(ctx context.Context, in faultPlace) (func() (begun, error), error) {
	return func() (begun, error) { return begun{}, stopUnit(ctx, in, f.Name) }, nil
}

func (f unitFault) undo(ctx context.Context, in faultPlace) error { return startUnit(ctx, in, f.Name) }

// stopUnit stops a unit that runs, and notes before that it did: what did not run
// is not to be started afterwards.
func stopUnit(ctx context.Context, in faultPlace, unit string) error {
	if _, err := program(ctx, "", "systemctl", "is-active", "--quiet", "--", unit); err != nil {
		return fmt.Errorf("%s does not run: %w", unit, err)
	}
	if err := os.WriteFile(in.file(unitFile), []byte(unit), 0o600); err != nil {
		return err
	}
	_, err := program(ctx, "", "systemctl", "stop", "--", unit)
	return err
}

// startUnit starts a unit that stopUnit stopped. Not waited for: one that needs long
// to start is still started.
func startUnit(ctx context.Context, in faultPlace, unit string) error {
	if _, err := os.Stat(in.file(unitFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	_, err := program(ctx, "", "systemctl", "start", "--no-block", "--", unit)
	return err
}
