package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Pod is a pod as a step that waits for it sees it.
type Pod struct {
	Annotations map[string]string
	Ready       bool
	Reason      string // why it is not
}

// Pod returns one pod. The pod of a manifest in a host's folder is called after
// the host, too: kube-apiserver-cp-1.
func (c *Client) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	u, err := c.dynamic.Resource(resource("", "v1", "pods")).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return Pod{}, err
	}
	p, err := decode[corev1.Pod](u)
	if err != nil {
		return Pod{}, err
	}
	out := Pod{Annotations: p.Annotations, Reason: string(p.Status.Phase)}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady {
			out.Ready = cond.Status == corev1.ConditionTrue
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil {
			out.Reason = strings.TrimSpace(w.Reason + " " + w.Message)
		}
	}
	return out, nil
}

// replacedFor is the annotation that makes a workload's pods new ones.
const replacedFor = "quorate.dev/settings"

// ReplacePods makes a workload, named kind/namespace/name, replace its pods step
// by step, unless they were replaced for the same digest before.
func (c *Client) ReplacePods(ctx context.Context, name, digest string) error {
	kind, rest, _ := strings.Cut(name, "/")
	namespace, object, _ := strings.Cut(rest, "/")
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"name": object, "namespace": namespace},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{replacedFor: digest}}}},
	}}
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: strings.ToLower(kind) + "s"}
	_, err := c.dynamic.Resource(gvr).Namespace(namespace).Apply(ctx, object, u, metav1.ApplyOptions{FieldManager: fieldManager + "-replace", Force: true})
	if err != nil {
		return fmt.Errorf("replacing the pods of %s: %w", name, err)
	}
	return nil
}
