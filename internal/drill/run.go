package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/status"
)

// Runner does drills on one cluster.
type Runner struct {
	Cluster *cluster.Cluster
	Allowed Allowed
	// Host gives a connected host, and connects anew where a connection was lost.
	Host func(ctx context.Context, name string) (*host.Host, error)
	// Observe observes the whole cluster.
	Observe func(ctx context.Context) status.Report
	// Leaders asks who leads, of hosts that are not among those named.
	Leaders func(ctx context.Context, without []string) Leaders
	// Machines switches lab hosts; nil on servers.
	Machines Machines
	Load     *Load
	// PauseImage is of pods that do nothing; every node has it.
	PauseImage string
	// Skips goes on with the next drill where the cluster does not stand one.
	Skips bool
	// Random chooses targets.
	Random *rand.Rand
	// Say tells how the run goes.
	Say func(text string)

	mu      sync.Mutex
	hit     []string // the targets of the fault under way
	marks   []Mark
	leaders *leaderWatch
	faults  []FaultRecord
	calm    time.Duration // since when there is no fault
}

// Targeted reports whether a host is a target of the fault under way.
func (r *Runner) Targeted(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.hit, host)
}

func (r *Runner) targets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hit)
}

func (r *Runner) setTargets(hosts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hit = hosts
}

func (r *Runner) now() time.Duration { return time.Since(r.Load.began) }

func (r *Runner) mark(kind, text string) {
	r.marks = append(r.marks, Mark{At: r.now(), Kind: kind, Text: text})
}

// warmUp bounds the time until every viewpoint sees the API.
const warmUp = 30 * time.Second

// Start starts the load and waits until every series has a success.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.Load.Start(ctx); err != nil {
		return err
	}
	r.leaders = &leaderWatch{began: r.Load.began, ask: func(ctx context.Context) Leaders { return r.Leaders(ctx, r.targets()) }}
	ctx, cancel := context.WithTimeout(ctx, warmUp)
	defer cancel()
	defer func() { r.calm = r.now() }()
	return poll(ctx, func() error {
		for _, s := range r.Load.series {
			samples := s.Samples()
			if !slices.ContainsFunc(samples, func(x probe.Sample) bool { return x.Outcome == probe.OK }) {
				why := "no answer yet"
				if len(samples) > 0 {
					why = samples[len(samples)-1].Detail
				}
				return fmt.Errorf("%s from %s: %s", s.Kind, s.Name, why)
			}
		}
		return nil
	})
}

// Run does the picks one after another, each on a healthy cluster. Next gives
// them until it says no. It ends early, with an error, when a drill is refused,
// cannot be done or leaves the cluster unhealthy.
func (r *Runner) Run(ctx context.Context, budget func(Drill, []string) Budget, next func() (Pick, bool)) error {
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.leaders.run(watching) })
	defer wg.Wait()
	defer stop()
	for n := 1; ; n++ {
		pick, more := next()
		if !more || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := r.one(ctx, n, pick, budget)
		if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Healthy && r.Skips {
			r.Say(fmt.Sprintf("%d. %s is left out: %v", n, pick, err))
			continue
		}
		if err != nil {
			return err
		}
	}
}

// lead is how long everything is well before a fault, so that what follows is
// the fault's.
const lead = 2 * time.Second

func (r *Runner) one(ctx context.Context, n int, pick Pick, budget func(Drill, []string) Budget) error {
	d := pick.Drill
	targets, err := r.choose(ctx, pick)
	if err != nil {
		return err
	}
	moved, err := r.placeMover(ctx, d, targets)
	if err != nil {
		return err
	}
	if err := r.pause(ctx, lead); err != nil {
		return err
	}
	record := FaultRecord{Drill: d.Name, About: d.About, Targets: targets, Budget: budget(d, targets), Injected: r.now()}
	name := strings.TrimSpace(d.Name + " " + strings.Join(targets, ", "))
	r.Say(fmt.Sprintf("%d. %s: %s", n, name, d.About))
	r.setTargets(targets)
	defer r.setTargets(nil)
	r.mark("fault", name)
	undo, err := r.injectAll(ctx, d, targets, n)
	if err == nil && d.Moves {
		record.Moved = r.awaitMove(ctx, moved, record.Injected, d.Hold)
	} else if err == nil {
		_ = r.pause(ctx, d.Hold) // an interrupt ends the fault early
	}
	record.NotDone = err != nil
	undoErr := undo(context.WithoutCancel(ctx))
	record.Undone = r.now()
	r.mark("undone", name)
	if err := errors.Join(err, undoErr); err != nil {
		record.fail("%v", err)
		r.Say("   " + err.Error())
	}
	until, wrong := r.recover(ctx, &record)
	record.judge(d, r.Load.series, r.leaders.seen(), r.calm, until, wrong)
	r.calm = r.now()
	r.faults = append(r.faults, record)
	r.Say("   " + Line(record))
	switch {
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), undoErr)
	case undoErr != nil:
		return undoErr // another fault on top would be two
	case record.Healthy == 0:
		return fmt.Errorf("the cluster is not healthy after %s; look with `quorate status`", name)
	}
	return nil
}

// injectAll does the fault on all targets at the same time. The undo that it
// returns is never nil.
func (r *Runner) injectAll(ctx context.Context, d Drill, targets []string, n int) (undo func(context.Context) error, err error) {
	id := fmt.Sprintf("%s-%d", strings.TrimPrefix(r.Load.Namespace, NamespacePrefix), n)
	var mu sync.Mutex
	var undos []func(context.Context) error
	var failures []error
	var wg sync.WaitGroup
	for _, target := range targets {
		wg.Go(func() {
			undo, err := r.inject(ctx, d, target, id)
			mu.Lock()
			defer mu.Unlock()
			if undo != nil {
				undos = append(undos, undo)
			}
			failures = append(failures, err)
		})
	}
	wg.Wait()
	return func(ctx context.Context) error {
		failures := make([]error, len(undos))
		var wg sync.WaitGroup
		for i, undo := range undos {
			wg.Go(func() { failures[i] = undo(ctx) })
		}
		wg.Wait()
		return errors.Join(failures...)
	}, errors.Join(failures...)
}

// pause lets time pass, while clients are watched.
func (r *Runner) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// steady is how long every series must have succeeded before a drill is over.
const steady = 2 * time.Second

// recover waits until clients are served again and the cluster is healthy. It
// gives when the last look at the whole cluster began, since that look weighs on
// small hosts and what clients see of it is not the fault's, and what was wrong to
// the end.
func (r *Runner) recover(ctx context.Context, record *FaultRecord) (until time.Duration, wrong string) {
	// What was broken is seen to be mended though the run was interrupted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(record.Budget.Recovery, time.Minute))
	defer cancel()
	said := time.Now()
	err := pollGently(ctx, func() error {
		until = r.now()
		for _, s := range r.Load.series {
			if _, ok := probe.Recovered(s.Since(until-2*steady), until-2*steady, steady); !ok {
				wrong = fmt.Sprintf("%s from %s still fails", s.Kind, s.Name)
				r.reconnect(ctx, record.Targets)
				return errors.New(wrong)
			}
		}
		report := r.Observe(ctx)
		switch {
		case report.Healthy:
			return nil
		case ctx.Err() == nil:
			wrong = report.Summary
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			r.Say("   waiting for the cluster to be healthy: " + wrong)
		}
		return errors.New(wrong)
	})
	if err != nil {
		return r.now(), wrong
	}
	record.Healthy = until
	r.marks = append(r.marks, Mark{At: until, Kind: "healthy", Text: record.Drill})
	return until, ""
}

// reconnect makes the connections to hosts anew that the fault took: who looks from
// such a host fails for as long as nobody does.
func (r *Runner) reconnect(ctx context.Context, hosts []string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, name := range hosts {
		wg.Go(func() { _, _ = r.Host(ctx, name) }) // it is tried again, or told by the look
	}
}

// Finish stops the load, checks the history and makes the run's record.
func (r *Runner) Finish(ctx context.Context, failure error) (Record, History) {
	length := r.now()
	history, err := r.Load.Stop(ctx)
	record := Record{
		Format: recordFormat, Started: r.Load.began.UTC(), Length: length, Every: r.Load.Every,
		Faults: append([]FaultRecord{}, r.faults...), Marks: append(r.marks, r.leaders.seen()...), Verdict: Check(history),
	}
	slices.SortStableFunc(record.Marks, func(a, b Mark) int { return int(a.At - b.At) })
	for _, s := range r.Load.series {
		record.Series = append(record.Series, seriesRecord(s, length))
	}
	if err := errors.Join(failure, err); err != nil {
		record.Error = err.Error()
	}
	record.OK = record.Error == "" && record.Verdict.OK() && !slices.ContainsFunc(r.faults, func(f FaultRecord) bool { return !f.OK })
	return record, history
}

// Line is a drill's outcome in one line.
func Line(f FaultRecord) string {
	word := "within budget"
	switch {
	case !f.OK && len(f.Why) == 0:
		word = "NOT JUDGED"
	case !f.OK:
		word = "NOT AS IT SHOULD BE"
	}
	var gaps []string
	for _, kind := range []probe.Kind{probe.Read, probe.Write, probe.KeepAlive, probe.Watch} {
		gaps = append(gaps, fmt.Sprintf("%s %s", kind, f.Worst(kind).Round(time.Millisecond)))
	}
	line := fmt.Sprintf("%s; longest gaps: %s", word, strings.Join(gaps, ", "))
	if f.Moved > 0 {
		line += fmt.Sprintf("; a pod was ready elsewhere after %s", round(f.Moved))
	}
	if f.Healthy > 0 {
		line += fmt.Sprintf("; healthy %s after the end of the fault", round(f.Healthy-f.Undone))
	}
	return line
}
