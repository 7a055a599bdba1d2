package drill

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// moverName names the deployment whose one pod is to move.
const moverName = "mover"

// movesAfter is how long the pod stays bound to a node that is gone, once the
// cluster has noticed. Kubernetes' default for pods that say nothing is 300 s;
// what lies before and after is the cluster's own.
const movesAfter = 5 * time.Second

// placeMover starts a pod on the target whose move is to be timed; nothing for
// a drill that looks for none.
func (r *Runner) placeMover(ctx context.Context, d Drill, targets []string) (*mover, error) {
	if !d.Moves {
		return nil, nil
	}
	m := &mover{load: r.Load, from: targets[0]}
	if err := m.place(ctx, r.PauseImage); err != nil {
		return nil, fmt.Errorf("starting a pod on %s to see it move: %w", targets[0], err)
	}
	return m, nil
}

// awaitMove waits until the pod is ready elsewhere, at most for a time, and
// gives how long after the fault that was.
func (r *Runner) awaitMove(ctx context.Context, m *mover, injected, most time.Duration) time.Duration {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var node string
	err := poll(waiting, func() (err error) {
		node, err = m.readyOn(waiting)
		if err == nil && node == m.from {
			err = errors.New("it is where it was")
		}
		return err
	})
	if err != nil {
		return 0
	}
	at := r.now()
	r.mark("moved", fmt.Sprintf("pod: %s → %s", m.from, node))
	return at - injected
}

// mover is a deployment of one pod.
type mover struct {
	load *Load
	from string
}

// any asks the viewpoints one after another until one is answered.
func (m *mover) any(ctx context.Context, ask func(context.Context, api) error) error {
	err := errors.New("nobody to ask")
	for _, a := range m.load.askers() {
		try, cancel := context.WithTimeout(ctx, m.load.Timeout)
		err = ask(try, a)
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

// place makes the deployment and waits until its pod is ready on the node.
func (m *mover) place(ctx context.Context, image string) error {
	ctx, cancel := context.WithTimeout(ctx, podTimeout)
	defer cancel()
	labels := map[string]any{"app": moverName}
	gone := func(key string) any {
		return map[string]any{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": int(movesAfter.Seconds())}
	}
	there := map[string]any{"weight": 100, "preference": map[string]any{"matchExpressions": []any{
		map[string]any{"key": "kubernetes.io/hostname", "operator": "In", "values": []any{m.from}},
	}}}
	deployment := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": moverName},
		"spec": map[string]any{
			"replicas": 1, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec": map[string]any{
					"automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
					"affinity":    map[string]any{"nodeAffinity": map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{there}}},
					"tolerations": []any{gone("node.kubernetes.io/not-ready"), gone("node.kubernetes.io/unreachable")},
					"containers":  []any{map[string]any{"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent"}},
				},
			},
		},
	}
	path := "/apis/apps/v1/namespaces/" + m.load.Namespace + "/deployments"
	made := false
	return poll(ctx, func() error {
		if !made {
			// One that an earlier drill of this run has left may be anywhere.
			err := m.any(ctx, func(ctx context.Context, a api) error {
				if err := a.call(ctx, http.MethodDelete, path+"/"+moverName+"?propagationPolicy=Background", nil, nil); err != nil && !missing(err) {
					return err
				}
				return a.call(ctx, http.MethodPost, path, deployment, nil)
			})
			if err != nil {
				return err
			}
			made = true
		}
		node, err := m.readyOn(ctx)
		if err == nil && node != m.from {
			err = fmt.Errorf("it is on %s", node)
		}
		return err
	})
}

// readyOn is the node on which a pod of the deployment is ready; with several,
// the newest, since one on a node that is gone may still be said to be.
func (m *mover) readyOn(ctx context.Context) (string, error) {
	var pods struct {
		Items []struct {
			Metadata struct {
				CreationTimestamp time.Time
				DeletionTimestamp *time.Time
			}
			Spec   struct{ NodeName string }
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	path := "/api/v1/namespaces/" + m.load.Namespace + "/pods?labelSelector=app%3D" + moverName
	if err := m.any(ctx, func(ctx context.Context, a api) error { return a.call(ctx, http.MethodGet, path, nil, &pods) }); err != nil {
		return "", err
	}
	node, made := "", time.Time{}
	for _, p := range pods.Items {
		ready := false
		for _, c := range p.Status.Conditions {
			ready = ready || c.Type == "Ready" && c.Status == "True"
		}
		if ready && p.Metadata.DeletionTimestamp == nil && !p.Metadata.CreationTimestamp.Before(made) {
			node, made = p.Spec.NodeName, p.Metadata.CreationTimestamp
		}
	}
	if node == "" {
		return "", errors.New("no pod of it is ready")
	}
	return node, nil
}
