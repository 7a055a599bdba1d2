package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// Apply applies every object of a multi-document YAML manifest, in order, by
// server-side apply.
func (c *Client) Apply(ctx context.Context, manifest []byte) error {
	dc, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return fmt.Errorf("making a discovery client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(dc))
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(manifest)), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(u)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a manifest: %w", err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if err := c.applyOne(ctx, mapper, u); err != nil {
			return fmt.Errorf("applying %s %s: %w", strings.ToLower(u.GetKind()), u.GetName(), err)
		}
	}
}

func (c *Client) applyOne(ctx context.Context, mapper meta.RESTMapper, u *unstructured.Unstructured) error {
	gvk := u.GroupVersionKind()
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: gvk.Group, Kind: gvk.Kind}, gvk.Version)
	if err != nil {
		return err
	}
	var target dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		target = c.dynamic.Resource(mapping.Resource).Namespace(u.GetNamespace())
	}
	_, err = target.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

// LabelNode sets a node's labels that are Quorate's to set: those it set
// before and that are not among them any more go.
func (c *Client) LabelNode(ctx context.Context, name string, labels map[string]string) error {
	values := make(map[string]any, len(labels))
	for k, v := range labels {
		values[k] = v
	}
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": name, "labels": values},
	}}
	_, err := c.dynamic.Resource(resource("", "v1", "nodes")).Apply(ctx, name, u, metav1.ApplyOptions{FieldManager: fieldManager + "-labels", Force: true})
	return err
}
