package config

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// flagged is a file of each format that gives one flag to one program.
func flagged(program, flag, value string) map[string][]*strict.File {
	kubeKey := map[string]string{"apiServer": "apiserverArgs", "controllerManager": "controllerManagerArgs", "scheduler": "schedulerArgs", "kubelet": "kubeletArgs"}[program]
	kubespray := map[string]string{"apiServer": "kube_kubeadm_apiserver_extra_args", "controllerManager": "kube_kubeadm_controller_extra_args", "scheduler": "kube_kubeadm_scheduler_extra_args"}[program]
	vars := kubespray + ": {" + flag + ": \"" + value + "\"}\n"
	if kubespray == "" {
		vars = "kubelet_custom_flags: [\"--" + flag + "=" + value + "\"]\n"
	}
	return map[string][]*strict.File{
		"our own": {strict.NewFile("/files/a.yaml", []byte("apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nspec:\n  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}]\n"+
			"  kubernetes: {"+program+": {extraArgs: [\""+flag+"="+value+"\"]}}\n"))},
		"KubeKey's": {strict.NewFile("/files/a.yaml", []byte(strings.Replace(kubeKeyHead, "v1.37.1}", "v1.37.1, "+kubeKey+": [\"--"+flag+"="+value+"\"]}", 1)+"  network: {plugin: flannel}\n"))},
		"kubespray's": {
			strict.NewFile("/files/hosts.ini", []byte("[kube_control_plane]\na ansible_host=192.0.2.1\n[etcd]\na\n[kube_node]\na\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte("kube_version: v1.37.1\nkube_network_plugin: flannel\n"+vars)),
		},
	}
}

// TestFlagsThatCannotBe: flags that Kubernetes no longer has, that contradict the
// cluster or that name files which a static pod does not see were valid in files of
// our own and of kubespray, and the programs did not start, or the cluster came
// apart.
func TestFlagsThatCannotBe(t *testing.T) {
	for _, test := range []struct{ program, flag, value, says, hint string }{
		{"apiServer", "insecure-port", "0", "the kube-apiserver of Kubernetes v1.37.1 has no flag insecure-port", "remove it"},
		{"apiServer", "kubelet-https", "true", "has no flag kubelet-https", "remove it"},
		{"controllerManager", "pod-eviction-timeout", "2m", "has no flag pod-eviction-timeout", ""},
		{"scheduler", "port", "0", "has no flag port", ""},
		{"scheduler", "address", "0.0.0.0", "has no flag address", ""},
		{"kubelet", "network-plugin", "cni", "has no flag network-plugin", ""},
		{"kubelet", "container-runtime", "remote", "has no flag container-runtime", ""},
		{"kubelet", "logtostderr", "true", "has no flag logtostderr", ""},
		{"kubelet", "storage-driver-host", "x", "of Kubernetes v1.37.1 has no flag storage-driver-host", ""}, // 1.36 has it

		{"apiServer", "audit-policy-file", "/etc/kubernetes/audit/policy.yaml", "which the program does not see", "below /etc/kubernetes/pki on every control-plane host"},
		{"apiServer", "audit-log-path", "/var/log/audit.log", "does not see", "audit-log-path=-"},
		{"apiServer", "encryption-provider-config", "/etc/kubernetes/enc.yaml", "does not see", "encryption-provider-config=/etc/kubernetes/pki/FILE"},
		{"apiServer", "oidc-ca-file", "ca.pem", "does not see", "below /etc/kubernetes/pki"},
		{"apiServer", "oidc-ca-file", "/etc/kubernetes/pki/../ca.pem", "does not see", "below /etc/kubernetes/pki"},
		{"scheduler", "tls-sni-cert-key", "/etc/kubernetes/pki/x.crt,/etc/kubernetes/pki/x.key", "does not see", "remove it"},

		{"apiServer", "authorization-mode", "AlwaysAllow", "gives everybody all of them", "Node,RBAC"},
		{"apiServer", "bind-address", "127.0.0.1", "reach it at the host's address", "remove it"},
		{"controllerManager", "leader-elect", "false", "they would work against each other", "remove it"},
		{"controllerManager", "allocate-node-cidrs", "false", "no addresses for their pods", "remove it"},
		{"scheduler", "leader-elect", "false", "they would work against each other", "remove it"},
		{"kubelet", "register-node", "false", "never join", "remove it"},
		{"kubelet", "cluster-dns", "10.0.0.10", "cannot be changed here", "it follows from"},
		{"kubelet", "cluster-domain", "x.local", "cannot be changed here", "use "},
		{"kubelet", "max-pods", "500", "cannot be changed here", "use "},
		{"kubelet", "cgroup-driver", "cgroupfs", "cannot be changed here", "must agree"},
		{"kubelet", "root-dir", "/data/kubelet", "cannot be changed here", "/var/lib/kubelet"},
		{"kubelet", "authorization-mode", "AlwaysAllow", "cannot be changed here", "remove it"},
	} {
		for format, files := range flagged(test.program, test.flag, test.value) {
			file, list := read(files, testOptions())
			text := printed(t, list)
			if file != nil || len(list.Errors()) != 1 || !strings.Contains(text, test.says) || !strings.Contains(text, test.hint) {
				t.Errorf("%s: %s %s=%s: accepted %t, want one error that says %q and %q:\n%s", format, test.program, test.flag, test.value, file != nil, test.says, test.hint, text)
			}
		}
	}
}

// TestFlagsThatCan: what is refused is refused for a reason.
func TestFlagsThatCan(t *testing.T) {
	for _, test := range []struct{ program, flag, value string }{
		{"apiServer", "audit-policy-file", "/etc/kubernetes/pki/policy.yaml"},
		{"apiServer", "audit-log-path", "-"},
		{"apiServer", "oidc-ca-file", "/etc/ssl/certs/ca.pem"},
		{"apiServer", "runtime-config", "api/beta=true"},
		{"apiServer", "authorization-mode", "Node,RBAC,Webhook"},
		{"apiServer", "authorization-always-allow-paths", "/healthz"},
		{"controllerManager", "bind-address", "0.0.0.0"},
		{"controllerManager", "concurrent-rc-syncs", "10"}, // the list had it with _
		{"apiServer", "log-json-split-stream", "true"},     // the list had it not
		{"scheduler", "leader-elect", "true"},
		{"kubelet", "image-credential-provider-bin-dir", "/opt/bin"},
		{"kubelet", "register-with-taints", "a=b:NoSchedule"},
	} {
		for format, files := range flagged(test.program, test.flag, test.value) {
			known := test.flag != "authorization-always-allow-paths" // the API server has none
			if file, list := read(files, testOptions()); (file != nil) != known {
				t.Errorf("%s: %s %s=%s: accepted %t:\n%s", format, test.program, test.flag, test.value, file != nil, printed(t, list))
			}
		}
	}
}
