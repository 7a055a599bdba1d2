package config

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestOtherToolsAreNamed checks that the file of a tool that is not read is called
// what it is, instead of asking for our first line in it.
func TestOtherToolsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"nodes:\n- {address: 192.0.2.1, user: u, role: [controlplane, etcd]}\nnetwork: {plugin: canal}\n":                                                        "RKE",
		"token: x\nserver: https://192.0.2.1:9345\ncni: [multus, cilium]\ntls-san: [a.example]\n":                                                                "RKE2 or K3s",
		"write-kubeconfig-mode: \"0644\"\ntls-san: [a.example]\n":                                                                                                "RKE2 or K3s",
		"apiVersion: apps.sealos.io/v1beta1\nkind: Cluster\nspec: {hosts: [{ips: [\"192.0.2.1:22\"], roles: [master]}], ssh: {passwd: Rest7q}}\n":                "sealos",
		"apiVersion: sealer.cloud/v2\nkind: Cluster\nspec: {}\n":                                                                                                 "sealer",
		"kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: control-plane}]\n":                                                                    "kind",
		"apiVersion: k3d.io/v1alpha5\nkind: Simple\n":                                                                                                            "k3d",
		"apiVersion: kubeone.k8c.io/v1beta2\nkind: KubeOneCluster\n":                                                                                             "KubeOne",
		"apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nspec: {controlPlaneEndpoint: {host: 192.0.2.1, port: 6443}}\n":                                     "Cluster API",
		"apiVersion: kubean.io/v1alpha1\nkind: Cluster\nspec: {hostsConfRef: {namespace: a, name: b}}\n":                                                         "kubean",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hosts-conf}\ndata:\n  hosts.yml: |\n    all: {hosts: {}}\n":                                           "ConfigMap",
		"version: v1alpha1\nmachine: {type: controlplane, token: Rest7q}\ncluster: {id: x}\n":                                                                    "Talos",
		"apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\n":                                                                                              "k0sctl",
		"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n":                                                                                          "kubeadm",
		"[all]\nn1 ansible_host=192.0.2.1\n[etcd]\nn1\n[kube-master]\nn1\n[kube-worker]\nn1\n[all:vars]\nlb_mode=nginx\nlb_kube_apiserver_port=\"8443\"\n[lb]\n": "TimeBye/kubeadm-ha",
	} {
		said, file := said(t, strict.NewFile("/files/c.yaml", []byte(text)))
		if file != nil || !strings.Contains(said, "this is") || !strings.Contains(said, want) || strings.Contains(said, planted) || strings.Count(said, "error: ") != 1 {
			t.Errorf("%s: not named, or a secret shows:\n%s", want, said)
		}
	}
}

// TestSpecBelowMetadata checks that a spec that is indented too far is told to be
// moved: to remove the key would be to lose the cluster.
func TestSpecBelowMetadata(t *testing.T) {
	for _, first := range []string{"apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\n", header} {
		said, _ := said(t, strict.NewFile("/files/c.yaml", []byte(first+"metadata:\n  name: prod\n  spec:\n    hosts:\n    - {name: n1, address: 192.0.2.1}\n")))
		if !strings.Contains(said, "move spec:") || strings.Contains(said, "remove it") || strings.Count(said, "error: ") != 1 {
			t.Errorf("%s", said)
		}
	}
}

// TestKubeKeysOtherGroups checks that KubeKey's kinds are known under the group
// that it went on with.
func TestKubeKeysOtherGroups(t *testing.T) {
	text := "apiVersion: kubekey.kubekey.io/v1\nkind: Inventory\nmetadata: {name: a}\nspec:\n  hosts: {n1: {connector: {host: 192.0.2.1}, internal_ipv4: 192.0.2.1}}\n  groups:\n    kube_control_plane: {hosts: [n1]}\n    kube_worker: {hosts: [n1]}\n    etcd: {hosts: [n1]}\n"
	said, file := said(t, strict.NewFile("/files/c.yaml", []byte(text)))
	if file == nil || len(file.Cluster.Hosts) != 1 {
		t.Errorf("refused:\n%s", said)
	}
}

// TestOldKubesprayAlone checks that an inventory of kubespray's from before 2.16
// with no variables beside it is not taken for one of KubeSphere 2.x.
func TestOldKubesprayAlone(t *testing.T) {
	text := "[all]\nn1 ansible_ssh_host=192.0.2.1\nn2 ansible_ssh_host=192.0.2.2\nn3 ansible_ssh_host=192.0.2.3\n[kube-master]\nn1\nn2\nn3\n[kube-node]\nn1\nn2\nn3\n[etcd]\nn1\nn2\nn3\n[k8s-cluster:children]\nkube-master\nkube-node\n[k8s-cluster:vars]\nkube_network_plugin=flannel\n"
	said, file := said(t, strict.NewFile("/files/inventory.ini", []byte(text)))
	if file == nil || file.Cluster.Endpoint.LoadBalancer.Mode != "localhost" || strings.Contains(said, "KubeSphere") || !strings.Contains(said, "no ansible_user is given") {
		t.Errorf("%s", said)
	}
}

// TestSlipsSayWhatToWrite checks that what copied and hurried files hold is told
// with what to write instead.
func TestSlipsSayWhatToWrite(t *testing.T) {
	own := func(host, more string) string {
		return header + "spec:\n  hosts:\n  - {name: n1, roles: [control-plane], " + host + "}\n" + more
	}
	good := "address: 192.0.2.1"
	for text, want := range map[string]string{
		own("address: \"192.0.2.1:6443\"", ""):                                                         "write 192.0.2.1; a port",
		own("address: \"https://192.0.2.1:6443\"", ""):                                                 "write 192.0.2.1",
		own("address: 192.0.2.1/24", ""):                                                               "write 192.0.2.1",
		own("address: \"[2001:db8::1]\", internalAddress: 192.0.2.1", ""):                              "write 2001:db8::1",
		own("address: 192.0.2.1, internalAddress: \"192.0.2.1:22\"", ""):                               "write 192.0.2.1",
		own("address: \"${M1_IP}\"", ""):                                                               "nothing fills in",
		own(good, "  endpoint: {domain: API.Example.Com}\n"):                                           "write api.example.com",
		own(good, "  etcd: {logLevel: warning}\n"):                                                     "here it is called warn",
		own(good, "  kubernetes: {proxyMode: IPVS}\n"):                                                 "nftables takes its place",
		own(good, "  registry: {insecure: [\"http://registry.local:5000\"]}\n"):                        "write registry.local:5000",
		strings.Replace(own(good, ""), "n1", "K8S_Node01", 1):                                          "write k8s-node01",
		own(good, "  kubernetes：\n    version: v1.37.1\n"):                                             "full-width colon",
		own(good, "  kubernetes:\n    version：v1.37.1\n  network: {}\n"):                               "ordinary colon",
		own("address: 192.0.2.1， internalAddress: 192.0.2.2", ""):                                      "full-width comma",
		own(good, "  kubernetes:\n\u00a0 \u00a0 version: v1.37.1\n"):                                   "a blank that is none to YAML",
		own(good, "  network:\n    plugin:\u00a0 flannel\n  etcd: {}\n"):                               "a blank that is none to YAML",
		own("address: 192.0.2.1\u00a0", ""):                                                            "a blank that is none to YAML",
		"```yaml\n" + own(good, "") + "```\n":                                                          "fence",
		own(good, "  kubernetes:\n<<<<<<< HEAD\n    maxPods: 1\n=======\n    maxPods: 2\n>>>>>>> x\n"): "keep one of the two versions",
		own(good, "  registry: {insecure: [192.0.2.0/24]}\n"):                                          "name each registry by itself",
		own(good, "  etcd: true\n"):                                                                    "indented too little",
		header + "spec:\n  hosts: []\netcd:\n    mode: stacked\n  network: {}\n":                       "too far to the left",
		"  apiVersion: x/v1\n  kind: Cluster\n  ---\n  apiVersion: y/v1\n":                             "begin --- in the first column",
		own(good, "  kubernetes:\n    extraSANs:\n    - a.example\n    -b.example\n  network: {}\n"):   "a blank",
		own(good, "  kubernetes:\n    extraSANs:\n    -b.example\n"):                                   "a blank before the element",
		own(good, "  kubernetes:&nbsp;\n    maxPods: 100\n"):                                           "&nbsp;",
		own(good, "  kubernetes: {version: ${V}}\n"):                                                   "${…}",
	} {
		said, file := said(t, strict.NewFile("/files/c.yaml", []byte(text)))
		if file != nil || !strings.Contains(said, want) {
			t.Errorf("no %q of\n%s:\n%s", want, text, said)
		}
	}
}

// TestSchemesOfRegistries checks that KubeKey's registries may have a scheme.
func TestSchemesOfRegistries(t *testing.T) {
	text := strings.Replace(kubeKeyFlow("user: root"), "  network:", "  registry: {insecureRegistries: [\"http://a.example:5000\"], auths: {\"http://b.example:5000\": {plainHTTP: true}}}\n  network:", 1)
	said, file := said(t, strict.NewFile("/files/c.yaml", []byte(text)))
	if file == nil || strings.Join(file.Cluster.Registry.Insecure, " ") != "a.example:5000 b.example:5000" {
		t.Errorf("%s", said)
	}
}
