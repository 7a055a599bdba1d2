package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// The words that a copy of the agent is started with inside a fault's unit,
// with the fault's folder as the second one.
const (
	FaultHold = "fault-hold" // does the fault and waits for its end
	FaultUndo = "fault-undo" // undoes it
)

// fault does harm to the host, with its undoing arranged before.
func (a *Agent) fault(ctx context.Context, request protocol.FaultRequest) (protocol.FaultReply, error) {
	kind, err := faultOf(request)
	if err != nil {
		return protocol.FaultReply{}, err
	}
	if err := kind.able(ctx, a); err != nil || request.Try {
		return protocol.FaultReply{}, err
	}
	if quick, ok := kind.(faultAtOnce); ok {
		reply, done, err := quick.atOnce(ctx, a, time.Duration(request.LastsMillis)*time.Millisecond)
		if done {
			return reply, err
		}
	}
	dir, err := a.path(filepath.Join(protocol.FaultFolder, request.ID))
	if err != nil {
		return protocol.FaultReply{}, err
	}
	if err := a.onlyFault(ctx, filepath.Dir(dir)); err != nil {
		return protocol.FaultReply{}, err
	}
	if err := prepareFault(dir, request); err != nil {
		return protocol.FaultReply{}, errors.Join(err, clearFault(dir)) // nothing was started
	}
	reply, err := a.arm(ctx, dir, request)
	if err == nil {
		return reply, nil
	}
	// The unit may have been started all the same, may be about to be, and may be
	// undoing at this moment. Its folder goes when it is known to be over.
	if endErr := a.endFault(ctx, dir); endErr != nil {
		return reply, errors.Join(err, endErr)
	}
	if text, readErr := os.ReadFile(filepath.Join(dir, errorFile)); readErr == nil {
		err = protocol.Failure(protocol.KindOther, "the fault could not be done: %s", text)
	}
	return reply, errors.Join(err, clearFault(dir))
}

// onlyFault ends what an earlier drill has left, since a host has one fault at a
// time: two would be undone in the wrong order.
func (a *Agent) onlyFault(ctx context.Context, folder string) error {
	left, err := faultsIn(folder)
	if err != nil {
		return err
	}
	for _, id := range left {
		dir := filepath.Join(folder, id)
		if err := a.endFault(ctx, dir); err != nil {
			return fmt.Errorf("a fault of an earlier drill comes first: %w", err)
		}
		if err := clearFault(dir); err != nil {
			return err
		}
	}
	return nil
}

// How long the parts of a fault may take. A fault runs two programs at most, one
// after the other, and so does its undoing; the unit waits for either, and armTime
// and stopTime wait for the unit.
const (
	programTime = 15 * time.Second
	unitTime    = 2*programTime + 10*time.Second
	armTime     = unitTime + 10*time.Second
	stopTime    = 2*unitTime + 10*time.Second // its process, and then what undoes
)

// arm starts the fault's unit and waits until the fault is done, or for a
// network fault is about to be.
func (a *Agent) arm(ctx context.Context, dir string, request protocol.FaultRequest) (protocol.FaultReply, error) {
	var reply protocol.FaultReply
	run, err := a.exec(ctx, Command{Argv: armArgv(dir, request, seLinux() != ""), Timeout: armTime})
	if err != nil {
		return reply, err
	}
	if run.ExitCode != 0 {
		return reply, protocol.Failure(protocol.KindOther, "the fault could not be done: %s", strings.TrimSpace(string(run.Stderr)))
	}
	text, err := os.ReadFile(filepath.Join(dir, replyFile))
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(text, &reply)
}

// armArgv starts the fault's unit. The unit is told how to undo before its
// process starts, and ends by itself when its time is over. Under SELinux it is told
// what to run as: systemd's own context may run nothing that lies below /var/lib.
func armArgv(dir string, request protocol.FaultRequest, seLinux bool) []string {
	agent := filepath.Join(dir, "agent")
	argv := []string{
		"systemd-run", "--quiet", "--collect", "--unit=" + FaultUnit(request.ID), "--service-type=notify",
		"--description=A drill of quorate; ends by itself",
		fmt.Sprintf("--property=RuntimeMaxSec=%dms", request.LastsMillis),
		"--property=TimeoutStartSec=" + unitTime.String(),
		"--property=TimeoutStopSec=" + unitTime.String(),
		fmt.Sprintf("--property=ExecStopPost=%s %s %s", agent, FaultUndo, dir),
	}
	if seLinux {
		argv = append(argv, "--property=SELinuxContext="+protocol.SELinuxUnconfined)
	}
	return append(argv, agent, FaultHold, dir)
}

// FaultUnit is the systemd unit of a fault.
func FaultUnit(id string) string { return protocol.FaultUnitPrefix + id + ".service" }
