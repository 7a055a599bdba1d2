package kube

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

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
