package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	if err := checkFault(request); err != nil {
		return protocol.FaultReply{}, err
	}
	if request.Try {
		return protocol.FaultReply{}, a.canFault(ctx, request)
	}
	if p := request.Process; p != nil && !p.Hang {
		n, err := killProgram(p.Program)
		return protocol.FaultReply{Processes: n}, err
	}
	if b := request.Boot; b != nil && b.Off {
		return protocol.FaultReply{}, a.powerOff(time.Duration(request.LastsMillis) * time.Millisecond)
	} else if b != nil {
		return protocol.FaultReply{}, a.boot(ctx, b.Hard)
	}
	if err := a.canFault(ctx, request); err != nil {
		return protocol.FaultReply{}, err
	}
	dir, err := a.path(filepath.Join(protocol.FaultFolder, request.ID))
	if err != nil {
		return protocol.FaultReply{}, err
	}
	if err := prepareFault(dir, request); err != nil {
		return protocol.FaultReply{}, err
	}
	reply, err := a.arm(ctx, dir, request)
	if err != nil {
		_ = clearFault(dir)
	}
	return reply, err
}

// prepareFault makes the fault's folder: what to do, and a copy of this
// program that nobody else removes meanwhile.
func prepareFault(dir string, request protocol.FaultRequest) error {
	if err := os.RemoveAll(dir); err != nil { // of one that a reboot ended
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, requestFile), text, 0o600); err != nil {
		return err
	}
	return copySelf(filepath.Join(dir, "agent"))
}

// The files in a fault's folder.
const (
	requestFile = "request.json"
	stoppedFile = "stopped.json" // the processes that were stopped
	clockFile   = "clock.json"   // where the clock stood
	replyFile   = "reply.json"
	errorFile   = "error" // why the fault could not be done or undone
)

func copySelf(path string) (err error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, self)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	return err
}

// arm starts the fault's unit and waits until the fault is done, or for a
// network fault is about to be.
func (a *Agent) arm(ctx context.Context, dir string, request protocol.FaultRequest) (protocol.FaultReply, error) {
	var reply protocol.FaultReply
	run, err := a.exec(ctx, Command{Argv: armArgv(dir, request), Timeout: 30 * time.Second})
	if err != nil {
		return reply, err
	}
	if run.ExitCode != 0 {
		why := strings.TrimSpace(string(run.Stderr))
		if text, err := os.ReadFile(filepath.Join(dir, errorFile)); err == nil {
			why = string(text)
		}
		return reply, protocol.Failure(protocol.KindOther, "the fault could not be done: %s", why)
	}
	text, err := os.ReadFile(filepath.Join(dir, replyFile))
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(text, &reply)
}

// armArgv starts the fault's unit. The unit is told how to undo before its
// process starts, and ends by itself when its time is over.
func armArgv(dir string, request protocol.FaultRequest) []string {
	agent := filepath.Join(dir, "agent")
	return []string{
		"systemd-run", "--quiet", "--collect", "--unit=" + FaultUnit(request.ID), "--service-type=notify",
		"--description=A drill of quorate; ends by itself",
		fmt.Sprintf("--property=RuntimeMaxSec=%dms", request.LastsMillis),
		"--property=TimeoutStopSec=15s",
		fmt.Sprintf("--property=ExecStopPost=%s %s %s", agent, FaultUndo, dir),
		agent, FaultHold, dir,
	}
}

// FaultUnit is the systemd unit of a fault.
func FaultUnit(id string) string { return protocol.FaultUnitPrefix + id + ".service" }

// undo ends a fault, or all of the host's.
func (a *Agent) undo(ctx context.Context, request protocol.UndoRequest) (protocol.UndoReply, error) {
	var reply protocol.UndoReply
	folder, err := a.path(protocol.FaultFolder)
	if err != nil {
		return reply, err
	}
	ids := []string{request.ID}
	if request.ID == "" {
		if ids, err = faultsIn(folder); err != nil {
			return reply, err
		}
	} else if !faultID.MatchString(request.ID) {
		return reply, protocol.Failure(protocol.KindInvalid, "%q is not a fault's ID", request.ID)
	}
	for _, id := range ids {
		dir := filepath.Join(folder, id)
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			continue
		}
		if _, err := a.systemctl(ctx, "stop", FaultUnit(id)); err != nil {
			return reply, err
		}
		// The unit's end removes the folder when it undid the fault; one that a
		// reboot ended is undone and only has to be cleared away.
		if text, err := os.ReadFile(filepath.Join(dir, errorFile)); err == nil {
			// It failed, or an earlier time did: it is tried once more here.
			if err := UndoFault(ctx, dir); err != nil {
				return reply, protocol.Failure(protocol.KindOther, "undoing %s: %s; and once more: %v", id, text, err)
			}
		}
		if err := clearFault(dir); err != nil {
			return reply, err
		}
		reply.Ended = append(reply.Ended, id)
	}
	os.Remove(folder) // also one that was empty already
	return reply, nil
}

// faultsIn lists the faults that have a folder.
func faultsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if faultID.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
