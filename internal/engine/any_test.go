package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// needsAny makes a step that needs one of several.
func needsAny(id plan.ID, any ...plan.ID) plan.Step {
	s := step(id)
	s.NeedsAny = any
	return s
}

// pace is an executor whose steps take as long as told, and fail where told.
func pace(took map[plan.ID]time.Duration, fail ...plan.ID) funcs {
	return funcs{apply: func(ctx context.Context, s plan.Step, _ func(string)) error {
		if err := sleep(ctx, took[s.ID]); err != nil {
			return err
		}
		for _, id := range fail {
			if id == s.ID {
				return errors.New("no power")
			}
		}
		return nil
	}}
}

func TestNeedsAnyStartsWithTheFirstDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlan(t, step("api@a"), step("api@b"), step("api@c"), needsAny("settings", "api@a", "api@b", "api@c"), step("join@w", "settings"))
		took := map[plan.ID]time.Duration{"api@a": 30 * time.Second, "api@b": 10 * time.Second, "api@c": 20 * time.Second, "settings": time.Second}
		var rec recorder
		res := Run(t.Context(), p, pace(took), rec.sink, Options{})
		for _, s := range res.Steps {
			if s.ID == "settings" && s.Start.Duration() != 10*time.Second {
				t.Errorf("started %s after the run did, want with the first API server, after 10s", s.Start.Duration())
			}
			if s.ID == "join@w" && s.Start.Duration() != 11*time.Second {
				t.Errorf("what needs it started after %s, want 11s", s.Start.Duration())
			}
		}
		if !res.OK() || res.Duration.Duration() != 30*time.Second {
			t.Errorf("ok %v after %s", res.OK(), res.Duration.Duration())
		}
		want := []plan.ID{"api@a", "api@b", "api@c"}
		for _, info := range of[event.RunStarted](&rec)[0].Steps {
			if info.ID == "settings" && !cmp.Equal(info.NeedsAny, want) {
				t.Errorf("announced as needing one of %v, want %v", info.NeedsAny, want)
			}
		}
	})
}

func TestNeedsAnyOutlivesFailures(t *testing.T) {
	any := []plan.ID{"api@a", "api@b", "api@c"}
	for _, tt := range []struct {
		name string
		fail []plan.ID
		want event.Outcome
	}{
		{"none fails", nil, event.OutcomeChanged},
		{"the first fails", []plan.ID{"api@a"}, event.OutcomeChanged},
		{"all but the last", []plan.ID{"api@a", "api@b"}, event.OutcomeChanged},
		{"all but the first", []plan.ID{"api@b", "api@c"}, event.OutcomeChanged},
		{"all", any, event.OutcomeSkipped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := map[plan.ID]time.Duration{"api@a": time.Second, "api@b": 2 * time.Second, "api@c": 3 * time.Second}
				p := newPlan(t, step("api@a"), step("api@b"), step("api@c"), needsAny("settings", any...), step("join@w", "settings"))
				res := Run(t.Context(), p, pace(took, tt.fail...), nil, Options{})
				got := outcomes(res)
				if got["settings"] != tt.want || got["join@w"] != tt.want {
					t.Errorf("settings %s, what needs it %s; want both %s", got["settings"], got["join@w"], tt.want)
				}
				if tt.want != event.OutcomeSkipped {
					return
				}
				for _, s := range res.Steps {
					if s.Outcome == event.OutcomeSkipped && s.Because != "api@c" {
						t.Errorf("%s is skipped because of %s, want the last that failed", s.ID, s.Because)
					}
				}
			})
		})
	}
}

// One of several is lost also where it was never tried because of another's failure.
func TestNeedsAnyCountsSkippedSteps(t *testing.T) {
	p := newPlan(t, step("etcd@a"), step("api@a", "etcd@a"), step("api@b", "etcd@a"), needsAny("settings", "api@a", "api@b"))
	got := outcomes(Run(t.Context(), p, pace(nil, "etcd@a"), nil, Options{}))
	if got["settings"] != event.OutcomeSkipped {
		t.Errorf("settings is %s, want skipped: neither of what it needs one of can be done", got["settings"])
	}
}

// A need that failed counts, whatever became of those of which one is needed.
func TestNeedsAnyBesideNeeds(t *testing.T) {
	settings := needsAny("settings", "api@a", "api@b")
	settings.Needs = []plan.ID{"pki"}
	for _, fail := range []plan.ID{"pki", ""} {
		p := newPlan(t, step("pki"), step("api@a"), step("api@b"), settings)
		want := event.OutcomeChanged
		if fail != "" {
			want = event.OutcomeSkipped
		}
		if got := outcomes(Run(t.Context(), p, pace(nil, fail), nil, Options{})); got["settings"] != want {
			t.Errorf("with %q failing settings is %s, want %s", fail, got["settings"], want)
		}
	}
}

// A plan that was not made by plan.New may name what is not there.
func TestNeedsAnyThatIsNotInThePlan(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{step("api@a"), needsAny("settings", "api@a", "api@gone")}}
	if got := outcomes(Run(t.Context(), p, pace(nil), nil, Options{})); got["settings"] != event.OutcomeFailed || got["api@a"] != event.OutcomeChanged {
		t.Errorf("outcomes %v, want settings to fail alone", got)
	}
}
