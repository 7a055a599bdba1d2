package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// apiService is the service by which pods reach the API servers.
const apiService = "kubernetes"

// ServicePorts are the ports on which the service "kubernetes" leads to API servers.
func (c *Client) ServicePorts(ctx context.Context) ([]int, error) {
	list, err := c.dynamic.Resource(resource("discovery.k8s.io", "v1", "endpointslices")).Namespace(metav1.NamespaceDefault).
		List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + apiService})
	if err != nil {
		return nil, fmt.Errorf("listing the endpoints of the service %s: %w", apiService, err)
	}
	var out []int
	for i := range list.Items {
		slice, err := decode[discoveryv1.EndpointSlice](&list.Items[i])
		if err != nil {
			return nil, err
		}
		for _, p := range slice.Ports {
			if p.Port != nil && len(slice.Endpoints) > 0 {
				out = append(out, int(*p.Port))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// SetServicePort has the service "kubernetes" lead to API servers on a port. They make
// the service, its endpoints and their slice, and keep the addresses as they must be; the
// port they leave as it is, but for one that ends, which leaves its own there. The slice is
// what kube-proxy goes by, and is made after the endpoints.
func (c *Client) SetServicePort(ctx context.Context, port int) error {
	for _, o := range []struct {
		of    schema.GroupVersionResource
		ports func(object map[string]any) []any // maps, whose port is to be set
		key   string
	}{
		{resource("", "v1", "services"), func(o map[string]any) []any { return listIn(o, "spec", "ports") }, "targetPort"},
		{resource("", "v1", "endpoints"), func(o map[string]any) (ports []any) {
			for _, subset := range listIn(o, "subsets") {
				if s, ok := subset.(map[string]any); ok {
					ports = append(ports, listIn(s, "ports")...)
				}
			}
			return ports
		}, "port"},
		{resource("discovery.k8s.io", "v1", "endpointslices"), func(o map[string]any) []any { return listIn(o, "ports") }, "port"},
	} {
		objects := c.dynamic.Resource(o.of).Namespace(metav1.NamespaceDefault)
		object, err := objects.Get(ctx, apiService, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("asking for the %s of the service %s: %w", o.of.Resource, apiService, err)
		}
		differ := false
		for _, p := range o.ports(object.Object) {
			if p, ok := p.(map[string]any); ok && p[o.key] != int64(port) {
				p[o.key], differ = int64(port), true
			}
		}
		if !differ {
			continue
		}
		// Somebody who changed it meanwhile wins, and it is tried again.
		text, err := json.Marshal(onlyOf(object, "metadata", "spec", "subsets", "ports"))
		if err != nil {
			return err
		}
		if _, err := objects.Patch(ctx, apiService, types.MergePatchType, text, metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
			return fmt.Errorf("changing the %s of the service %s: %w", o.of.Resource, apiService, err)
		}
	}
	return nil
}

// listIn is a list in an object; empty where there is none.
func listIn(object map[string]any, path ...string) []any {
	found, _, err := unstructured.NestedFieldNoCopy(object, path...)
	if err != nil {
		return nil
	}
	list, _ := found.([]any)
	return list
}

// onlyOf is an object with these fields alone, and of its metadata with the version that
// it must still have.
func onlyOf(object *unstructured.Unstructured, fields ...string) map[string]any {
	out := map[string]any{}
	for _, f := range fields {
		if v, ok := object.Object[f]; ok {
			out[f] = v
		}
	}
	out["metadata"] = map[string]any{"resourceVersion": object.GetResourceVersion()}
	return out
}
