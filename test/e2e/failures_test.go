package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// lastLines is how much of a failed script's output is told again at the end.
const lastLines = 50

// scripts runs scripts as testscript.Run does, and tells the end of each one
// that failed once more when all are done: a run prints thousands of lines, of
// which many readers, a CI's page among them, keep only the last.
type scripts struct {
	*testing.T
	failures *failures
	log      *string // the script's own, when it ended
	quiet    bool    // one script at a time
	began    *time.Time
}

// failures are the ends of the scripts that failed, and how long each took.
type failures struct {
	mu    sync.Mutex
	ends  []string
	times []string
}

// took notes how long a script took.
func (f *failures) took(name string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, fmt.Sprintf("%4.0f s  %s", took.Seconds(), name))
}

// newScripts wraps a test that runs scripts.
func newScripts(t *testing.T) scripts {
	s := scripts{T: t, failures: &failures{}}
	t.Cleanup(func() { // after the scripts, which run in parallel to this test's function
		s.failures.mu.Lock()
		defer s.failures.mu.Unlock()
		t.Log("how long each script took:\n" + strings.Join(s.failures.times, "\n"))
		for _, end := range s.failures.ends {
			t.Log(end)
		}
	})
	return s
}

// Run implements testscript.T.
func (s scripts) Run(name string, run func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) {
		var log string
		t.Cleanup(func() {
			if t.Failed() {
				s.failures.add(t.Name(), log)
			}
		})
		began := time.Now()
		t.Cleanup(func() { s.failures.took(t.Name(), time.Since(began)) })
		run(scripts{T: t, failures: s.failures, log: &log, quiet: s.quiet, began: &began})
	})
}

// Parallel implements testscript.T.
func (s scripts) Parallel() {
	if !s.quiet {
		s.T.Parallel()
		*s.began = time.Now()
	}
}

// Log implements testscript.T: a script's whole log comes in one call.
func (s scripts) Log(args ...any) {
	s.T.Helper()
	if s.log != nil {
		*s.log += fmt.Sprintln(args...)
	}
	s.T.Log(args...)
}

// Verbose implements testscript.T.
func (s scripts) Verbose() bool { return testing.Verbose() }

func (f *failures) add(name, log string) {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	lines = lines[max(0, len(lines)-lastLines):]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, fmt.Sprintf("%s failed; the last %d lines of its log:\n%s", name, len(lines), strings.Join(lines, "\n")))
}
