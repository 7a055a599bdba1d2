package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestSpawner(t *testing.T) *spawner {
	s := newSpawner()
	t.Cleanup(s.close)
	return s
}

func TestRunEndsTheWholeGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	// A shell that ignores SIGTERM, with a child of its own.
	program := "trap '' TERM; sleep 1000 & echo $$ $! > " + pids + ".new; mv " + pids + ".new " + pids + "; wait; wait"
	s := newTestSpawner(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.run(ctx, Command{Argv: []string{"sh", "-c", program}})
		done <- err
	}()
	var text []byte
	await(t, "the program to start", func() bool {
		var err error
		text, err = os.ReadFile(pids)
		return err == nil
	})
	cancel()
	if failure, ok := errors.AsType[*protocol.Error](<-done); !ok || failure.Kind != protocol.KindCancelled {
		t.Errorf("a cancelled run answered %v", failure)
	}
	for _, pid := range strings.Fields(string(text)) {
		await(t, "process "+pid+" to be gone", func() bool { return gone(pid) })
	}
}

func TestRunLeavesNoBackgroundProcess(t *testing.T) {
	s := newTestSpawner(t)
	reply, err := s.run(t.Context(), Command{Argv: []string{"sh", "-c", "sleep 1000 & echo $!"}})
	if err != nil || reply.ExitCode != 0 {
		t.Fatalf("%+v, %v", reply, err)
	}
	pid := strings.TrimSpace(string(reply.Stdout))
	await(t, "the background process to be gone", func() bool { return gone(pid) })
}

func TestRunTimeout(t *testing.T) {
	s := newTestSpawner(t)
	began := time.Now()
	_, err := s.run(t.Context(), Command{Argv: []string{"sleep", "1000"}, Timeout: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "timeout of 20ms") {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestRunWithClosedSpawner(t *testing.T) {
	s := newSpawner()
	s.close()
	if _, err := s.run(t.Context(), Command{Argv: []string{"true"}}); err == nil {
		t.Error("a program was started after the end")
	}
}

func TestRunEnvironmentIsClean(t *testing.T) {
	t.Setenv("SECRET_OF_THE_LOGIN", "x")
	s := newTestSpawner(t)
	reply, err := s.run(t.Context(), Command{Argv: []string{"env"}, Env: []string{"A=b"}})
	want := "PATH=" + CleanPath + "\nLANG=C.UTF-8\nHOME=/root\nA=b\n"
	if err != nil || string(reply.Stdout) != want {
		t.Errorf("%q, %v", reply.Stdout, err)
	}
}

func TestRunKilledBySignal(t *testing.T) {
	s := newTestSpawner(t)
	reply, err := s.run(t.Context(), Command{Argv: []string{"sh", "-c", "kill -9 $$"}})
	if err != nil || reply.ExitCode != 137 {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	for _, chunk := range []int{1, 7, 99, 1000} {
		text := bytes.Repeat([]byte("0123456789"), 100)
		keeper := &tail{max: 33}
		for rest := text; len(rest) > 0; {
			n := min(chunk, len(rest))
			keeper.Write(rest[:n])
			rest = rest[n:]
		}
		if got := keeper.bytes(); !bytes.Equal(got, text[len(text)-33:]) {
			t.Errorf("in pieces of %d: kept %q", chunk, got)
		}
	}
}

// gone reports whether a process has ended; a zombie has, and waits for its
// parent only.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		case <-tick.C:
		}
	}
}
