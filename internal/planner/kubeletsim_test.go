package planner_test

import (
	"crypto/tls"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/quorate/quorate/internal/kube/kubetest"
)

// kubeletFault is why the machine's kubelet ends again and again; empty where it
// does not. As the real one, it keeps what its kubeconfig holds beside it.
func (m *machine) kubeletFault() string {
	if len(m.files["/var/lib/kubelet/config.yaml"].content) == 0 {
		return "kubelet config file /var/lib/kubelet/config.yaml was empty"
	}
	return m.clientFault()
}

// clientFault is why the machine's kubelet cannot prove itself to API servers.
func (m *machine) clientFault() string {
	serves := func(path string) error {
		pair, err := tls.X509KeyPair(m.pairIn(m.files[path].content))
		if err == nil && pair.Leaf.NotAfter.Before(m.now()) {
			err = fmt.Errorf("part of the existing client certificate in %s is expired", path)
		}
		return err
	}
	if err := serves("/etc/kubernetes/kubelet.conf"); err != nil {
		return err.Error()
	}
	if m.has(kubeletClient) {
		if _, err := tls.X509KeyPair(m.pairIn(m.files[kubeletClient].content)); err != nil {
			return err.Error()
		}
		return ""
	}
	certificates, keys := m.pairIn(m.files["/etc/kubernetes/kubelet.conf"].content)
	m.write(kubeletClient, string(certificates)+string(keys), 0o600)
	return ""
}

// finalizeKubelet makes the kubelet's kubeconfig name the file in which it renews its
// certificate, as kubeadm does.
func (m *machine) finalizeKubelet() error {
	const path = "/etc/kubernetes/kubelet.conf"
	if !m.has(kubeletClient) {
		return nil
	}
	config, err := clientcmd.Load(m.files[path].content)
	if err != nil {
		return err
	}
	for _, user := range config.AuthInfos {
		*user = clientcmdapi.AuthInfo{ClientCertificate: kubeletClient, ClientKey: kubeletClient}
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	m.kubeadmWrites(path, string(text), 0o600)
	return m.startKubelet()
}

// nodeReady reports whether a node of the API is Ready.
func nodeReady(node kubetest.Object) bool {
	status, _ := node["status"].(kubetest.Object)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if c, ok := c.(kubetest.Object); ok && c["type"] == "Ready" {
			return c["status"] == "True"
		}
	}
	return false
}

// heartbeat is what the API knows of a machine's kubelet: a node that it made, and
// that is Ready for as long as the kubelet runs.
func (m *machine) heartbeat() {
	path, ready := "/api/v1/nodes/"+m.name, "False"
	runs := m.units[kubelet].Running() && m.has("/etc/kubernetes/kubelet.conf") && !m.off
	node := m.world.api.Get(path)
	switch {
	case runs:
		ready = "True"
	case node == nil:
		return
	}
	if node == nil && m.unregistered {
		return
	}
	if node == nil {
		node = kubetest.Object{"apiVersion": "v1", "kind": "Node", "metadata": kubetest.Object{"name": m.name}, "spec": kubetest.Object{}}
	} else if nodeReady(node) == runs {
		return
	}
	node["status"] = kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": ready}}}
	m.world.api.Put(path, node)
}
