package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// randomPlan is a graph of up to 60 steps on up to 5 hosts and the cluster.
func randomPlan(t testing.TB, r *rand.Rand) *plan.Plan {
	n, hosts := 1+r.IntN(60), 1+r.IntN(5)
	density := r.Float64() * 0.3
	steps := make([]plan.Step, n)
	for i := range steps {
		host := ""
		if r.IntN(8) > 0 {
			host = fmt.Sprintf("h%d", r.IntN(hosts))
		}
		steps[i] = plan.Step{ID: plan.On(fmt.Sprintf("s%02d", i), host), Host: host, Title: "t"}
		for j := range i {
			if r.Float64() < density {
				steps[i].Needs = append(steps[i].Needs, steps[j].ID)
			}
		}
		if i > 0 && r.IntN(4) == 0 {
			for range 1 + r.IntN(4) {
				steps[i].NeedsAny = append(steps[i].NeedsAny, steps[r.IntN(i)].ID)
			}
		}
	}
	r.Shuffle(n, func(a, b int) { steps[a], steps[b] = steps[b], steps[a] })
	return newPlan(t, steps...)
}

// chaos is an executor whose steps take random times and end in random ways;
// it watches the engine's promises while it runs.
type chaos struct {
	t     testing.TB
	seed  uint64
	limit Options

	mu      sync.Mutex
	applied map[plan.ID]bool // done, by its own account
	calls   map[plan.ID]int
	onHost  map[string]int
	total   int
	stopped bool
}

func (c *chaos) fate(id plan.ID) *rand.Rand {
	h := c.seed
	for _, b := range []byte(id) {
		h = h*1099511628211 ^ uint64(b)
	}
	return rand.New(rand.NewPCG(h, c.seed))
}

func (c *chaos) Check(ctx context.Context, s plan.Step, _ func(string)) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[s.ID]++
	if c.calls[s.ID] > 1 {
		c.t.Errorf("%s was started twice", s.ID)
	}
	if c.stopped {
		c.t.Errorf("%s was started after the cancel", s.ID)
	}
	for _, need := range s.Needs {
		if !c.applied[need] {
			c.t.Errorf("%s was started before %s was done", s.ID, need)
		}
	}
	if len(s.NeedsAny) > 0 && !slices.ContainsFunc(s.NeedsAny, func(id plan.ID) bool { return c.applied[id] }) {
		c.t.Errorf("%s was started before any of %v was done", s.ID, s.NeedsAny)
	}
	c.total++
	c.onHost[s.Host]++
	if s.Host != "" && c.onHost[s.Host] > c.limit.PerHost {
		c.t.Errorf("%d steps at a time on %s, limit %d", c.onHost[s.Host], s.Host, c.limit.PerHost)
	}
	if c.limit.Limit > 0 && c.total > c.limit.Limit {
		c.t.Errorf("%d steps at a time, limit %d", c.total, c.limit.Limit)
	}
	switch c.fate(s.ID).IntN(20) {
	case 0:
		c.leave(s)
		return false, errors.New("check failed")
	case 1:
		c.leave(s)
		panic("check panicked")
	case 2, 3:
		c.applied[s.ID] = true
		c.leave(s)
		return true, nil
	}
	return false, nil
}

// leave needs the lock.
func (c *chaos) leave(s plan.Step) {
	c.total--
	c.onHost[s.Host]--
}

func (c *chaos) Apply(ctx context.Context, s plan.Step, say func(string)) error {
	r := c.fate(s.ID)
	fate := r.IntN(20)
	say("working")
	err := sleep(ctx, time.Duration(r.IntN(5000))*time.Millisecond)
	if err == nil && fate == 4 {
		err = errors.New("apply failed")
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leave(s)
	}
	return err
}

func (c *chaos) Verify(ctx context.Context, s plan.Step, say func(string)) error {
	say("verifying")
	err := sleep(ctx, time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(s)
	if err == nil {
		c.applied[s.ID] = true
	}
	return err
}

func TestAnyGraphAnyFailures(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { round(t, seed) })
		})
	}
}

func round(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	p := randomPlan(t, r)
	o := Options{PerHost: 1 + r.IntN(4), Limit: r.IntN(3) * r.IntN(6)}
	x := &chaos{t: t, seed: seed, limit: o, applied: map[plan.ID]bool{}, calls: map[plan.ID]int{}, onHost: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cancels := r.IntN(3) == 0
	if cancels {
		time.AfterFunc(time.Duration(r.IntN(20000))*time.Millisecond, func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.stopped = true
			cancel()
		})
	}
	var rec recorder
	res := Run(ctx, p, x, rec.sink, o)

	checkOutcomes(t, p, x, res)
	checkEvents(t, p, &rec, res)
	if res.Interrupted && !cancels {
		t.Error("interrupted, yet nobody cancelled")
	}
	if res.Counts.Total() != len(p.Steps) {
		t.Errorf("%d steps accounted for, plan has %d", res.Counts.Total(), len(p.Steps))
	}
	checkCritical(t, res)
}

// anyOf tells whether one of the steps of which s needs one was done, and
// whether one was left open, neither done nor lost.
func anyOf(s plan.Step, got map[plan.ID]event.Outcome) (fulfilled, open bool) {
	fulfilled = len(s.NeedsAny) == 0
	for _, id := range s.NeedsAny {
		switch got[id] {
		case event.OutcomeChanged, event.OutcomeUnchanged:
			fulfilled = true
		case event.OutcomeInterrupted, event.OutcomeNotStarted:
			open = true
		}
	}
	return fulfilled, open
}

func checkOutcomes(t *testing.T, p *plan.Plan, x *chaos, res Result) {
	got := outcomes(res)
	for _, r := range res.Steps {
		s, _ := p.Step(r.ID)
		started := x.calls[r.ID] > 0
		undone, failedAbove := false, false
		for _, need := range s.Needs {
			switch got[need] {
			case event.OutcomeFailed, event.OutcomeSkipped:
				failedAbove = true
			case event.OutcomeInterrupted, event.OutcomeNotStarted:
				undone = true
			}
		}
		if fulfilled, open := anyOf(s, got); !fulfilled && open {
			undone = true
		} else if !fulfilled {
			failedAbove = true
		}
		switch r.Outcome {
		case event.OutcomeChanged, event.OutcomeUnchanged:
			if !x.applied[r.ID] {
				t.Errorf("%s is said to be done and is not", r.ID)
			}
		case event.OutcomeFailed, event.OutcomeInterrupted:
			if !started || r.Error == "" {
				t.Errorf("%s is %s: started %v, error %q", r.ID, r.Outcome, started, r.Error)
			}
		case event.OutcomeSkipped:
			if started || !failedAbove || got[r.Because] != event.OutcomeFailed {
				t.Errorf("%s skipped because of %q: started %v, a need failed %v", r.ID, r.Because, started, failedAbove)
			}
		case event.OutcomeNotStarted:
			if started || failedAbove {
				t.Errorf("%s not started: started %v, a need failed %v", r.ID, started, failedAbove)
			}
			if !res.Interrupted {
				t.Errorf("%s never ran in a run that was not interrupted", r.ID)
			}
		default:
			t.Errorf("%s has no outcome", r.ID)
		}
		if started && (failedAbove || undone) {
			t.Errorf("%s ran though what it needs was not done", r.ID)
		}
	}
}

// checkEvents: each step ends at most once, speaks only between its start and
// its end, and ends after what it needs.
func checkEvents(t *testing.T, p *plan.Plan, rec *recorder, res Result) {
	begun, ended := map[plan.ID]bool{}, map[plan.ID]bool{}
	end := func(id plan.ID) {
		if ended[id] {
			t.Errorf("%s ended twice", id)
		}
		ended[id] = true
	}
	for i, b := range rec.bodies {
		switch b := b.(type) {
		case event.RunStarted:
			if i != 0 {
				t.Error("the run's start is not the first event")
			}
		case event.StepStarted:
			if ended[b.ID] {
				t.Errorf("%s started a phase after its end", b.ID)
			}
			s, _ := p.Step(b.ID)
			for _, need := range s.Needs {
				if !ended[need] {
					t.Errorf("%s started before the end of %s was told", b.ID, need)
				}
			}
			if len(s.NeedsAny) > 0 && !slices.ContainsFunc(s.NeedsAny, func(id plan.ID) bool { return ended[id] }) {
				t.Errorf("%s started before the end of any of %v was told", b.ID, s.NeedsAny)
			}
			begun[b.ID] = true
		case event.StepProgress:
			if !begun[b.ID] || ended[b.ID] {
				t.Errorf("%s spoke outside its time", b.ID)
			}
		case event.StepDone:
			end(b.ID)
		case event.StepFailed:
			end(b.ID)
		case event.StepInterrupted:
			end(b.ID)
		case event.StepSkipped:
			end(b.ID)
		case event.RunDone:
			if i != len(rec.bodies)-1 || b.OK != res.OK() || b.Counts != res.Counts {
				t.Errorf("bad end of the run: %+v", b)
			}
		}
	}
	for _, s := range res.Steps {
		if ended[s.ID] != (s.Outcome != event.OutcomeNotStarted) {
			t.Errorf("%s: outcome %s, end told: %v", s.ID, s.Outcome, ended[s.ID])
		}
	}
}

// checkCritical: the chain has no gaps, from the run's start to its end.
func checkCritical(t *testing.T, res Result) {
	var at event.Seconds
	for _, c := range res.Critical {
		if c.Start != at {
			t.Errorf("critical path: %s starts at %s, the one before ended at %s", c.ID, c.Start.Duration(), at.Duration())
		}
		at = c.Start + c.Duration
	}
	if len(res.Critical) > 0 && at != res.Duration {
		t.Errorf("critical path ends at %s, the run at %s", at.Duration(), res.Duration.Duration())
	}
}
