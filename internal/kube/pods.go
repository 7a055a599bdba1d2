package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is a pod of a workload on one node.
type Pod struct {
	Namespace, Name string
	UID             string
	Ready           bool   // and not told to end
	Revision        string // of a DaemonSet's settings, by which it was made
}

// PodsOn lists the pods of a workload, named kind/namespace/name, that are on a
// node.
func (c *Client) PodsOn(ctx context.Context, workload, node string) ([]Pod, error) {
	kind, rest, _ := strings.Cut(workload, "/")
	namespace, owner, _ := strings.Cut(rest, "/")
	list, err := c.dynamic.Resource(resource("", "v1", "pods")).Namespace(namespace).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return nil, err
	}
	var out []Pod
	for i := range list.Items {
		p, err := decode[corev1.Pod](&list.Items[i])
		if err != nil {
			return nil, err
		}
		for _, o := range p.OwnerReferences {
			if o.Kind == kind && o.Name == owner {
				out = append(out, Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Ready: podReady(p), Revision: p.Labels[appsv1.ControllerRevisionHashLabelKey]})
			}
		}
	}
	return out, nil
}

func podReady(p *corev1.Pod) bool {
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady {
			return cond.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// DeletePod deletes a pod, and no other one of the same name; one that is gone
// is no error.
func (c *Client) DeletePod(ctx context.Context, p Pod) error {
	uid := types.UID(p.UID)
	err := c.dynamic.Resource(resource("", "v1", "pods")).Namespace(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting the pod %s: %w", p.Name, err)
	}
	return nil
}

// NodeRenewed is when a node's kubelet last renewed its lease, by its own clock;
// zero where it never did.
func (c *Client) NodeRenewed(ctx context.Context, node string) (time.Time, error) {
	u, err := c.dynamic.Resource(resource("coordination.k8s.io", "v1", "leases")).Namespace(corev1.NamespaceNodeLease).Get(ctx, node, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	l, err := decode[coordinationv1.Lease](u)
	if err != nil || l.Spec.RenewTime == nil {
		return time.Time{}, err
	}
	return l.Spec.RenewTime.Time, nil
}
