package session

import (
	"context"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/reset"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
)

// Refusal is why a plan was not made.
type Refusal struct{ List diag.List }

func (e *Refusal) Error() string { return e.List.Err().Error() }

// Plan plans from what was observed. A *Refusal has every reason why it does not; what
// the named preflight checks would have refused is among the warnings.
func Plan(ctx context.Context, in component.Input, ignore []string) (*plan.Plan, diag.List, error) {
	in.IgnorePreflight = ignore
	p, list, err := planner.Apply(in)
	switch {
	case err != nil:
		return nil, nil, err
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case list.HasErrors():
		return nil, nil, &Refusal{list}
	}
	return p, list, nil
}

// PlanReset observes and plans; left are the hosts that could not be observed.
func (s *Session) PlanReset(ctx context.Context, names []string, force bool) (p *plan.Plan, left []string, err error) {
	o := s.Observer()
	o.Extra = func(_ *cluster.Host, q *protocol.FactsRequest) { reset.Query(s.Cluster, s.Release, q) }
	in := s.Planned(o.Snapshot(ctx))
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err := s.mostSeen(names, in.Snapshot); err != nil && !force {
		return nil, nil, err
	}
	p, list, err := planner.Reset(in, names)
	if err != nil {
		return nil, nil, err
	}
	if list.HasErrors() {
		return nil, nil, &Refusal{list}
	}
	return p, planner.NotReset(in.Snapshot, names), nil
}
