package state

import "testing"

// A wait for pods that were all ready once said "4 of 4 pods are ready" for
// minutes: no controller had seen the new settings.
func TestLackingSaysWhatIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		w      Workload
		enough int
		want   string
	}{
		"as it should be":      {Workload{Desired: 4, Ready: 4, Updated: 4}, 0, ""},
		"not ready":            {Workload{Desired: 4, Ready: 3, Updated: 4}, 0, "3 of 4 pods are ready"},
		"of the old settings":  {Workload{Desired: 4, Ready: 4, Updated: 1}, 0, "1 of 4 pods have the new settings"},
		"not observed":         {Workload{Desired: 4, Ready: 4, Unobserved: true}, 0, "the controller manager has not seen the new settings yet"},
		"no node yet":          {Workload{}, 0, "no pod is wanted on any node yet"},
		"enough":               {Workload{Desired: 6, Ready: 3, Updated: 3}, 3, ""},
		"not enough":           {Workload{Desired: 6, Ready: 2, Updated: 3}, 3, "2 of 3 pods are ready"},
		"enough is never more": {Workload{Desired: 1, Ready: 1, Updated: 1}, 3, ""},
	} {
		if got := c.w.Lacking(c.enough); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
