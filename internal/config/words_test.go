package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestFindingsHaveTheFilesOwnWords: users of other tools' files were told to mind
// fields that their files do not have.
func TestFindingsHaveTheFilesOwnWords(t *testing.T) {
	inventory := func(hosts, vars string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/hosts.ini", []byte(hosts+"\n[kube_control_plane]\na\n[etcd]\na\n[kube_node]\na\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte("ansible_user: me\nkube_network_plugin: flannel\n"+vars)),
		}
	}
	one := "a ansible_host=192.0.2.1"
	kubeKey := func(rest string) []*strict.File {
		return []*strict.File{strict.NewFile("/files/a.yaml", []byte(kubeKeyHead+rest))}
	}
	four := func(host, config string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/inventory.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Inventory\nmetadata: {name: a}\nspec:\n"+
				"  hosts: {a: {"+host+"}}\n  groups: {kube_control_plane: {hosts: [a]}, kube_worker: {hosts: [a]}, etcd: {hosts: [a]}}\n")),
			strict.NewFile("/files/config.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Config\nspec:\n  kubernetes: {kube_version: v1.37.1}\n"+config)),
		}
	}
	kubeasz := func(vars string) []*strict.File {
		return []*strict.File{strict.NewFile("/files/hosts", []byte("[etcd]\n192.0.2.1\n[kube_master]\n192.0.2.1\n[kube_node]\n192.0.2.1\n[all:vars]\nCLUSTER_NETWORK=flannel\n"+vars))}
	}
	for name, test := range map[string]struct {
		files []*strict.File
		says  []string
	}{
		"kubespray: ranges that overlap": {inventory(one, "kube_pods_subnet: 10.1.0.0/16\nkube_service_addresses: 10.1.2.0/24\n"),
			[]string{"kube_pods_subnet 10.1.0.0/16 and kube_service_addresses 10.1.2.0/24 overlap"}},
		"kubespray: part of a node": {inventory(one, "kube_network_node_prefix: 10\n"), []string{"kube_network_node_prefix 10 does not divide kube_pods_subnet"}},
		"kubespray: flags":          {inventory(one, "kubelet_custom_flags: [--max-pods=9, --node-ip=192.0.2.9]\n"), []string{"kubelet_custom_flags: max-pods cannot be", "use kubelet_max_pods", "a host's ip and name say it"}},
		"kubespray: registries":     {inventory(one, "docker_insecure_registries: [192.0.2.0/24]\ncontainerd_registries: {\"b d\": \"https://m.example\"}\n"), []string{"docker_insecure_registries: \"192.0.2.0/24\" is", "containerd_registries: \"b d\" is"}},
		"kubespray: the login":      {inventory(one+" ansible_port=99999 ip=192.0.2.999", ""), []string{"host a: ansible_port must be from 1", "host a: ip: \"192.0.2.999\" is not an IP address"}},
		"kubespray: the settings":   {inventory(one, "kubelet_config_extra_args: {staticPodPath: /x}\n"), []string{"kubelet_config_extra_args: staticPodPath cannot be set here"}},
		"kubespray: the balancer":   {inventory(one, "loadbalancer_apiserver: {address: 192.0.2.9, port: 2379}\nkube_apiserver_port: 2380\n"), []string{"kube_apiserver_port 2380 is the port of etcd's peers"}},
		"kubespray: no address":     {inventory(one, "kube_vip_enabled: true\n"), []string{"needs kube_vip_address", "add kube_vip_address: a free address"}},
		"kubespray: gates":          {inventory(one, "kube_feature_gates: [\"a b=true\"]\n"), []string{"kube_feature_gates: \"a b\" is not the name"}},
		"KubeKey: ranges that overlap": {kubeKey("  network: {plugin: flannel, kubePodsCIDR: 10.1.0.0/16, kubeServiceCIDR: 10.1.2.0/24}\n"),
			[]string{"network.kubePodsCIDR 10.1.0.0/16 and network.kubeServiceCIDR 10.1.2.0/24 overlap"}},
		"KubeKey: by their old names": {kubeKey("  network: {plugin: flannel, podNetworkCidr: 10.1.0.0/16, serviceNetworkCidr: 10.1.2.0/24}\n"),
			[]string{"network.podNetworkCidr 10.1.0.0/16 and network.serviceNetworkCidr 10.1.2.0/24 overlap"}},
		"KubeKey: registries": {kubeKey("  network: {plugin: flannel}\n  registry: {insecureRegistries: [\"a b\"], auths: {\"c d\": {plainHTTP: true, username: me}}}\n"),
			[]string{"registry.insecureRegistries: \"a b\" is", "registry.auths: \"c d\" is"}},
		"KubeKey: etcd": {kubeKey("  network: {plugin: flannel}\n  etcd: {heartbeatInterval: 1, quotaBackendBytes: 5}\n"), []string{"etcd.heartbeatInterval 1ms is not", "etcd.quotaBackendBytes 5"}},
		"KubeKey 4": {four("connector: {host: 192.0.2.1, port: 99999}, internal_ipv4: 192.0.2.999", "  cni: {type: flannel, pod_cidr: 10.0.0.0, ipv4_mask_size: 99}\n  cri: {registry: {insecure_registries: [\"a b\"]}}\n"),
			[]string{"host a: connector.port must be from 1", "host a: internal_ipv4: \"192.0.2.999\" is", "cni.pod_cidr: \"10.0.0.0\" is", "cni.ipv4_mask_size must be", "cri.registry.insecure_registries: \"a b\" is"}},
		"kubeasz": {kubeasz("CLUSTER_CIDR=10.1.0.0/16\nSERVICE_CIDR=10.1.2.0/24\nMAX_PODS=9999\n"), []string{"CLUSTER_CIDR 10.1.0.0/16 and SERVICE_CIDR 10.1.2.0/24 overlap", "MAX_PODS must be from 1"}},
	} {
		file, list := read(test.files, testOptions())
		text := printed(t, list)
		for _, says := range test.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s: %q is not said:\n%s", name, says, text)
			}
		}
		if file != nil {
			t.Errorf("%s: accepted:\n%s", name, text)
		}
		checkWords(t, name, text)
	}
	// The same of all that is said about the importers' own test files.
	for _, path := range files(t, "*/testdata/*.txt") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		said, _, _ := strings.Cut(string(text), "--- cluster file ---")
		checkWords(t, filepath.Base(path), said)
	}
}

// ownWords are names that only files of our own have.
var ownWords = regexp.MustCompile(`\b((apiServer|controllerManager|scheduler|kubelet)\.extraArgs|podCIDR|serviceCIDR|nodeCIDRMaskSize|extraSANs|endpoint\.(port|domain)|loadBalancer\.|registry\.(mirrors|insecure)\b|kube(VIP|Proxy)\.|sudoPassword|ssh: )`)

// checkWords looks for our names in what is said about a file of another tool. What
// advises to write a cluster file has to use them.
func checkWords(t *testing.T, name, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		isFinding := strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "warning: ") || strings.HasPrefix(line, "hint: ")
		if found := ownWords.FindString(line); isFinding && found != "" && !strings.Contains(line, "cluster file") {
			t.Errorf("%s: %q is no word of the file:\n%s", name, found, line)
		}
	}
}

// TestTheGroupEtcdOfStackedEtcd: with etcd_deployment_type kubeadm kubespray does
// nothing with the group etcd, and a host of it alone was an error.
func TestTheGroupEtcdOfStackedEtcd(t *testing.T) {
	for _, setting := range []string{"etcd_deployment_type: kubeadm", "etcd_kubeadm_enabled: true"} {
		files := []*strict.File{
			strict.NewFile("/files/hosts.ini", []byte("[kube_control_plane]\na ansible_host=192.0.2.1\n[etcd]\nb ansible_host=192.0.2.2\nc ansible_host=192.0.2.3\n[kube_node]\nc\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte("ansible_user: me\nkube_network_plugin: flannel\n"+setting+"\n")),
		}
		file, list := read(files, testOptions())
		text := printed(t, list)
		if file == nil || len(file.Cluster.Hosts) != 2 || strings.Count(text, "the control-plane hosts run etcd") != 2 {
			t.Errorf("%s: accepted %t, want two hosts, and b and c told about:\n%s", setting, file != nil, text)
			continue
		}
		if members := file.Cluster.EtcdHosts(); len(members) != 1 || members[0].Name != "a" {
			t.Errorf("%s: the members are %v, want a", setting, members)
		}
	}
}
