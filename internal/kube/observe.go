package kube

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/quorate/quorate/internal/state"
)

// leases are the leases in kube-system whose holders are of interest.
var leases = []string{"kube-controller-manager", "kube-scheduler"}

// Workloads whose pods a snapshot counts, as kind/namespace/name.
var workloads = []string{"DaemonSet/kube-system/kube-proxy", "Deployment/kube-system/coredns", "DaemonSet/kube-flannel/kube-flannel-ds"}

// Observe asks the API for everything a snapshot holds of it.
func (c *Client) Observe(ctx context.Context) (*state.API, error) {
	api := &state.API{Via: c.via, Leases: map[string]state.Lease{}, Workloads: map[string]state.Workload{}}
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	ask := func(question func(context.Context) error) {
		g.Go(func() error { return insist(ctx, question) })
	}
	ask(func(ctx context.Context) (err error) { api.Version, err = c.Version(ctx); return err })
	ask(func(ctx context.Context) (err error) { api.Nodes, err = c.Nodes(ctx); return err })
	ask(func(ctx context.Context) (err error) { api.Record, err = c.Records(ctx); return err })
	for _, name := range leases {
		ask(func(ctx context.Context) error {
			lease, ok, err := c.Lease(ctx, name)
			if ok {
				mu.Lock()
				defer mu.Unlock()
				api.Leases[name] = lease
			}
			return err
		})
	}
	for _, name := range workloads {
		ask(func(ctx context.Context) error {
			w, ok, err := c.Workload(ctx, name)
			if ok && err == nil && name == coreDNS {
				w.Together, err = c.together(ctx, w)
			}
			if ok {
				mu.Lock()
				defer mu.Unlock()
				api.Workloads[name] = w
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("asking the API through %s: %w", c.via, err)
	}
	return api, nil
}

// patience are the times that a question is given before it is asked again;
// after the last, it has all the time that its context has.
var patience = [...]time.Duration{time.Second, time.Second}

// insist asks a question again that gets no answer. An API server spreads its
// requests over the etcd members, and for up to 40 s does not notice that one
// of them is on a host that went away: a request that went there hangs, and
// the same one asked again goes elsewhere.
func insist(ctx context.Context, question func(context.Context) error) error {
	for _, limit := range patience {
		try, cancel := context.WithTimeout(ctx, limit)
		err := question(try)
		unanswered := try.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !unanswered {
			return err
		}
	}
	return question(ctx)
}

// Nodes returns all nodes by name.
func (c *Client) Nodes(ctx context.Context) (map[string]state.Node, error) {
	list, err := c.dynamic.Resource(resource("", "v1", "nodes")).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	nodes := make(map[string]state.Node, len(list.Items))
	for i := range list.Items {
		n, err := decode[corev1.Node](&list.Items[i])
		if err != nil {
			return nil, err
		}
		nodes[n.Name] = nodeOf(n)
	}
	return nodes, nil
}

// Node returns one node.
func (c *Client) Node(ctx context.Context, name string) (state.Node, error) {
	u, err := c.dynamic.Resource(resource("", "v1", "nodes")).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return state.Node{}, err
	}
	n, err := decode[corev1.Node](u)
	if err != nil {
		return state.Node{}, err
	}
	return nodeOf(n), nil
}

func nodeOf(n *corev1.Node) state.Node {
	out := state.Node{Kubelet: n.Status.NodeInfo.KubeletVersion, Labels: n.Labels, Unschedulable: n.Spec.Unschedulable, Reason: "the kubelet has not reported yet"}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && out.InternalIP == "" {
			out.InternalIP = a.Address
		}
	}
	for _, t := range n.Spec.Taints {
		out.Taints = append(out.Taints, t.Key+":"+string(t.Effect))
	}
	for _, cond := range n.Status.Conditions {
		switch cond.Type {
		case corev1.NodeReady:
			out.Ready = cond.Status == corev1.ConditionTrue
			out.Reason = cond.Message
		case corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodePIDPressure, corev1.NodeNetworkUnavailable:
			if cond.Status == corev1.ConditionTrue {
				if out.Troubles == nil {
					out.Troubles = map[string]string{}
				}
				out.Troubles[string(cond.Type)] = cond.Message
			}
		}
	}
	return out
}

// Lease returns a lease in kube-system; false means that there is none.
func (c *Client) Lease(ctx context.Context, name string) (state.Lease, bool, error) {
	u, err := c.dynamic.Resource(resource("coordination.k8s.io", "v1", "leases")).Namespace(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return state.Lease{}, false, nil
	}
	if err != nil {
		return state.Lease{}, false, err
	}
	l, err := decode[coordinationv1.Lease](u)
	if err != nil {
		return state.Lease{}, false, err
	}
	out := state.Lease{}
	if l.Spec.HolderIdentity != nil {
		// The identity is the host's name, an underscore and a random part.
		out.Holder, _, _ = strings.Cut(*l.Spec.HolderIdentity, "_")
	}
	if l.Spec.RenewTime != nil {
		out.Renewed = l.Spec.RenewTime.Time
	}
	return out, true, nil
}

// Workload counts the pods of a workload named kind/namespace/name; false means
// that there is none.
func (c *Client) Workload(ctx context.Context, name string) (state.Workload, bool, error) {
	kind, rest, _ := strings.Cut(name, "/")
	namespace, object, _ := strings.Cut(rest, "/")
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: strings.ToLower(kind) + "s"}
	u, err := c.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, object, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return state.Workload{}, false, nil
	}
	if err != nil {
		return state.Workload{}, false, err
	}
	if kind == "DaemonSet" {
		d, err := decode[appsv1.DaemonSet](u)
		if err != nil {
			return state.Workload{}, false, err
		}
		w := state.Workload{Desired: int(d.Status.DesiredNumberScheduled), Ready: int(d.Status.NumberReady), Updated: int(d.Status.UpdatedNumberScheduled)}
		if d.Status.ObservedGeneration < d.Generation {
			w.Updated, w.Unobserved = 0, true
		}
		return w, true, nil
	}
	d, err := decode[appsv1.Deployment](u)
	if err != nil {
		return state.Workload{}, false, err
	}
	desired := 1
	if d.Spec.Replicas != nil {
		desired = int(*d.Spec.Replicas)
	}
	w := state.Workload{Desired: desired, Ready: int(d.Status.ReadyReplicas), Updated: int(d.Status.UpdatedReplicas)}
	if d.Status.ObservedGeneration < d.Generation {
		w.Updated, w.Unobserved = 0, true
	}
	return w, true, nil
}
