package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/quorate/quorate/internal/event"
)

// ending is how a step came back from its executor.
type ending struct {
	step        int
	phase       event.Phase
	phases      event.PhaseDurations
	unchanged   bool // the check found it so
	interrupted bool // it failed after the run was told to stop
	err         error
}

// PanicError is a panic in an executor: a defect, kept from ending the whole
// run because the other hosts' steps are sound.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("the step's code panicked: %v", e.Value)
}

// Hint implements the engine's convention for hints.
func (e *PanicError) Hint() string {
	return "this is a defect in quorate; the run's journal holds the stack, please report it"
}

var (
	errTimeout   = errors.New("step timeout")
	errAbandoned = errors.New("its code did not stop when asked to")
	errExited    = errors.New("the step's code ended its goroutine without returning")
)

// supervise runs one step and reports its ending exactly once, also when the
// step's code panics, exits its goroutine, or ignores its context.
func (w *walk) supervise(run context.Context, i int) {
	ctx, cancel := context.WithTimeoutCause(run, w.o.StepTimeout, errTimeout)
	defer cancel()
	returned := make(chan ending, 1)
	go func() {
		e := ending{step: i, err: errExited}
		defer func() {
			if v := recover(); v != nil {
				e.err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			returned <- e
		}()
		e.err = w.perform(ctx, i, &e)
	}()

	var e ending
	select {
	case e = <-returned:
	case <-ctx.Done():
		grace := time.NewTimer(w.o.Grace)
		defer grace.Stop()
		select {
		case e = <-returned:
		case <-grace.C:
			e = ending{step: i, phase: w.stage.phase(i), err: errAbandoned}
		}
	}
	if e.err != nil {
		switch {
		case run.Err() != nil:
			e.interrupted = true
		case errors.Is(context.Cause(ctx), errTimeout):
			e.err = w.timeout(i, e.err)
		}
	}
	w.endings <- e
}

// perform takes the step through its phases and keeps e's phase and times.
func (w *walk) perform(ctx context.Context, i int, e *ending) error {
	s := w.plan.Steps[i]
	say := func(message string) { w.stage.say(i, message) }
	phases := []struct {
		name event.Phase
		took *event.Seconds
		do   func() error
	}{
		{event.PhaseCheck, &e.phases.Check, func() (err error) {
			e.unchanged, err = w.x.Check(ctx, s, say)
			return err
		}},
		{event.PhaseApply, &e.phases.Apply, func() error { return w.x.Apply(ctx, s, say) }},
		{event.PhaseVerify, &e.phases.Verify, func() error { return w.x.Verify(ctx, s, say) }},
	}
	for _, p := range phases {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.phase = p.name
		w.stage.begin(i, p.name)
		began := time.Now()
		err := p.do()
		*p.took = event.Seconds(time.Since(began))
		if err != nil {
			return err
		}
		if e.unchanged {
			return nil
		}
	}
	return nil
}

// timeout words a step's error once its time is up, with the last thing it
// said, which tells the reader what it was waiting for.
func (w *walk) timeout(i int, err error) error {
	last := w.stage.last(i)
	if last != "" {
		last = " (" + last + ")"
	}
	if errors.Is(err, context.DeadlineExceeded) && err.Error() == context.DeadlineExceeded.Error() {
		return &timeoutError{text: fmt.Sprintf("not done within %s%s", w.o.StepTimeout, last), err: err}
	}
	return fmt.Errorf("not done within %s%s: %w", w.o.StepTimeout, last, err)
}

// timeoutError leaves out the bare "context deadline exceeded", which says
// less than its text, yet stays recognisable to errors.Is.
type timeoutError struct {
	text string
	err  error
}

func (e *timeoutError) Error() string { return e.text }
func (e *timeoutError) Unwrap() error { return e.err }

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func stackOf(err error) string {
	var p *PanicError
	if errors.As(err, &p) {
		return string(p.Stack)
	}
	return ""
}
