package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/drill/report"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/version"
)

func runDrill(ctx context.Context, o drillOptions, seeded bool, stdout, stderr io.Writer) error {
	picks, budget, err := o.check(seeded)
	if err != nil {
		return err
	}
	s, err := o.read(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Connect(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	room, err := enterDrill(ctx, s, o, stderr)
	if err != nil {
		return err
	}
	defer room.leave()
	room.runner.Skips = o.all || o.soak > 0
	if o.all || o.soak > 0 {
		room.findPossible(room.ctx, o.lasts)
	}
	if o.all {
		for _, d := range room.possible {
			picks = append(picks, drill.Pick{Drill: d, Target: drill.Rule(o.on)})
		}
	}
	if picks, err = room.consent(ctx, o, picks, stderr); err != nil {
		return err
	}
	record, history, err := room.run(o, picks, budget)
	if err != nil {
		return err
	}
	return concludeDrill(s, o, record, history, ctx.Err() != nil, stdout, stderr)
}

// drillRoom is everything that a run of drills needs.
type drillRoom struct {
	*session.Session
	ctx    context.Context // ends when the lock is lost, or with the command's
	runner *drill.Runner
	hosts  *drillHosts
	notes  []string
	// possible are the drills to take all of, or to choose from.
	possible []drill.Drill
	leave    func()
	say      func(string)
	every    time.Duration
	wait     time.Duration
}

// enterDrill takes the lock and prepares the runner.
func enterDrill(ctx context.Context, s *session.Session, o drillOptions, stderr io.Writer) (*drillRoom, error) {
	room := &drillRoom{Session: s, every: o.every, wait: o.timeout, say: func(text string) {
		fmt.Fprintf(stderr, "%s  %s\n", time.Now().Format("15:04:05"), text)
	}}
	machines, lab, err := labMachines(s.Cluster)
	if err != nil {
		return nil, err
	}
	room.hosts = newDrillHosts(s)
	room.runner = &drill.Runner{
		Cluster: s.Cluster, Allowed: drill.Allowed{Lab: lab, Hard: o.hard, PowerOff: o.powerOff, BreakQuorum: o.breakQuorum},
		Host: room.hosts.get, Observe: room.observe, Leaders: room.leaders, Machines: machines,
		Random: rand.New(rand.NewPCG(o.seed, 1)), Say: room.say, PauseImage: s.Release.PauseImage(),
	}
	room.hosts.targeted = room.runner.Targeted
	locked, unlock, err := lockForDrill(ctx, s, o.breakLock, room.runner.Targeted)
	if err != nil {
		return nil, err
	}
	room.ctx, room.leave = locked, unlock
	room.hosts.begin()
	// What a run that was killed has left under way comes first: there is never more
	// than one fault at a time. A host that cannot be reached is told by the look at
	// the cluster that follows.
	ended, failures := endFaults(locked, s.Cluster, s.Hosts)
	for _, line := range ended {
		room.say(line + ", which an earlier run had left")
	}
	if err := errors.Join(failures...); err != nil {
		unlock()
		return nil, err
	}
	return room, nil
}

// observe judges the cluster as it is now.
func (room *drillRoom) observe(ctx context.Context) status.Report {
	observer := room.Observer()
	observer.Wait = func(name string) (*host.Host, error) { return room.hosts.get(ctx, name) }
	observer.APITimeout, observer.Health = statusAPITimeout, true
	return status.Of(room.Cluster, observer.Snapshot(ctx))
}

// findPossible finds the drills that this cluster has hosts for, that are
// allowed, and that the hosts say they can do.
func (room *drillRoom) findPossible(ctx context.Context, lasts time.Duration) {
	leaveOut := func(note string) {
		room.notes = append(room.notes, note)
		room.say(note)
	}
	for _, note := range drill.LeftOut(room.Cluster) {
		leaveOut(note)
	}
	for _, d := range drill.Possible(room.Cluster, room.runner.Allowed) {
		var why error
		for _, name := range drill.Candidates(room.Cluster, d) {
			if why == nil && d.Asks() {
				why = room.runner.Unable(ctx, d, name)
			}
		}
		if why != nil {
			leaveOut(fmt.Sprintf("%s is left out: %v", d.Name, why))
			continue
		}
		room.possible = append(room.possible, d.Lasting(lasts))
	}
}

// consent says what will be done, and asks. What would be refused at once is
// told before, or left out where all drills are wanted that can be done. It gives
// the picks that are left.
func (room *drillRoom) consent(ctx context.Context, o drillOptions, picks []drill.Pick, stderr io.Writer) ([]drill.Pick, error) {
	r := room.observe(ctx)
	for look := 1; look < session.Looks && !r.Healthy && ctx.Err() == nil; look++ {
		r = room.observe(ctx)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var lines []string
	asked := picks
	if o.soak > 0 {
		lines = append(lines, fmt.Sprintf("Drills at random for %s, with --seed %d, of these:", o.soak, o.seed))
		for _, d := range room.possible {
			picks = append(picks, drill.Pick{Drill: d})
		}
		var names []string
		for _, p := range picks {
			names = append(names, p.Drill.Name)
		}
		lines = append(lines, "  "+strings.Join(names, ", "))
		asked = picks[:min(1, len(picks))]
	}
	if len(asked) == 0 {
		return nil, errors.New("there is no drill that this cluster has hosts for")
	}
	leaders := drill.LeadersOf(r)
	leaders.VIP = room.leaders(ctx, nil).VIP
	var left []drill.Pick
	for _, p := range asked {
		targets, err := drill.Targets(room.Cluster, r, p.Drill, p.Target, leaders, rand.New(rand.NewPCG(o.seed, 1)))
		if err != nil && !r.Healthy {
			return nil, fmt.Errorf("the cluster is not healthy: %s: %w", r.Summary, err)
		}
		if err != nil {
			return nil, usageError(err)
		}
		if why := drill.Refuse(room.Cluster, r, p.Drill, targets, room.runner.Allowed); len(why) > 0 {
			refused := &drill.RefusedError{Drill: p.Drill.Name, Reasons: why}
			if !o.all || !r.Healthy {
				return nil, refused
			}
			room.notes = append(room.notes, refused.Error())
			continue
		}
		left = append(left, p)
		if o.soak == 0 {
			lines = append(lines, fmt.Sprintf("  %s: %s, for %s", p, p.Drill.About, p.Drill.Hold))
		}
	}
	if len(left) == 0 {
		return nil, fmt.Errorf("there is no drill that this cluster stands: %s", strings.Join(room.notes, "; "))
	}
	fmt.Fprintf(stderr, "%s is healthy; %s.\nThis will be done to it, one after another:\n%s\n", room.Cluster.Name, r.Tolerance, strings.Join(lines, "\n"))
	return left, confirm(ctx, o.yes, "Do this?", stderr)
}

// run does the drills, and makes the record whatever became of them.
func (room *drillRoom) run(o drillOptions, picks []drill.Pick, budget drill.Budget) (drill.Record, drill.History, error) {
	ctx := room.ctx
	credentials, err := room.Credentials(ctx, func(e *kube.CredentialsError) { room.notes = append(room.notes, e.Error()) })
	if err != nil {
		return drill.Record{}, drill.History{}, err
	}
	load, clean, err := room.load(ctx, credentials, picks)
	if err != nil {
		return drill.Record{}, drill.History{}, err
	}
	defer clean()
	room.runner.Load = load
	if err := room.runner.Start(ctx); err != nil {
		load.Abort()
		return drill.Record{}, drill.History{}, fmt.Errorf("the API cannot be watched: %w", err)
	}
	next := func() (drill.Pick, bool) {
		if len(picks) == 0 {
			return drill.Pick{}, false
		}
		p := picks[0]
		picks = picks[1:]
		return p, true
	}
	if o.soak > 0 {
		soak := drill.NewSoak(room.Cluster, room.possible, o.seed)
		end := time.Now().Add(o.soak)
		next = func() (drill.Pick, bool) { return soak.Next(), time.Now().Before(end) }
	}
	failure := room.runner.Run(ctx, func(d drill.Drill, targets []string) drill.Budget {
		return drill.OwnBudget(room.Cluster, d, targets).With(drill.FileBudget(room.Cluster, d)).With(budget)
	}, next)
	record, history := room.runner.Finish(context.WithoutCancel(ctx), failure)
	record.RunID, record.Cluster, record.Tool = room.RunID, room.Cluster.Name, version.String()
	record.Kubernetes, record.Endpoint = room.Cluster.Kubernetes.Version, string(room.Cluster.Endpoint.LoadBalancer.Mode)
	record.Lab, record.Soak, record.Seed, record.Notes = room.runner.Allowed.Lab, o.soak > 0, o.seed, room.notes
	for _, h := range room.Cluster.Hosts {
		var roles []string
		for _, r := range h.Roles {
			roles = append(roles, string(r))
		}
		record.Hosts = append(record.Hosts, h.Name+" ("+strings.Join(roles, ", ")+")")
	}
	return record, history, nil
}

// concludeDrill shows what came of a run, and keeps it. It is shown first: a record
// that cannot be kept is an error of its own, and takes no verdict away.
func concludeDrill(s *session.Session, o drillOptions, record drill.Record, history drill.History, interrupted bool, stdout, stderr io.Writer) error {
	var shown error
	if o.output == "json" {
		shown = printable.JSON(stdout, record)
	} else {
		_, shown = io.WriteString(stdout, report.Text(record, lookOf(stdout)))
	}
	if err := errors.Join(shown, keepDrill(s, o, record, history, stderr)); err != nil {
		return err
	}
	switch {
	case interrupted:
		return silent(exitInterrupted)
	case record.Unjudged():
		return silent(exitUnjudged)
	case !record.OK:
		return silent(exitFailed)
	}
	return nil
}

// keepDrill writes the record, and the report where one is wanted, and says where.
func keepDrill(s *session.Session, o drillOptions, record drill.Record, history drill.History, stderr io.Writer) error {
	var failures []error
	if o.html != "" {
		err := writeReport(o.html, record)
		if err == nil {
			fmt.Fprintln(stderr, "Report:", o.html)
		}
		failures = append(failures, err)
	}
	dir, err := drillRecords(s.Cluster.Name)
	path := ""
	if err == nil {
		path, err = drill.Save(dir, record, history)
	}
	if err == nil {
		fmt.Fprintln(stderr, "Record:", path)
		if !record.Verdict.OK() {
			fmt.Fprintln(stderr, "The whole history:", drill.HistoryPath(path))
		}
	}
	return errors.Join(append(failures, err)...)
}

// writeReport writes a record as a web page.
func writeReport(path string, record drill.Record) error {
	text, err := report.HTML(record)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
