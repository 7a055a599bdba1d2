package kubekey

import (
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// TestRecognises checks what is taken for one of KubeKey's files: whatever
// KubeKey would take, and the excerpts that guides print, but nothing of others'.
func TestRecognises(t *testing.T) {
	for text, want := range map[string]string{
		"{apiVersion: kubekey.kubesphere.io/v1alpha2, kind: Cluster}":                                                kindCluster,
		"{apiVersion: kubekey.io/v1alpha1}":                                                                          kindCluster,
		"{apiVersion: kubekey.kubesphere.io/v1, kind: Inventory}":                                                    kindInventory,
		"{apiVersion: kubekey.kubesphere.io/v1, kind: Playbook}":                                                     "Playbook",
		"{apiVersion: kubekey.kubesphere.io/v1alpha2, kind: Manifest}":                                               kindManifest,
		"{kind: Cluster, spec: {roleGroups: {}}}":                                                                    kindCluster,
		"{apiVersion: whatever/v9, kind: Cluster, spec: {roleGroups: {}}}":                                           kindCluster,
		"{spec: {roleGroups: {}}}":                                                                                   kindCluster,
		"{spec: {controlPlaneEndpoint: {domain: a}}}":                                                                kindCluster,
		"{spec: {hosts: [{name: a, user: b}]}}":                                                                      kindCluster,
		"{spec: {hosts: {a: {}}, groups: {}}}":                                                                       kindInventory,
		"{kind: Config, spec: {kubernetes: {kube_version: v1}}}":                                                     kindConfig,
		"{spec: {hosts: [{name: a, roles: [worker], user: b}]}}":                                                     "", // ours, without its first lines
		"{spec: {hosts: [{name: a, address: b}]}}":                                                                   "",
		"{apiVersion: quorate.dev/v1alpha1, kind: Cluster, spec: {roleGroups: {}}}":                                  "",
		"{apiVersion: cluster.x-k8s.io/v1beta1, kind: Cluster, spec: {controlPlaneEndpoint: {host: a, port: 1}}}":    "",
		"{apiVersion: k0sctl.k0sproject.io/v1beta1, kind: Cluster, spec: {hosts: [{role: worker, ssh: {user: a}}]}}": "",
		"{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, controlPlaneEndpoint: a, spec: {}}":        "",
		"{kind: Deployment, spec: {roleGroups: {}}}":                                                                 "",
		"[a]":       "",
		"a":         "",
		"{spec: a}": "",
	} {
		roots, ok := strict.ParseYAML(strict.NewReport(diag.NewSource("f", nil)), []byte(text))
		if !ok {
			t.Fatalf("not YAML: %s", text)
		}
		if got := kindOf(roots[0]); got != want || Recognises(roots[0]) != (want != "") {
			t.Errorf("%s is taken for %q, want %q", text, got, want)
		}
	}
}
