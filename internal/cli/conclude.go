package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/ui"
)

// mendTime bounds how long an apply waits, after a run that changed something,
// for the cluster to be healthy: a node that was mended needs its pods, and a
// pod that crashed is started again after a minute and more.
const mendTime = 2 * time.Minute

// lookInterval is the pause between two looks at the whole cluster.
const lookInterval = time.Second

// judgement is how a cluster stands: what an apply would still do, and whether
// what runs is healthy. Nothing to do is not healthy, and healthy is not
// nothing to do.
type judgement struct {
	plan   *plan.Plan
	report status.Report
}

func (j judgement) good() bool { return j.plan.Empty() && j.report.Healthy }

// lacks words what keeps the cluster from being as it should.
func (j judgement) lacks() string {
	if !j.plan.Empty() {
		return "these still differ: " + left(j.plan)
	}
	for _, p := range j.report.Problems {
		if p.Severity == diag.SeverityError {
			return strings.TrimPrefix(p.Subject+": "+p.Summary, ": ")
		}
	}
	return j.report.Summary
}

func left(p *plan.Plan) string {
	var steps []string
	for _, step := range p.Steps {
		steps = append(steps, fmt.Sprintf("%s (%s)", step.ID, step.Why))
	}
	return strings.Join(steps, "; ")
}

// judge observes the cluster, plans, and judges it.
func (s *session) judge(ctx context.Context, ignore []string) (judgement, error) {
	in := s.input(ctx)
	p, err := planFrom(ctx, in, ignore, io.Discard) // warnings were told before
	if err != nil {
		return judgement{}, err
	}
	return judgement{plan: p, report: status.Of(s.cluster, in.Snapshot)}, nil
}

// settle looks until the cluster is as it should be, and gives what it saw last.
// What differs, and a plan that is refused, is looked at a few times: a busy host
// may answer one question late. Health comes back by itself after something was
// changed, and is waited for.
func settle(ctx context.Context, changed bool, look func(context.Context) (judgement, error), say func(string)) (judgement, error) {
	patient := time.Now()
	if changed {
		patient = patient.Add(mendTime)
	}
	told := ""
	for n := 1; ; n++ {
		j, err := look(ctx)
		if ctx.Err() != nil {
			return j, context.Cause(ctx)
		}
		if err == nil && j.good() {
			return j, nil
		}
		if n >= looks && (err != nil || !j.plan.Empty() || time.Now().After(patient)) {
			return j, err
		}
		if err == nil && n > 1 && j.lacks() != told {
			told = j.lacks()
			say("waiting for the cluster to be healthy: " + told)
		}
		select {
		case <-ctx.Done():
			return j, context.Cause(ctx)
		case <-time.After(lookInterval):
		}
	}
}

// conclude ends an apply: with 0 only when nothing differs from the file and the
// cluster is healthy. first is what was seen before, where nothing was to do.
func (s *session) conclude(ctx context.Context, o applyOptions, first *judgement, stderr io.Writer) error {
	look := func(ctx context.Context) (judgement, error) {
		if first != nil {
			j := *first
			first = nil
			return j, nil
		}
		return s.judge(ctx, o.ignore)
	}
	changed := first == nil
	j, err := settle(ctx, changed, look, func(text string) { fmt.Fprintln(stderr, text) })
	if err != nil {
		return err
	}
	if !j.plan.Empty() {
		if changed {
			return fmt.Errorf("the run ended well, yet these still differ: %s; run `quorate plan` to see how", left(j.plan))
		}
		return fmt.Errorf("a host changed meanwhile, and now these differ: %s; run the same command again", left(j.plan))
	}
	switch {
	case changed:
	case j.good():
		fmt.Fprintln(stderr, "Nothing to do: the cluster is as the file says.")
	default:
		fmt.Fprintln(stderr, "Nothing to do, yet the cluster is not healthy: what is wrong is nothing that apply changes.")
	}
	if err := s.writeKubeconfig(ctx, o, stderr); err != nil {
		return errors.Join(err, unhealthy(j.report))
	}
	if o.output == string(ui.JSON) {
		return unhealthy(j.report)
	}
	if changed || !j.good() {
		fmt.Fprintln(stderr)
		if err := printStatus(j.report, stderr, ui.StatusOptions{Next: s.next(j.report, todo{}, o.files, kubeconfigPath(o, s.cluster))}); err != nil {
			return err
		}
	}
	if !j.good() {
		return silent(exitFailed)
	}
	return nil
}

// unhealthy is the error that a cluster which is not healthy ends a command with.
func unhealthy(r status.Report) error {
	if r.Healthy {
		return nil
	}
	return fmt.Errorf("nothing differs from the file, but the cluster is not healthy: %s; run `quorate status` for all of it", r.Summary)
}

// keepKubeconfig writes the kubeconfig of a cluster that has an API although the
// run failed: whoever looks for the reason needs it most.
func (s *session) keepKubeconfig(ctx context.Context, o applyOptions, stderr io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rt := &component.Runtime{Cluster: s.cluster, Release: s.release, Bundle: s.bundle, Hosts: s.hosts}
	if _, err := rt.Kube(ctx); err != nil {
		return // no API, or none that can be used: the run has told why
	}
	if err := s.writeKubeconfig(ctx, o, stderr); err != nil {
		fmt.Fprintln(stderr, "warning:", err)
	}
}
