package planner_test

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/quorate/quorate/internal/kube/kubetest"
)

// proxy is kube-proxy: its pods read their settings when they start only.
type proxy struct {
	config    string // stored
	server    string // that they are told to connect to
	runs      string // that the pods were started with
	replacing string // the annotation that the pods were last replaced for
}

const proxyPath = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"

// storeProxyConfig does what kubeadm's phase leaves behind: it writes the whole
// DaemonSet, without what others have annotated.
func (w *world) storeProxyConfig(config, server string) {
	w.proxy.server = server
	if w.proxy.runs == "" {
		w.proxy.runs = config
	}
	w.proxy.config = config
	w.api.Put(proxyPath, kubetest.Object{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": kubetest.Object{"name": "kube-proxy"}})
}

// settleProxy replaces the pods when the annotation of their template changes.
func (w *world) settleProxy() {
	annotation, _, _ := unstructured.NestedString(w.api.Get(proxyPath), "spec", "template", "metadata", "annotations", "quorate.dev/settings")
	if annotation != "" && annotation != w.proxy.replacing {
		w.proxy.replacing, w.proxy.runs = annotation, w.proxy.config
	}
}

// proveSettings fails the test when a kubelet or kube-proxy has other settings
// than those that are stored in the cluster.
func (w *world) proveSettings() {
	w.t.Helper()
	for _, m := range w.machines {
		if m.off || w.cluster.Host(m.name) == nil || !m.has("/etc/kubernetes/kubelet.conf") {
			continue
		}
		if is := string(m.files["/var/lib/kubelet/config.yaml"].content); is != w.kubeletConfig {
			w.t.Errorf("the kubelet of %s has other settings than the cluster:\n%s\nthe cluster:\n%s", m.name, is, w.kubeletConfig)
		}
	}
	if w.proxy.runs != w.proxy.config {
		w.t.Errorf("kube-proxy's pods run with settings that were replaced since:\n%s\nnow:\n%s", w.proxy.runs, w.proxy.config)
	}
}
