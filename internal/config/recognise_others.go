package config

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

// How to know the files of tools that say no apiVersion of their own.

// isRKE reports whether a document is one of RKE's: a list of nodes, each with a
// list of roles.
func isRKE(root *yaml.Node, _ *strict.File) bool {
	nodes := strict.Child(root, "nodes")
	if strict.Child(root, "apiVersion") != nil || nodes == nil || nodes.Kind != yaml.SequenceNode {
		return false
	}
	return slices.ContainsFunc(nodes.Content, func(n *yaml.Node) bool {
		return strict.Child(n, "address") != nil && strict.Child(n, "role") != nil
	})
}

// isRKE2 reports whether a document is the configuration of a node of RKE2 or K3s:
// the names of its flags, some of which only they have.
func isRKE2(root *yaml.Node, _ *strict.File) bool {
	has := func(names ...string) int {
		found := 0
		for _, name := range names {
			if strict.Child(root, name) != nil {
				found++
			}
		}
		return found
	}
	if has("apiVersion", "all", "spec") > 0 {
		return false
	}
	own := has("write-kubeconfig-mode", "tls-san", "cluster-init", "node-label", "node-taint", "cluster-cidr", "service-cidr", "kube-apiserver-arg", "kubelet-arg", "flannel-backend")
	return own > 1 || own == 1 && has("token", "server", "cni", "disable", "agent-token", "selinux", "profile") > 0 || has("token") > 0 && has("server", "cni") > 0
}

// isTalos reports whether a document is the configuration of a Talos machine.
func isTalos(root *yaml.Node, _ *strict.File) bool {
	return strict.Child(strict.Child(root, "machine"), "type") != nil && strict.Child(root, "cluster") != nil
}

// isInventoryInConfigMap reports whether a document is a ConfigMap that holds an
// inventory or its variables.
func isInventoryInConfigMap(root *yaml.Node, _ *strict.File) bool {
	kind, _ := strict.ScalarAt(root, "kind")
	data := strict.Child(root, "data")
	return kind == "ConfigMap" && (strict.Child(data, "hosts.yml") != nil || strict.Child(data, "group_vars.yml") != nil)
}
