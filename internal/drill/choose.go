package drill

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// RefusedError is why a drill is not done.
type RefusedError struct {
	Drill   string
	Reasons []string
	// Healthy tells that the cluster was: it is this drill that it does not stand.
	Healthy bool
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is refused: %s", e.Drill, strings.Join(e.Reasons, "; "))
}

// patience is how long a cluster that was healthy may seem not to be before a
// drill is refused: a host that is busy with what was just done to it may
// answer one question too late.
const patience = 2 * time.Minute

// choose chooses the targets of a pick, on a cluster that stands the fault.
func (r *Runner) choose(ctx context.Context, pick Pick) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var targets []string
	var refused error
	err := pollGently(ctx, func() error {
		report := r.Observe(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		leaders := LeadersOf(report)
		leaders.VIP = r.leaders.leaders().VIP
		var err error
		if targets, err = Targets(r.Cluster, report, pick.Drill, pick.Target, leaders, r.Random); err == nil {
			if why := Refuse(r.Cluster, report, pick.Drill, targets, r.Allowed); len(why) > 0 {
				err = &RefusedError{Drill: pick.Drill.Name, Reasons: why, Healthy: report.Healthy}
			} else if why := r.unable(ctx, pick.Drill, targets); why != nil {
				err = &RefusedError{Drill: pick.Drill.Name, Reasons: []string{why.Error()}, Healthy: report.Healthy}
			}
		}
		if refused = err; report.Healthy {
			return nil // what is refused on a healthy cluster stays refused
		}
		return err
	})
	if refused != nil {
		return nil, refused
	}
	return targets, err
}

// unable is why one of the targets cannot do a drill.
func (r *Runner) unable(ctx context.Context, d Drill, targets []string) error {
	for _, target := range targets {
		if err := r.Unable(ctx, d, target); err != nil {
			return err
		}
	}
	return nil
}
