package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunOutput(t *testing.T) {
	var lines []string
	out, err := command{
		dir: t.TempDir(), env: []string{"GREETING=hello"}, argv: []string{"sh", "-c", "echo $GREETING; echo one >&2; echo two >&2"},
		line: func(l string) { lines = append(lines, l) },
	}.run(t.Context())
	if err != nil || string(out) != "hello\n" || strings.Join(lines, ",") != "one,two" {
		t.Errorf("stdout %q, lines %v, error %v", out, lines, err)
	}
}

func TestRunFailureShowsTheEnd(t *testing.T) {
	script := "i=0; while [ $i -lt 100 ]; do echo line $i >&2; i=$((i+1)); done; exit 3"
	_, err := command{argv: []string{"sh", "-c", script}}.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "line 99") ||
		strings.Contains(err.Error(), "line 79\n") {
		t.Errorf("error %v", err)
	}
}

// TestRunCancel makes sure that a cancelled command takes its children with
// it: the compiler runs as a child of the go command.
func TestRunCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("the user said stop")
	var grandchild int
	_, err := command{
		argv: []string{"sh", "-c", "sleep 600 & echo $! >&2; wait"},
		line: func(l string) {
			pid, err := strconv.Atoi(l)
			if err != nil {
				t.Errorf("the shell printed %q", l)
			}
			grandchild = pid
			cancel(interrupted)
		},
	}.run(ctx)
	if !errors.Is(err, interrupted) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not the cause and not the context's", err)
	}
	if grandchild == 0 {
		t.Fatal("the shell never started its child")
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// A killed child stays as a zombie until init reaps it.
	for !errors.Is(syscall.Kill(grandchild, 0), syscall.ESRCH) && !isZombie(grandchild) {
		select {
		case <-deadline:
			t.Fatalf("process %d outlived the command that started it", grandchild)
		case <-tick.C:
		}
	}
}

// isZombie reports whether a process has ended and only waits to be reaped.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
