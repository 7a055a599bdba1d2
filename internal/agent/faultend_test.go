package agent

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// drilled starts a program that only a test's fault hits.
func drilled(t *testing.T) *exec.Cmd {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), strings.ToLower(t.Name()))
	if err := os.WriteFile(program, text, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "600")
	if err := cmd.Start(); err != nil {
		t.Skip(err) // a sleep that is part of a larger program
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	await(t, "the program to run", func() bool { return state(cmd.Process.Pid) == "S" })
	return cmd
}

func hanging(cmd *exec.Cmd) protocol.FaultRequest {
	return protocol.FaultRequest{ID: "x-1", LastsMillis: 60_000, Process: &protocol.ProcessFault{Program: filepath.Base(cmd.Path), Hang: true}}
}

func noFaults(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", folder, err)
	}
}

// The operator is interrupted, or its connection lost, when the fault is done already
// and nobody has heard of it.
func TestCancelledWhileArming(t *testing.T) {
	cmd := drilled(t)
	s := &fakeSystemd{}
	a := s.on(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.armed = func() {
		// A signal is sent before the process has stopped.
		await(t, "the fault to be done", func() bool { return state(cmd.Process.Pid) == "T" })
		cancel()
	}
	if _, err := a.fault(ctx, hanging(cmd)); err == nil {
		t.Error("a fault that was cancelled is no error")
	}
	await(t, "the process to go on", func() bool { return state(cmd.Process.Pid) == "S" })
	noFaults(t, s.folder)
	if len(s.units) != 0 {
		t.Errorf("the unit goes on: %v", s.units)
	}
}

// The same, and systemd does not stop the unit: what undoes the fault stays, the
// error says that it is not undone, and the next call ends it.
func TestCancelledWhileArmingAndNotStopped(t *testing.T) {
	cmd := drilled(t)
	s := &fakeSystemd{stopFails: "Job for quorate-drill-x-1.service timed out."}
	a := s.on(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.armed = cancel
	_, err := a.fault(ctx, hanging(cmd))
	if err == nil || !strings.Contains(err.Error(), "the fault x-1 is not undone") || !strings.Contains(err.Error(), "timed out") {
		t.Errorf("the error is %v", err)
	}
	for _, file := range []string{"agent", requestFile} {
		if _, err := os.Stat(filepath.Join(s.folder, "x-1", file)); err != nil {
			t.Errorf("what undoes the fault is gone: %v", err)
		}
	}
	if _, err := a.fault(t.Context(), protocol.FaultRequest{ID: "x-2", LastsMillis: 1000, Process: hanging(cmd).Process}); err == nil || !strings.Contains(err.Error(), "x-1") {
		t.Errorf("a second fault on top of it: %v", err)
	}
	s.stopFails = ""
	if reply, err := a.undo(t.Context(), protocol.UndoRequest{}); err != nil || !slices.Equal(reply.Ended, []string{"x-1"}) || reply.Left != nil {
		t.Errorf("%+v, %v", reply, err)
	}
	await(t, "the process to go on", func() bool { return state(cmd.Process.Pid) == "S" })
	noFaults(t, s.folder)
}

// systemctl stop fails, or its time is over, and the unit goes on.
func TestUndoWhoseStopFails(t *testing.T) {
	cmd := drilled(t)
	s := &fakeSystemd{}
	a := s.on(t)
	if _, err := a.fault(t.Context(), hanging(cmd)); err != nil {
		t.Fatal(err)
	}
	s.stopFails = "Job for quorate-drill-x-1.service timed out."
	for _, id := range []string{"x-1", ""} {
		reply, err := a.undo(t.Context(), protocol.UndoRequest{ID: id})
		if err != nil || reply.Ended != nil || len(reply.Left) != 1 || !strings.Contains(reply.Left[0], "still active") {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.folder, "x-1", "agent")); err != nil {
		t.Errorf("what undoes the fault is gone: %v", err)
	}
	s.stopFails = ""
	if reply, err := a.undo(t.Context(), protocol.UndoRequest{}); err != nil || !slices.Equal(reply.Ended, []string{"x-1"}) {
		t.Errorf("%+v, %v", reply, err)
	}
	await(t, "the process to go on", func() bool { return state(cmd.Process.Pid) == "S" })
	noFaults(t, s.folder)
}

// What undoes the fault is killed before it did, without a word: that the unit is
// gone, and that there is no error, is no proof.
func TestUndoThatWasKilled(t *testing.T) {
	cmd := drilled(t)
	s := &fakeSystemd{postKilled: true}
	a := s.on(t)
	if _, err := a.fault(t.Context(), hanging(cmd)); err != nil {
		t.Fatal(err)
	}
	if reply, err := a.undo(t.Context(), protocol.UndoRequest{ID: "x-1"}); err != nil || !slices.Equal(reply.Ended, []string{"x-1"}) {
		t.Errorf("%+v, %v", reply, err)
	}
	await(t, "the process to go on", func() bool { return state(cmd.Process.Pid) == "S" })
	noFaults(t, s.folder)
}

// A fault that cannot be done says why, whatever systemd makes of it, and leaves
// nothing.
func TestFaultThatCannotBeDone(t *testing.T) {
	s := &fakeSystemd{}
	a := s.on(t)
	_, err := a.fault(t.Context(), protocol.FaultRequest{ID: "x-1", LastsMillis: 1000, Process: &protocol.ProcessFault{Program: "no-such-program", Hang: true}})
	if err == nil || !strings.Contains(err.Error(), "no process of no-such-program runs here") {
		t.Errorf("the error is %v", err)
	}
	noFaults(t, s.folder)
}

// One fault that cannot be ended does not keep the others from being ended.
func TestUndoEndsTheOthers(t *testing.T) {
	s := &fakeSystemd{}
	a := s.on(t)
	for id, broken := range map[string]bool{"a-1": true, "b-1": false} {
		dir := filepath.Join(s.folder, id)
		if err := prepareFault(dir, protocol.FaultRequest{ID: id, LastsMillis: 1000, Disk: &protocol.DiskFault{Dir: "/var"}}); err != nil {
			t.Fatal(err)
		}
		if broken {
			if err := os.WriteFile(filepath.Join(dir, requestFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := beginFault(dir); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := a.undo(t.Context(), protocol.UndoRequest{})
	if err != nil || !slices.Equal(reply.Ended, []string{"b-1"}) || len(reply.Left) != 1 || !strings.Contains(reply.Left[0], "a-1") {
		t.Errorf("%+v, %v", reply, err)
	}
	// The host was started anew since: nothing of a fault outlives that.
	if err := os.WriteFile(filepath.Join(s.folder, "a-1", begunFile), []byte("another start"), 0o600); err != nil {
		t.Fatal(err)
	}
	if reply, err := a.undo(t.Context(), protocol.UndoRequest{}); err != nil || !slices.Equal(reply.Ended, []string{"a-1"}) || reply.Left != nil {
		t.Errorf("%+v, %v", reply, err)
	}
	noFaults(t, s.folder)
}

// A unit whose folder somebody removed goes on without what undoes it. It is found,
// and what it did is not forgotten once it has stopped.
func TestUnitWithoutItsFolder(t *testing.T) {
	s := &fakeSystemd{}
	a := s.on(t)
	s.units[FaultUnit("x-1")] = &fakeUnit{active: "active"}
	for range 2 {
		reply, err := a.undo(t.Context(), protocol.UndoRequest{})
		if err != nil || reply.Ended != nil || len(reply.Left) != 1 || !strings.Contains(reply.Left[0], "what was done is not known") {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	if len(s.units) != 0 {
		t.Error("the unit goes on")
	}
	// One that has undone its fault at this moment, and removed its folder, is over.
	s.units[FaultUnit("y-1")] = &fakeUnit{active: "deactivating"}
	if reply, err := a.undo(t.Context(), protocol.UndoRequest{ID: "y-1"}); err != nil || reply.Left != nil {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestUndoOfNothing(t *testing.T) {
	s := &fakeSystemd{}
	a := s.on(t)
	for _, id := range []string{"", "x-1"} {
		if reply, err := a.undo(t.Context(), protocol.UndoRequest{ID: id}); err != nil || reply.Ended != nil || reply.Left != nil {
			t.Errorf("%+v, %v", reply, err)
		}
	}
	if s.calls != nil {
		t.Errorf("something was done: %q", s.calls)
	}
}

// Who waits has longer than the one that is waited for, at every step: else what is
// slow is taken for what failed.
func TestWaitsAreInOrder(t *testing.T) {
	const ask = 20 // seconds that a question of systemd may take
	if inEnd := stopTime + 2*ask*1e9 + 2*programTime; inEnd > protocol.FaultEndTime {
		t.Errorf("ending takes up to %s, and is given %s", inEnd, protocol.FaultEndTime)
	}
	if all := armTime + protocol.FaultEndTime; all > protocol.FaultArmTime {
		t.Errorf("a fault that fails takes up to %s, and is given %s", all, protocol.FaultArmTime)
	}
	if 2*programTime >= unitTime || unitTime >= armTime || 2*unitTime >= stopTime {
		t.Error("systemd ends what is still at it")
	}
}

// A process that somebody else has stopped is not made to go on.
func TestProcessThatWasStoppedBefore(t *testing.T) {
	cmd := drilled(t)
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "the process to stop", func() bool { return state(cmd.Process.Pid) == "T" })
	s := &fakeSystemd{}
	if _, err := s.on(t).fault(t.Context(), hanging(cmd)); err == nil {
		t.Error("it was made to hang once more")
	}
	if state(cmd.Process.Pid) != "T" {
		t.Error("it goes on")
	}
}
