package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

func seen(steps int, change func(statustest.World)) Judgement {
	w := statustest.Healthy()
	change(w)
	return Judgement{Plan: &plan.Plan{Steps: make([]plan.Step, steps)}, Report: status.Of(w.Cluster, w.Snapshot)}
}

// An apply with nothing to do on a broken cluster once ended with "Nothing to do"
// and 0, and one that had just mended something with 0 beside a status that said
// DEGRADED.
func TestSettle(t *testing.T) {
	well := seen(0, func(statustest.World) {})
	ill := seen(0, func(w statustest.World) { w.APIDown("connection refused") })
	differs := seen(1, func(statustest.World) {})
	refused := errors.New("refused")
	tests := []struct {
		name    string
		changed bool
		see     func(look int) (Judgement, error)
		good    bool
		fails   bool
		looks   int // at least
		atMost  time.Duration
	}{
		{"well at once", false, func(int) (Judgement, error) { return well, nil }, true, false, 1, 0},
		{"ill, nothing was changed: some looks, then told", false, func(int) (Judgement, error) { return ill, nil }, false, false, Looks, Looks * lookInterval},
		{"late once", false, func(n int) (Judgement, error) {
			if n == 1 {
				return ill, nil
			}
			return well, nil
		}, true, false, 2, 2 * lookInterval},
		{"health that comes a minute after the run", true, func(n int) (Judgement, error) {
			if n < 60 {
				return ill, nil
			}
			return well, nil
		}, true, false, 60, mendTime},
		{"health that never comes", true, func(int) (Judgement, error) { return ill, nil }, false, false, int(mendTime / lookInterval), mendTime + 2*lookInterval},
		{"what differs is no matter of waiting", true, func(int) (Judgement, error) { return differs, nil }, false, false, Looks, Looks * lookInterval},
		{"a plan that is refused", true, func(int) (Judgement, error) { return Judgement{}, refused }, false, true, Looks, Looks * lookInterval},
		{"a plan that is refused once", true, func(n int) (Judgement, error) {
			if n == 1 {
				return Judgement{}, refused
			}
			return well, nil
		}, true, false, 2, 2 * lookInterval},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, start := 0, time.Now()
				j, err := Settle(t.Context(), test.changed, func(context.Context) (Judgement, error) { n++; return test.see(n) }, func(string) {})
				if (err != nil) != test.fails || (err == nil && j.Good() != test.good) {
					t.Errorf("good %v, error %v", err == nil && j.Good(), err)
				}
				if took := time.Since(start); n < test.looks || took > test.atMost {
					t.Errorf("%d looks in %s", n, took)
				}
			})
		})
	}
}

func TestSettleSaysOnceWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		_, err := Settle(t.Context(), true, func(context.Context) (Judgement, error) {
			return seen(0, func(w statustest.World) { w.APIDown("connection refused") }), nil
		}, func(text string) { said = append(said, text) })
		if err != nil || len(said) != 1 || !strings.Contains(said[0], "its API server is not ready") {
			t.Errorf("%q, %v", said, err)
		}
	})
}

func TestSettleEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, err := Settle(ctx, true, func(context.Context) (Judgement, error) {
			return seen(0, func(w statustest.World) { w.APIDown("connection refused") }), nil
		}, func(string) {})
		if !errors.Is(err, context.Canceled) || time.Since(start) > 6*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestLacksNamesWhatIsWrong(t *testing.T) {
	got := []string{
		Judgement{Plan: &plan.Plan{Steps: []plan.Step{{ID: "a/b", Why: "c differs"}}}}.lacks(),
		seen(0, func(w statustest.World) { w.Off("cp-2") }).lacks(),
	}
	want := []string{"these still differ: a/b (c differs)", "cp-2: does not answer: its etcd member and API server may be down"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
