package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/bundle"
)

// runBundle runs a bundle command and returns what it printed.
func runBundle(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var out bytes.Buffer
	cmd := newBundleCommand()
	cmd.SilenceUsage = true
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBundleErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"verify", filepath.Join(t.TempDir(), "nothing")}, "quorate bundle build"},
		{[]string{"show"}, "quorate bundle build"},
		{[]string{"show", "--output", "yaml"}, "text or json"},
		{[]string{"show", "--kubernetes", "v1.2.3"}, "supported are"},
		{[]string{"build", "--kubernetes", "v1.2.3"}, "supported are"},
		{[]string{"build", "--from-source=false"}, "from source only"},
		{[]string{"build", "--with", "doom"}, "agnhost"},
		{[]string{"build", "somewhere"}, "unknown command"},
		{[]string{"verify", "a", "b"}, "at most 1 arg"},
	} {
		if _, err := runBundle(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("bundle %v: error %v, want one with %q", c.args, err, c.want)
		}
	}
}

// TestBuildReport says when parts begin and end, and in between every ten
// seconds what is going on.
func TestBuildReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newBuildReport(&out, heartbeat)
		r.progress(bundle.Progress{Part: "cni", State: bundle.StateCached})
		r.progress(bundle.Progress{Part: "modules", State: bundle.StateStarted, Detail: "downloading"})
		r.progress(bundle.Progress{Part: "modules", State: bundle.StateWorking, Detail: "downloaded 3"})
		r.progress(bundle.Progress{Part: "kubernetes", State: bundle.StateStarted})
		r.progress(bundle.Progress{Part: "kubernetes", State: bundle.StateWorking, Detail: "compiled 7 packages"})
		time.Sleep(heartbeat + time.Second)
		r.progress(bundle.Progress{Part: "kubernetes", State: bundle.StateFinished, Elapsed: 11 * time.Second})
		time.Sleep(heartbeat)
		r.stop()
		want := "cni: already built\n" +
			"modules: downloading\n" +
			"kubernetes: building\n" +
			"kubernetes: 10s so far, compiled 7 packages\n" +
			"modules: 10s so far, downloaded 3\n" +
			"kubernetes: done in 11s\n" +
			"modules: 20s so far, downloaded 3\n"
		if out.String() != want {
			t.Errorf("printed:\n%s\nwant:\n%s", out.String(), want)
		}
	})
}
