// Package engine walks a plan: it starts every step as soon as the steps that
// it needs are done, many at a time, and for each one checks, applies and
// verifies. A failure skips what depends on it and nothing else; cancelling
// the context stops the run. It knows nothing of hosts or Kubernetes: an
// Executor does the work, and a sink is told what happens.
package engine

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// Executor does the work of steps. It is called from many goroutines at once,
// for different steps. Its methods must return soon after ctx is done. An
// error may carry a hint: one in its chain may have a method Hint() string.
type Executor interface {
	// Check reports whether the step is already so. It changes nothing.
	Check(ctx context.Context, s plan.Step, say func(string)) (done bool, err error)
	// Apply makes the step so. It says what it does or waits for by say.
	Apply(ctx context.Context, s plan.Step, say func(string)) error
	// Verify waits until the step is seen to be so; ctx has the deadline.
	Verify(ctx context.Context, s plan.Step, say func(string)) error
}

// Options bound a run. The zero value is good for use.
type Options struct {
	RunID       string        // default: a new one
	PerHost     int           // steps at a time on one host; default 4
	Limit       int           // steps at a time in all; 0 means no limit
	StepTimeout time.Duration // for all phases of one step; default 10 minutes
	// Heartbeat is the time between two heartbeats; default 5 seconds, so
	// that a view that leaves out every other one still speaks every 10.
	Heartbeat time.Duration
	// Grace is how long a step may take to return once its context is done;
	// after that the run goes on without it. Default 15 seconds.
	Grace time.Duration
}

// Result is the outcome of a run; package event owns it because views and
// journal share it.
type Result = event.Result

func (o Options) withDefaults() Options {
	if o.RunID == "" {
		o.RunID = event.NewRunID()
	}
	if o.PerHost <= 0 {
		o.PerHost = 4
	}
	if o.StepTimeout <= 0 {
		o.StepTimeout = 10 * time.Minute
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 5 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 15 * time.Second
	}
	return o
}

// Run does every step of the plan and reports what became of each. When ctx
// is done it starts nothing more, waits for the running steps to return (at
// most Options.Grace), and the result is interrupted. The sink is called by
// one goroutine at a time and must not block for long: the run waits for it.
// p comes from plan.New; a step with a need that is not before it in p fails.
func Run(ctx context.Context, p *plan.Plan, x Executor, sink event.Sink, o Options) Result {
	w := newWalk(p, x, sink, o.withDefaults())
	w.announce()
	w.loop(ctx)
	return w.conclude()
}
