package engine

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// walk is the state of one run. Everything in it belongs to the goroutine
// that called Run, except stage, which has its own lock.
type walk struct {
	plan  *plan.Plan
	x     Executor
	o     Options
	graph graph
	stage stage

	started time.Time
	steps   []event.StepResult // Outcome is empty until the step is settled
	missing []int              // how many needs of a step are not done yet
	choices []int              // how many of the steps it needs one of have not failed
	chosen  []bool             // whether one of those is done, or none is needed
	lanes   []*lane
	laneOf  []*lane
	running int
	settled int

	// cause is the step whose end let a step start (-1 for none), slot
	// whether it did so by freeing a place; last is the one that ended last.
	cause []int
	slot  []bool
	last  int

	endings chan ending
}

func newWalk(p *plan.Plan, x Executor, sink event.Sink, o Options) *walk {
	n := len(p.Steps)
	w := &walk{
		plan: p, x: x, o: o,
		graph:   newGraph(p),
		started: time.Now(),
		steps:   make([]event.StepResult, n),
		missing: make([]int, n),
		choices: make([]int, n),
		chosen:  make([]bool, n),
		laneOf:  make([]*lane, n),
		cause:   make([]int, n),
		slot:    make([]bool, n),
		last:    -1,
		endings: make(chan ending),
	}
	w.stage = stage{sink: sink, steps: p.Steps, running: map[int]*actor{}}
	byHost := map[string]*lane{}
	for i, s := range p.Steps {
		w.steps[i] = event.StepResult{ID: s.ID, Host: s.Host, Title: s.Title}
		w.missing[i] = len(w.graph.needs[i])
		w.choices[i] = len(w.graph.anyOf[i])
		w.chosen[i] = w.choices[i] == 0
		w.cause[i] = -1
		l, ok := byHost[s.Host]
		if !ok {
			l = &lane{ready: readyHeap{rank: w.graph.rank}}
			if s.Host != "" {
				l.limit = o.PerHost
			}
			byHost[s.Host] = l
			w.lanes = append(w.lanes, l)
		}
		w.laneOf[i] = l
	}
	return w
}

func (w *walk) announce() {
	infos := make([]event.StepInfo, len(w.plan.Steps))
	for i, s := range w.plan.Steps {
		infos[i] = event.StepInfo{ID: s.ID, Host: s.Host, Title: s.Title, Needs: s.Needs, NeedsAny: s.NeedsAny}
	}
	w.stage.emit(event.RunStarted{
		RunID: w.o.RunID, Verb: w.plan.Verb, Cluster: w.plan.Cluster,
		Digest: w.plan.Digest(), Steps: infos,
	})
}

func (w *walk) loop(ctx context.Context) {
	for i := range w.steps {
		if err := w.graph.broken[i]; err != nil {
			w.fail(i, ending{step: i, err: err})
		} else {
			w.offer(i)
		}
	}
	beat := time.NewTicker(w.o.Heartbeat)
	defer beat.Stop()
	stop, stopping := ctx.Done(), false
	for {
		if ctx.Err() != nil && !stopping {
			stop, stopping = nil, true
			w.stage.emit(event.Stopping{Running: w.running})
		}
		if !stopping {
			w.startReady(ctx)
		}
		if w.running == 0 {
			return
		}
		select {
		case e := <-w.endings:
			w.settle(e)
		case <-beat.C:
			w.stage.heartbeat(w.settled)
		case <-stop:
		}
	}
}

// offer puts a step in line when nothing that it needs is outstanding. A
// broken or skipped step has an outcome already.
func (w *walk) offer(i int) {
	if w.missing[i] == 0 && w.chosen[i] && w.steps[i].Outcome == "" {
		w.laneOf[i].push(i)
	}
}

// startReady starts as many steps as the limits allow, best first.
func (w *walk) startReady(ctx context.Context) {
	for w.o.Limit <= 0 || w.running < w.o.Limit {
		var from *lane
		for _, l := range w.lanes {
			if l.empty() || l.full() {
				continue
			}
			if from == nil || w.graph.rank[l.best()] < w.graph.rank[from.best()] {
				from = l
			}
		}
		if from == nil {
			return
		}
		w.start(ctx, from.pop())
	}
}

func (w *walk) start(ctx context.Context, i int) {
	w.laneOf[i].running++
	w.running++
	w.cause[i] = w.last
	w.slot[i] = w.last >= 0 && !slices.Contains(w.graph.needs[i], w.last) && !slices.Contains(w.graph.anyOf[i], w.last)
	w.steps[i].Start = event.Seconds(time.Since(w.started))
	w.stage.enter(i)
	go w.supervise(ctx, i)
}

// settle takes in the end of a step that ran.
func (w *walk) settle(e ending) {
	i := e.step
	w.laneOf[i].running--
	w.running--
	w.last = i
	r := &w.steps[i]
	r.Duration = event.Seconds(time.Since(w.started)) - r.Start
	r.Phases = e.phases
	switch {
	case e.err == nil:
		w.succeed(i, e)
	case e.interrupted:
		r.Outcome, r.Phase, r.Err, r.Error = event.OutcomeInterrupted, e.phase, e.err, e.err.Error()
		w.settled++
		w.stage.leave(i, event.StepInterrupted{
			ID: r.ID, Host: r.Host, Title: r.Title, Error: r.Error, Duration: r.Duration,
		})
	default:
		w.fail(i, e)
	}
}

func (w *walk) succeed(i int, e ending) {
	r := &w.steps[i]
	r.Outcome = event.OutcomeChanged
	if e.unchanged {
		r.Outcome = event.OutcomeUnchanged
	}
	w.settled++
	w.stage.leave(i, event.StepDone{
		ID: r.ID, Host: r.Host, Title: r.Title, Changed: !e.unchanged, Duration: r.Duration,
	})
	for _, d := range w.graph.dependents[i] {
		w.missing[d]--
		w.offer(d)
	}
	for _, d := range w.graph.anyDependents[i] {
		if !w.chosen[d] {
			w.chosen[d] = true
			w.offer(d)
		}
	}
}

func (w *walk) fail(i int, e ending) {
	r := &w.steps[i]
	if r.Outcome != "" {
		return // a broken step that an earlier broken one already made skipped
	}
	r.Outcome, r.Phase, r.Err = event.OutcomeFailed, e.phase, e.err
	r.Error, r.Hint = e.err.Error(), hintOf(e.err)
	w.settled++
	w.stage.leave(i, event.StepFailed{
		ID: r.ID, Host: r.Host, Title: r.Title, Phase: r.Phase,
		Error: r.Error, Hint: r.Hint, Stack: stackOf(e.err), Duration: r.Duration,
	})
	w.skipDependents(i)
}

// skipDependents settles everything that needs the failed step, directly or
// not; what needs one of several is skipped only with the last of them.
func (w *walk) skipDependents(failed int) {
	queue := w.lostWith(failed)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		r := &w.steps[i]
		if r.Outcome != "" {
			continue
		}
		r.Outcome, r.Because = event.OutcomeSkipped, w.steps[failed].ID
		w.settled++
		w.stage.emit(event.StepSkipped{ID: r.ID, Host: r.Host, Title: r.Title, Because: r.Because})
		queue = append(queue, w.lostWith(i)...)
	}
}

// lostWith are the steps that can no longer be done once i cannot.
func (w *walk) lostWith(i int) []int {
	lost := slices.Clone(w.graph.dependents[i])
	for _, d := range w.graph.anyDependents[i] {
		w.choices[d]--
		if w.choices[d] == 0 && !w.chosen[d] {
			lost = append(lost, d)
		}
	}
	return lost
}

func (w *walk) conclude() Result {
	res := Result{
		RunID: w.o.RunID, Cluster: w.plan.Cluster, Verb: w.plan.Verb,
		Started: w.started, Duration: event.Seconds(time.Since(w.started)),
		Steps: w.steps, Critical: w.critical(),
	}
	for i := range w.steps {
		if w.steps[i].Outcome == "" {
			w.steps[i].Outcome = event.OutcomeNotStarted
		}
		res.Counts.Add(w.steps[i].Outcome)
	}
	res.Interrupted = res.Counts.Interrupted+res.Counts.NotStarted > 0
	w.stage.emit(event.RunDone{
		OK: res.OK(), Interrupted: res.Interrupted, Counts: res.Counts,
		Duration: res.Duration, Critical: res.Critical,
	})
	return res
}

// critical follows, from the step that ended last, what each waited for.
func (w *walk) critical() []event.CriticalStep {
	var chain []event.CriticalStep
	for i := w.last; i >= 0; i = w.cause[i] {
		r := w.steps[i]
		chain = append(chain, event.CriticalStep{
			ID: r.ID, Host: r.Host, Title: r.Title,
			Start: r.Start, Duration: r.Duration, Slot: w.slot[i],
		})
	}
	slices.Reverse(chain)
	return chain
}
