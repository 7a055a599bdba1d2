package hosttest

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// recorder catches what a fake tells its test.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, format)
}

func TestExpected(t *testing.T) {
	h, fake := New(t, "cp-1")
	fake.ExpectRead("/etc/hostname", "cp-1\n")
	fake.ExpectRead("/etc/none", "").Fail(protocol.KindNotExist, "no such file")
	fake.ExpectWrite("/etc/x", "content")
	fake.ExpectRun("kubeadm", "version").Reply(protocol.RunReply{ExitCode: 1, Stderr: []byte("no")})
	ctx := t.Context()
	if content, err := h.ReadFile(ctx, "/etc/hostname"); err != nil || string(content) != "cp-1\n" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := h.ReadFile(ctx, "/etc/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if changed, err := h.WriteFile(ctx, "/etc/x", []byte("content"), 0o600); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
	var exit *host.ExitError
	if _, err := h.Run(ctx, host.Command{Argv: []string{"kubeadm", "version"}}); !errors.As(err, &exit) || exit.Code != 1 {
		t.Error(err)
	}
	if calls := fake.Calls(); len(calls) != 4 || !strings.HasPrefix(calls[0], "read ") {
		t.Errorf("calls: %q", calls)
	}
}

func TestStrict(t *testing.T) {
	r := &recorder{TB: t}
	h, fake := New(r, "cp-1")
	fake.ExpectRun("true")
	if _, err := h.Run(t.Context(), host.Command{Argv: []string{"false"}}); err == nil {
		t.Error("an unexpected run succeeded")
	}
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	if len(r.failures) != 2 {
		t.Errorf("one unexpected and one missing operation gave %d failures: %q", len(r.failures), r.failures)
	}
}
