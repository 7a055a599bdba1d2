package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// funcs is an executor of one function for each phase; nil ones succeed.
type funcs struct {
	check  func(ctx context.Context, s plan.Step) (bool, error)
	apply  func(ctx context.Context, s plan.Step, say func(string)) error
	verify func(ctx context.Context, s plan.Step, say func(string)) error
}

func (f funcs) Check(ctx context.Context, s plan.Step, _ func(string)) (bool, error) {
	if f.check == nil {
		return false, nil
	}
	return f.check(ctx, s)
}

func (f funcs) Apply(ctx context.Context, s plan.Step, say func(string)) error {
	if f.apply == nil {
		return nil
	}
	return f.apply(ctx, s, say)
}

func (f funcs) Verify(ctx context.Context, s plan.Step, say func(string)) error {
	if f.verify == nil {
		return nil
	}
	return f.verify(ctx, s, say)
}

// step makes a step whose ID says its host.
func step(id plan.ID, needs ...plan.ID) plan.Step {
	_, host, _ := strings.Cut(string(id), "@")
	return plan.Step{ID: id, Host: host, Title: "do " + id.Subject(), Needs: needs}
}

func newPlan(t testing.TB, steps ...plan.Step) *plan.Plan {
	t.Helper()
	p, err := plan.New("prod", "apply", steps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// recorder is a sink that keeps the bodies of what it gets.
type recorder struct {
	mu     sync.Mutex
	bodies []event.Body
}

func (r *recorder) sink(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, e.Body)
}

func of[T event.Body](r *recorder) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []T
	for _, b := range r.bodies {
		if t, ok := b.(T); ok {
			found = append(found, t)
		}
	}
	return found
}

func outcomes(r Result) map[plan.ID]event.Outcome {
	m := map[plan.ID]event.Outcome{}
	for _, s := range r.Steps {
		m[s.ID] = s.Outcome
	}
	return m
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type hinted struct{ error }

func (hinted) Hint() string { return "free the port" }

func TestFailureSkipsOnlyDependents(t *testing.T) {
	p := newPlan(t,
		step("etcd@a"), step("api@a", "etcd@a"), step("label@a", "api@a"),
		step("etcd@b"), step("api@b", "etcd@b"))
	var rec recorder
	boom := fmt.Errorf("starting etcd: %w", hinted{errors.New("port 2379 is in use")})
	res := Run(t.Context(), p, funcs{
		check: func(_ context.Context, s plan.Step) (bool, error) { return s.ID == "api@b", nil },
		apply: func(_ context.Context, s plan.Step, _ func(string)) error {
			if s.ID == "etcd@a" {
				return boom
			}
			return nil
		},
	}, rec.sink, Options{})

	want := map[plan.ID]event.Outcome{
		"etcd@a": event.OutcomeFailed, "api@a": event.OutcomeSkipped, "label@a": event.OutcomeSkipped,
		"etcd@b": event.OutcomeChanged, "api@b": event.OutcomeUnchanged,
	}
	if d := cmp.Diff(want, outcomes(res)); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
	if res.OK() || res.Interrupted {
		t.Errorf("ok %v, interrupted %v; want neither", res.OK(), res.Interrupted)
	}
	failed := of[event.StepFailed](&rec)
	if len(failed) != 1 {
		t.Fatalf("%d failures, want 1: %v", len(failed), failed)
	}
	f := failed[0]
	f.Duration = 0
	if d := cmp.Diff(event.StepFailed{
		ID: "etcd@a", Host: "a", Title: "do etcd", Phase: event.PhaseApply,
		Error: "starting etcd: port 2379 is in use", Hint: "free the port",
	}, f); d != "" {
		t.Errorf("failure (-want +got):\n%s", d)
	}
	for _, s := range of[event.StepSkipped](&rec) {
		if s.Because != "etcd@a" {
			t.Errorf("%s skipped because of %s, want etcd@a", s.ID, s.Because)
		}
	}
	if !errors.Is(res.Failed()[0].Err, boom) {
		t.Errorf("the result's error is %v", res.Failed()[0].Err)
	}
}

func TestPanicAndExitAreFailures(t *testing.T) {
	p := newPlan(t, step("boom@a"), step("exit@a"), step("fine@a"))
	var rec recorder
	res := Run(t.Context(), p, funcs{apply: func(_ context.Context, s plan.Step, _ func(string)) error {
		switch s.ID {
		case "boom@a":
			panic("nil map")
		case "exit@a":
			runtime.Goexit()
		}
		return nil
	}}, rec.sink, Options{})
	want := map[plan.ID]event.Outcome{
		"boom@a": event.OutcomeFailed, "exit@a": event.OutcomeFailed, "fine@a": event.OutcomeChanged,
	}
	if d := cmp.Diff(want, outcomes(res)); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
	for _, f := range of[event.StepFailed](&rec) {
		if f.ID == "boom@a" && (!strings.Contains(f.Error, "nil map") || !strings.Contains(f.Stack, "engine_test.go") || f.Hint == "") {
			t.Errorf("a panic's event must have its value, stack and hint: %+v", f)
		}
	}
}

func TestStepTimeoutSaysWhatItWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlan(t, step("api@a"), step("stuck@a"), step("wrapped@a"))
		release := make(chan struct{})
		var rec recorder
		res := Run(t.Context(), p, funcs{verify: func(ctx context.Context, s plan.Step, say func(string)) error {
			switch s.ID {
			case "stuck@a": // deaf to its context
				<-release
				say("too late to be heard")
				return nil
			case "wrapped@a":
				<-ctx.Done()
				return fmt.Errorf("GET /readyz: %w", ctx.Err())
			}
			say("waiting for https://10.0.0.2:6443/readyz (connection refused)")
			<-ctx.Done()
			return ctx.Err()
		}}, rec.sink, Options{StepTimeout: time.Minute, Grace: 5 * time.Second})
		got := map[plan.ID]string{}
		for _, s := range res.Steps {
			got[s.ID] = s.Error
			if s.Outcome != event.OutcomeFailed || s.Phase != event.PhaseVerify {
				t.Errorf("%s: %s in %s, want failed in verify", s.ID, s.Outcome, s.Phase)
			}
		}
		want := map[plan.ID]string{
			"api@a":     "not done within 1m0s (waiting for https://10.0.0.2:6443/readyz (connection refused))",
			"wrapped@a": "not done within 1m0s: GET /readyz: context deadline exceeded",
			"stuck@a":   "not done within 1m0s: its code did not stop when asked to",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("errors (-want +got):\n%s", d)
		}
		if d := res.Duration.Duration(); d != 65*time.Second {
			t.Errorf("the run took %s, want timeout and grace, 65s", d)
		}
		told := len(rec.bodies)
		close(release)
		synctest.Wait()
		if late := rec.bodies[told:]; len(late) > 0 {
			t.Errorf("a step that the run went on without was heard: %v", late)
		}
	})
}

func TestCancelStopsRunningAndStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlan(t, step("quick@a"), step("slow@a"), step("deaf@b"), step("late@a", "slow@a"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		release := make(chan struct{})
		defer close(release)
		var rec recorder
		res := Run(ctx, p, funcs{apply: func(ctx context.Context, s plan.Step, _ func(string)) error {
			switch s.ID {
			case "quick@a":
				return nil
			case "deaf@b":
				<-release
				return nil
			}
			return sleep(ctx, time.Hour)
		}}, rec.sink, Options{Grace: 3 * time.Second})
		want := map[plan.ID]event.Outcome{
			"quick@a": event.OutcomeChanged, "slow@a": event.OutcomeInterrupted,
			"deaf@b": event.OutcomeInterrupted, "late@a": event.OutcomeNotStarted,
		}
		if d := cmp.Diff(want, outcomes(res)); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
		if !res.Interrupted || res.OK() {
			t.Errorf("interrupted %v, ok %v", res.Interrupted, res.OK())
		}
		if d := res.Duration.Duration(); d != 13*time.Second {
			t.Errorf("the run took %s, want 13s: the cancel and the grace", d)
		}
		if s := of[event.Stopping](&rec); len(s) != 1 || s[0].Running != 2 {
			t.Errorf("stopping events: %v, want one with 2 running", s)
		}
	})
}

func TestCancelledBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res := Run(ctx, newPlan(t, step("a")), funcs{check: func(context.Context, plan.Step) (bool, error) {
		t.Error("a step was started")
		return false, nil
	}}, event.Discard, Options{})
	if !res.Interrupted || res.Counts.NotStarted != 1 {
		t.Errorf("result %+v", res)
	}
}

func TestEmptyPlanIsDone(t *testing.T) {
	res := Run(t.Context(), newPlan(t), funcs{}, nil, Options{})
	if !res.OK() || len(res.Critical) != 0 {
		t.Errorf("result %+v", res)
	}
}

func TestPlanOutOfOrderFailsThoseSteps(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{step("b", "a"), step("a"), step("a"), step("c", "b"), step("d", "a", "nowhere")}}
	res := Run(t.Context(), p, funcs{apply: func(_ context.Context, s plan.Step, _ func(string)) error {
		if s.ID != "a" {
			t.Errorf("%s was applied", s.ID)
		}
		return nil
	}}, nil, Options{})
	var got []event.Outcome
	for _, s := range res.Steps {
		got = append(got, s.Outcome)
	}
	want := []event.Outcome{event.OutcomeFailed, event.OutcomeChanged, event.OutcomeFailed, event.OutcomeSkipped, event.OutcomeFailed}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
}

func TestHeartbeatsAndProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlan(t, step("pull@a"), step("wait@b"))
		var rec recorder
		Run(t.Context(), p, funcs{apply: func(ctx context.Context, s plan.Step, say func(string)) error {
			for range 12 {
				say("waiting for " + s.Host)
				if err := sleep(ctx, time.Second); err != nil {
					return err
				}
			}
			return nil
		}}, rec.sink, Options{})
		beats := of[event.Heartbeat](&rec)
		if len(beats) != 2 {
			t.Fatalf("%d heartbeats in 12 s, want 2", len(beats))
		}
		want := event.Heartbeat{Total: 2, Running: []event.Running{
			{ID: "pull@a", Host: "a", Title: "do pull", Phase: event.PhaseApply, Elapsed: event.Seconds(5 * time.Second), Message: "waiting for a"},
			{ID: "wait@b", Host: "b", Title: "do wait", Phase: event.PhaseApply, Elapsed: event.Seconds(5 * time.Second), Message: "waiting for b"},
		}}
		if d := cmp.Diff(want, beats[0]); d != "" {
			t.Errorf("heartbeat (-want +got):\n%s", d)
		}
		if n := len(of[event.StepProgress](&rec)); n != 2 {
			t.Errorf("%d progress events, want 2: a repeated message is said once", n)
		}
	})
}

// The long chain goes first when places are scarce.
func TestLongestChainFirst(t *testing.T) {
	p := newPlan(t, step("short-1@a"), step("short-2@a"), step("long-1@a"), step("long-2@a", "long-1@a"), step("long-3@a", "long-2@a"))
	var order []plan.ID
	Run(t.Context(), p, funcs{apply: func(_ context.Context, s plan.Step, _ func(string)) error {
		order = append(order, s.ID)
		return nil
	}}, nil, Options{PerHost: 1})
	want := []plan.ID{"long-1@a", "long-2@a", "short-1@a", "short-2@a", "long-3@a"}
	if d := cmp.Diff(want, order); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

func TestCriticalPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := map[plan.ID]time.Duration{
			"copy@a": 5 * time.Second, "copy@b": 7 * time.Second,
			"etcd@a": time.Second, "etcd@b": time.Second,
			"api": 3 * time.Second, "extra@b": 6 * time.Second,
		}
		p := newPlan(t, step("copy@a"), step("copy@b"), step("etcd@a", "copy@a"), step("etcd@b", "copy@b"),
			step("api", "etcd@a", "etcd@b"), step("extra@b"))
		res := Run(t.Context(), p, funcs{apply: func(ctx context.Context, s plan.Step, _ func(string)) error {
			return sleep(ctx, took[s.ID])
		}}, nil, Options{PerHost: 1})
		type link struct {
			ID       plan.ID
			Start    time.Duration
			Duration time.Duration
			Slot     bool
		}
		var got []link
		for _, c := range res.Critical {
			got = append(got, link{c.ID, c.Start.Duration(), c.Duration.Duration(), c.Slot})
		}
		want := []link{
			{"copy@b", 0, 7 * time.Second, false},
			{"etcd@b", 7 * time.Second, time.Second, false},
			{"extra@b", 8 * time.Second, 6 * time.Second, true},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("critical path (-want +got):\n%s", d)
		}
		if res.Duration.Duration() != 14*time.Second {
			t.Errorf("the run took %s", res.Duration.Duration())
		}
	})
}
