package kube

import (
	"context"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/internal/state"
)

// WorkloadAmong is Workload for the nodes that somebody answers for: what lacks on
// others, which may be dead for good, is left out. Others are the nodes that were
// left out for it; none are where nothing lacks.
func (c *Client) WorkloadAmong(ctx context.Context, name string, mine func(node string) bool) (w state.Workload, others []string, ok bool, err error) {
	w, ok, err = c.Workload(ctx, name)
	if err != nil || !ok || w.Lacking(0) == "" {
		return w, nil, ok, err
	}
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return w, nil, ok, err
	}
	dead := false
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		if !mine(node) {
			others = append(others, node)
			dead = dead || !nodes[node].Ready
		}
	}
	switch {
	case len(others) == 0:
		return w, nil, ok, nil
	case strings.HasPrefix(name, "DaemonSet/"):
		w, err = c.without(ctx, name, w, others)
		return w, others, ok, err
	case dead && w.Ready > 0:
		// Its pods come up elsewhere only after minutes.
		w.Desired = w.Ready
		return w, others, ok, nil
	}
	return w, nil, ok, nil
}

// without takes the pods on some nodes out of a DaemonSet's count.
func (c *Client) without(ctx context.Context, name string, w state.Workload, nodes []string) (state.Workload, error) {
	newest, err := c.newestRevision(ctx, name)
	if err != nil {
		return w, err
	}
	for _, node := range nodes {
		pods, err := c.PodsOn(ctx, name, node)
		if err != nil {
			return w, err
		}
		w.Desired--
		if slices.ContainsFunc(pods, func(p Pod) bool { return p.Ready }) {
			w.Ready--
		}
		if slices.ContainsFunc(pods, func(p Pod) bool { return p.Revision != "" && p.Revision == newest }) {
			w.Updated--
		}
	}
	w.Updated = max(w.Updated, 0) // it counts nothing while the newest settings were not seen
	return w, nil
}

// newestRevision is the name that the pods of a DaemonSet's newest settings carry.
func (c *Client) newestRevision(ctx context.Context, name string) (string, error) {
	_, rest, _ := strings.Cut(name, "/")
	namespace, object, _ := strings.Cut(rest, "/")
	list, err := c.dynamic.Resource(resource("apps", "v1", "controllerrevisions")).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	newest, revision := "", int64(-1)
	for i := range list.Items {
		r, err := decode[appsv1.ControllerRevision](&list.Items[i])
		if err != nil {
			return "", err
		}
		owned := slices.ContainsFunc(r.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "DaemonSet" && o.Name == object })
		if owned && r.Revision > revision {
			newest, revision = r.Labels[appsv1.ControllerRevisionHashLabelKey], r.Revision
		}
	}
	return newest, nil
}
