package kube

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// recordName is the ConfigMap in kube-system where Quorate notes what it
// applied: one key a subject, the digest of what was applied as its value.
const recordName = "quorate"

func (c *Client) configMaps() dynamic.ResourceInterface {
	return c.dynamic.Resource(resource("", "v1", "configmaps")).Namespace(metav1.NamespaceSystem)
}

// Record notes a subject's digest. Every subject has a field owner of its
// own, so that notes of different subjects never undo each other.
func (c *Client) Record(ctx context.Context, subject, digest string) error {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": recordName, "namespace": metav1.NamespaceSystem},
		"data":     map[string]any{subject: digest},
	}}
	_, err := c.configMaps().Apply(ctx, recordName, u, metav1.ApplyOptions{FieldManager: fieldManager + "-" + subject, Force: true})
	return err
}

// Records returns what was noted; nothing noted is an empty map.
func (c *Client) Records(ctx context.Context) (map[string]string, error) {
	u, err := c.configMaps().Get(ctx, recordName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	data, _, err := unstructured.NestedStringMap(u.Object, "data")
	return data, err
}
