package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/ui"
)

// conclude ends an apply: with 0 only when nothing differs from the file and the
// cluster is healthy. first is what was seen before, where nothing was to do.
func conclude(ctx context.Context, s *session.Session, o applyOptions, first *session.Judgement, stderr io.Writer) error {
	look := func(ctx context.Context) (session.Judgement, error) {
		if first != nil {
			j := *first
			first = nil
			return j, nil
		}
		return s.Judge(ctx, o.ignore)
	}
	changed := first == nil
	j, err := session.Settle(ctx, changed, look, func(text string) { fmt.Fprintln(stderr, text) })
	if err != nil {
		return err
	}
	if !j.Plan.Empty() {
		if changed {
			return fmt.Errorf("the run ended well, yet these still differ: %s; run `quorate plan` to see how", session.Left(j.Plan))
		}
		return fmt.Errorf("a host changed meanwhile, and now these differ: %s; run the same command again", session.Left(j.Plan))
	}
	switch {
	case changed:
	case j.Good():
		fmt.Fprintln(stderr, "Nothing to do: the cluster is as the file says.")
	default:
		fmt.Fprintln(stderr, "Nothing to do, yet the cluster is not healthy: what is wrong is nothing that apply changes.")
	}
	if err := writeKubeconfig(ctx, s, o, stderr); err != nil {
		return errors.Join(err, unhealthy(j.Report))
	}
	if o.output == string(ui.JSON) {
		return unhealthy(j.Report)
	}
	if changed || !j.Good() {
		fmt.Fprintln(stderr)
		if err := printStatus(j.Report, stderr, ui.StatusOptions{Next: nextCommands(s, j.Report, todo{}, o.files, kubeconfigPath(o, s.Cluster))}); err != nil {
			return err
		}
	}
	if !j.Good() {
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
func keepKubeconfig(ctx context.Context, s *session.Session, o applyOptions, stderr io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rt := &component.Runtime{Cluster: s.Cluster, Release: s.Release, Bundle: s.Bundle, Hosts: s.Hosts}
	if _, err := rt.Kube(ctx); err != nil {
		return // no API, or none that can be used: the run has told why
	}
	if err := writeKubeconfig(ctx, s, o, stderr); err != nil {
		fmt.Fprintln(stderr, "warning:", err)
	}
}
