package controlplane

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// A program that has ended for long is given up with its last words; one that
// runs, or is started again in time, is waited for.
func TestCrashWatch(t *testing.T) {
	h, fake := hosttest.New(t, "cp-1")
	tasks := ""
	fake.Expect("a program", func(c hosttest.Call) bool { return c.Op == protocol.OpRun }).Any().Do(func(c hosttest.Call) (any, error) {
		var q protocol.RunRequest
		if err := json.Unmarshal(c.Args, &q); err != nil {
			return nil, err
		}
		switch {
		case q.Argv[0] == component.Ctr && q.Argv[3] == "containers":
			return protocol.RunReply{Stdout: []byte("a\nb\n")}, nil
		case q.Argv[0] == component.Ctr:
			return protocol.RunReply{Stdout: []byte("TASK PID STATUS\nother 7 RUNNING\n" + tasks)}, nil
		case q.Argv[len(q.Argv)-1] == "/var/log/containers/kube-apiserver-cp-1_kube-system_kube-apiserver-a.log":
			return protocol.RunReply{Stdout: []byte("2026-11-21T10:58:26.2Z stderr F Error: unknown flag: --nonsense\n2026-11-21T10:58:26.3Z stderr F bye\n")}, nil
		}
		return protocol.RunReply{ExitCode: 1}, nil // b's log is gone
	})
	watch := crashWatch{host: h, pod: podAPIServer}
	look := func(times int) (err error) { // at the containers
		for range times * crashEvery {
			if err = watch.look(t.Context()); err != nil {
				return err
			}
		}
		return nil
	}
	for _, phase := range []struct {
		tasks string
		looks int
	}{{"b 9 RUNNING\n", 2 * maxEnded}, {"b 9 STOPPED\n", maxEnded - 1}, {"b 9 RUNNING\n", 1}, {"", maxEnded - 1}} {
		if tasks = phase.tasks; look(phase.looks) != nil {
			t.Fatalf("given up though %q was seen only %d times", phase.tasks, phase.looks)
		}
	}
	err := look(1)
	var final component.Final
	if !errors.As(err, &final) || !strings.Contains(err.Error(), "kube-apiserver of cp-1 has ended") ||
		!strings.HasSuffix(err.Error(), "last words:\n  Error: unknown flag: --nonsense\n  bye") {
		t.Errorf("error %v", err)
	}
}
