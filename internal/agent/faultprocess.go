package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// processFault kills or stops all processes of a program.
type processFault struct{ *protocol.ProcessFault }

func (f processFault) check() error { return checkProgram(f.Program) }

func (processFault) able(context.Context, *Agent) error { return nil }

func (f processFault) atOnce(context.Context, *Agent, time.Duration) (reply protocol.FaultReply, done bool, err error) {
	if !f.Hang {
		reply.Processes, err = killProgram(f.Program)
	}
	return reply, !f.Hang, err
}

func (f processFault) prepare(_ context.Context, in faultPlace) (func() (begun, error), error) {
	return func() (b begun, err error) {
		b.reply.Processes, err = hang(in.file(stoppedFile), f.Program)
		return b, err
	}, nil
}

func (processFault) undo(_ context.Context, in faultPlace) error { return goOn(in.file(stoppedFile)) }

// process is one process that cannot be mistaken for a later one of the same
// number.
type process struct {
	PID int `json:"pid"`
	// Started is when it was, in the kernel's ticks since boot.
	Started string `json:"started"`
}

// processesOf finds the processes of a program by its executable's base name,
// in containers too. This process is never among them.
func processesOf(program string) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != program {
			continue
		}
		if started := startOf(pid); started != "" {
			found = append(found, process{pid, started})
		}
	}
	return found, nil
}

// startOf is when a process was started, stateOf its state's letter; empty when it is
// gone. The start time is the 22nd of proc(5)'s fields, the state the third.
func startOf(pid int) string { return statOf(pid, 22) }
func stateOf(pid int) string { return statOf(pid, 3) }

func statOf(pid, field int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second is the name, in brackets, and may hold any.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) <= field-3 {
		return ""
	}
	return fields[field-3]
}

// signal signals the process if it is still the one that was found.
func (p process) signal(s syscall.Signal) error {
	handle, err := os.FindProcess(p.PID) // holds on to the process, not the number
	if err != nil {
		return err
	}
	defer handle.Release()
	if startOf(p.PID) != p.Started {
		return os.ErrProcessDone
	}
	return handle.Signal(s)
}

// errNoProcess says that there is nothing to hit.
func errNoProcess(program string) error {
	return protocol.Failure(protocol.KindNotExist, "no process of %s runs here", program)
}

// killProgram ends all processes of a program at once.
func killProgram(program string) (int, error) {
	return signalAll(program, syscall.SIGKILL)
}

func signalAll(program string, s syscall.Signal) (int, error) {
	found, err := processesOf(program)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range found {
		switch err := p.signal(s); {
		case err == nil:
			n++
		case !errors.Is(err, os.ErrProcessDone):
			return n, err
		}
	}
	if n == 0 {
		return 0, errNoProcess(program)
	}
	return n, nil
}

// hang stops all processes of a program, and notes them in a file before.
func hang(file, program string) (int, error) {
	found, err := processesOf(program)
	if err != nil {
		return 0, err
	}
	// One that somebody else has stopped is not to go on afterwards.
	found = slices.DeleteFunc(found, func(p process) bool { return strings.ContainsAny(stateOf(p.PID), "Tt") })
	if len(found) == 0 {
		return 0, errNoProcess(program)
	}
	text, err := json.Marshal(found)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return 0, err
	}
	n := 0
	for _, p := range found {
		if err := p.signal(syscall.SIGSTOP); err == nil {
			n++
		} else if !errors.Is(err, os.ErrProcessDone) {
			return n, err
		}
	}
	return n, nil
}

// goOn lets the noted processes go on. One that is gone, because somebody
// noticed that it hung, needs nothing.
func goOn(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was stopped
	}
	if err != nil {
		return err
	}
	var stopped []process
	if err := json.Unmarshal(text, &stopped); err != nil {
		return err
	}
	var failures []error
	for _, p := range stopped {
		if err := p.signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
