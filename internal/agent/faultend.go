package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// undo ends a fault, or all of the host's.
func (a *Agent) undo(ctx context.Context, request protocol.UndoRequest) (protocol.UndoReply, error) {
	var reply protocol.UndoReply
	folder, err := a.path(protocol.FaultFolder)
	if err != nil {
		return reply, err
	}
	ids := []string{request.ID}
	if request.ID == "" {
		if ids, err = a.faultsHere(ctx, folder); err != nil {
			return reply, err
		}
	} else if !faultID.MatchString(request.ID) {
		return reply, protocol.Failure(protocol.KindInvalid, "%q is not a fault's ID", request.ID)
	}
	for _, id := range ids {
		dir := filepath.Join(folder, id)
		_, err := os.Stat(dir)
		there := err == nil
		err = a.endFault(ctx, dir)
		if err == nil && there {
			err = clearFault(dir)
		}
		if err != nil {
			reply.Left = append(reply.Left, err.Error())
		} else if there {
			reply.Ended = append(reply.Ended, id)
		}
	}
	os.Remove(folder) // also one that was empty already
	return reply, nil
}

// faultsHere lists the faults that have a folder or a unit.
func (a *Agent) faultsHere(ctx context.Context, folder string) ([]string, error) {
	ids, err := faultsIn(folder)
	if err != nil {
		return nil, err
	}
	run, err := a.exec(ctx, Command{Argv: []string{
		"systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", protocol.FaultUnitPrefix + "*.service",
	}, Timeout: programTime})
	if err != nil {
		return nil, err
	}
	if run.ExitCode != 0 {
		return nil, protocol.Failure(protocol.KindOther, "asking systemd for the units of faults: %s", strings.TrimSpace(string(run.Stderr)))
	}
	for line := range strings.Lines(string(run.Stdout)) {
		unit, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		id, ours := strings.CutPrefix(strings.TrimSuffix(unit, ".service"), protocol.FaultUnitPrefix)
		if ours && faultID.MatchString(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// endFault stops a fault's unit, whatever state that is in, sees that it has
// stopped, and that what the fault did is undone. Only then there is no error. It
// goes on though whoever asked is gone.
func (a *Agent) endFault(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), protocol.FaultEndTime)
	defer cancel()
	_, err := os.Stat(dir)
	lost := errors.Is(err, fs.ErrNotExist)
	name := FaultUnit(filepath.Base(dir))
	before, err := a.showUnit(ctx, name)
	if err != nil {
		return unended(dir, err)
	}
	failure := ""
	if !stopped(before) {
		run, err := a.exec(ctx, Command{Argv: []string{"systemctl", "stop", name}, Timeout: stopTime})
		if err != nil {
			return unended(dir, err)
		}
		failure = strings.TrimSpace(string(run.Stderr))
		after, err := a.showUnit(ctx, name)
		if err != nil {
			return unended(dir, err)
		}
		if !stopped(after) {
			return unended(dir, fmt.Errorf("%s is still %s; systemctl stop says: %s", name, after.Active, failure))
		}
		if lost && (before.Active == "active" || before.Active == "activating") {
			// It went on without what undoes it: that is kept in mind until the host is
			// started anew.
			if err := errors.Join(os.MkdirAll(dir, 0o700), beginFault(dir)); err != nil {
				return unended(dir, err)
			}
		}
	}
	if err := UndoFault(ctx, dir); err != nil {
		return unended(dir, err)
	}
	return nil
}

// stopped reports whether a unit has no process any more, and nothing left to do.
func stopped(unit protocol.Unit) bool {
	return unit.Load == "not-found" || unit.Active == "inactive" || unit.Active == "failed"
}

// unended says that a fault is not over, and what ends it.
func unended(dir string, err error) error {
	return protocol.Failure(protocol.KindOther, "the fault %s is not undone: %v; `quorate drill end` tries once more, and a reboot of the host ends it", filepath.Base(dir), err)
}
