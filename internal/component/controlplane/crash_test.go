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

// A program that ends again and again is given up with its last words; one whose
// containers are those of before, or that was restarted once, is waited for.
func TestCrashWatch(t *testing.T) {
	h, fake := hosttest.New(t, "cp-1")
	containers := "old\n"
	fake.Expect("a program", func(c hosttest.Call) bool { return c.Op == protocol.OpRun }).Any().Do(func(c hosttest.Call) (any, error) {
		var q protocol.RunRequest
		if err := json.Unmarshal(c.Args, &q); err != nil {
			return nil, err
		}
		switch q.Argv[0] {
		case component.Ctr:
			return protocol.RunReply{Stdout: []byte(containers)}, nil
		case "tail":
			if q.Argv[len(q.Argv)-1] != "/var/log/containers/kube-apiserver-cp-1_kube-system_kube-apiserver-c.log" {
				return protocol.RunReply{ExitCode: 1}, nil
			}
			return protocol.RunReply{Stdout: []byte("2026-11-21T10:58:26.2Z stderr F Error: unknown flag: --nonsense\n2026-11-21T10:58:26.3Z stderr F bye\n")}, nil
		}
		return nil, errors.New("not expected")
	})
	watch := crashWatch{host: h, pod: podAPIServer}
	look := func() (err error) { // one at the containers
		for range crashEvery {
			if err = watch.look(t.Context()); err != nil {
				return err
			}
		}
		return nil
	}
	for _, containers = range []string{"old\n", "old\n", "old\na\n", "a\nb\n"} {
		if err := look(); err != nil {
			t.Fatalf("given up with the containers %q: %v", containers, err)
		}
	}
	containers = "b\nc\n"
	err := look()
	var final component.Final
	if !errors.As(err, &final) || !strings.Contains(err.Error(), "kube-apiserver of cp-1 ends again and again") ||
		!strings.HasSuffix(err.Error(), "last words:\n  Error: unknown flag: --nonsense\n  bye") {
		t.Errorf("error %v", err)
	}
}
