package planner_test

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/planner"
)

// withoutPackage is the cluster of balanced, where lb-1 has another distribution
// than the bundle, and package sources without keepalived.
func withoutPackage(t *testing.T) *world {
	w := newWorld(t, parse(t, balanced))
	w.bundle = smallBundle(t, w.release, "amd64")
	w.machine("lb-1").base.OS.Version = "13"
	w.machine("lb-1").base.OS.PrettyName = "Debian GNU/Linux 13 (trixie)"
	w.machine("lb-1").sources = map[string]bool{"haproxy": true, "nftables": true}
	return w
}

// A load balancer whose keepalived is to be had nowhere is refused by name.
func TestPackageThatIsNowhere(t *testing.T) {
	t.Parallel()
	w := withoutPackage(t)
	p, refusals, err := planner.Apply(w.input())
	if p != nil || err != nil || len(refusals) != 1 {
		t.Fatalf("planned %v, refused %v, %v", p, refusals, err)
	}
	if got, want := refusals[0].Summary, "lb-1 needs keepalived, which neither the bundle nor its package sources have"; got != want {
		t.Errorf("refused is %q, want %q", got, want)
	}
	if !strings.Contains(refusals[0].Hint, "build the bundle on Debian GNU/Linux 13 (trixie)") {
		t.Errorf("the hint is %q", refusals[0].Hint)
	}
}

// Where the package sources could not be asked, the packages come before all else:
// when they cannot be had, nothing was changed, on no host.
func TestPackageSourcesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	w := withoutPackage(t)
	w.machine("lb-1").base.CandidatesError = "its package lists were never fetched"
	w.budget = 1 // whatever else changes something kills the run
	said := ""
	for _, s := range w.apply(w.plan()).Steps {
		if s.Error != "" {
			said += string(s.ID) + ": " + s.Error + "\n"
		}
	}
	for _, want := range []string{"os/packages@lb-1: ", "unable to locate package keepalived", "build the bundle on Debian GNU/Linux 13 (trixie)"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if strings.Count(said, "\n") != 1 {
		t.Errorf("more than one step failed: %s", said)
	}

	// It gets a source; the same command again builds the cluster.
	w.machine("lb-1").sources, w.machine("lb-1").base.CandidatesError, w.budget = nil, "", -1
	w.build()
}
