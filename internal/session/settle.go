package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/status"
)

// mendTime bounds how long an apply waits, after a run that changed something,
// for the cluster to be healthy: a node that was mended needs its pods, and a
// pod that crashed is started again after a minute and more.
const mendTime = 2 * time.Minute

// lookInterval is the pause between two looks at the whole cluster.
const lookInterval = time.Second

// Judgement is how a cluster stands: what an apply would still do, and whether
// what runs is healthy. Nothing to do is not healthy, and healthy is not
// nothing to do.
type Judgement struct {
	Plan   *plan.Plan
	Report status.Report
}

// Good reports whether nothing differs and all is healthy.
func (j Judgement) Good() bool { return j.Plan.Empty() && j.Report.Healthy }

// lacks words what keeps the cluster from being as it should.
func (j Judgement) lacks() string {
	if !j.Plan.Empty() {
		return "these still differ: " + Left(j.Plan)
	}
	for _, p := range j.Report.Problems {
		if p.Severity == diag.SeverityError {
			return strings.TrimPrefix(p.Subject+": "+p.Summary, ": ")
		}
	}
	return j.Report.Summary
}

// Left words the steps of a plan that is not empty.
func Left(p *plan.Plan) string {
	var steps []string
	for _, step := range p.Steps {
		steps = append(steps, fmt.Sprintf("%s (%s)", step.ID, step.Why))
	}
	return strings.Join(steps, "; ")
}

// Judge observes the cluster, plans, and judges it.
func (s *Session) Judge(ctx context.Context, ignore []string) (Judgement, error) {
	in := s.Input(ctx)
	p, _, err := Plan(ctx, in, ignore) // warnings were told before
	if err != nil {
		return Judgement{}, err
	}
	return Judgement{Plan: p, Report: status.Of(s.Cluster, in.Snapshot)}, nil
}

// Settle looks until the cluster is as it should be, and gives what it saw last.
// What differs, and a plan that is refused, is looked at a few times: a busy host
// may answer one question late. Health comes back by itself after something was
// changed, and is waited for.
func Settle(ctx context.Context, changed bool, look func(context.Context) (Judgement, error), say func(string)) (Judgement, error) {
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
		if err == nil && j.Good() {
			return j, nil
		}
		if n >= Looks && (err != nil || !j.Plan.Empty() || time.Now().After(patient)) {
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
