package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/kube"
)

// hostClient is a workload whose pods are on the nodes' own network and reach the
// API servers under the endpoint's name. They have a copy of the hosts file from
// when they were started.
type hostClient struct{ workload, program string }

// replacePod has a workload's pod on the node started anew, so that it takes in
// what the hosts file says now. What kube-proxy and flannel have set up works on
// meanwhile.
func (o *move) replacePod(ctx context.Context, rt *component.Runtime, w hostClient, say func(string)) error {
	old, err := ask(ctx, rt, say, func(ctx context.Context, c *kube.Client) ([]kube.Pod, error) {
		return c.PodsOn(ctx, w.workload, o.host)
	})
	if err != nil {
		return err
	}
	for _, pod := range old {
		_, err := ask(ctx, rt, say, func(ctx context.Context, c *kube.Client) (struct{}, error) { return struct{}{}, c.DeletePod(ctx, pod) })
		if err != nil {
			return err
		}
	}
	return component.Until(ctx, moveTimeout, "a new "+w.program+" on "+o.host, say, func(ctx context.Context) error {
		c, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		pods, err := c.PodsOn(ctx, w.workload, o.host)
		if err != nil {
			return err
		}
		ready := false
		for _, p := range pods {
			if slices.ContainsFunc(old, func(was kube.Pod) bool { return was.UID == p.UID }) {
				return fmt.Errorf("%s has not ended", p.Name)
			}
			ready = ready || p.Ready
		}
		if !ready {
			return errors.New("it is not ready")
		}
		return nil
	})
}

// ask insists on an answer of the API, whose servers may be restarted meanwhile.
func ask[T any](ctx context.Context, rt *component.Runtime, say func(string), question func(context.Context, *kube.Client) (T, error)) (T, error) {
	var answer T
	err := component.Until(ctx, time.Minute, "the API to answer", say, func(ctx context.Context) error {
		c, err := rt.Kube(ctx)
		if err == nil {
			answer, err = question(ctx, c)
		}
		return err
	})
	return answer, err
}
