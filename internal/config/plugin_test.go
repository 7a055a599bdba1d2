package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

const kubeKeyHead = "apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\nspec:\n  hosts: [{name: a, address: 192.0.2.1}]\n" +
	"  roleGroups: {etcd: [a], control-plane: [a], worker: [a]}\n  kubernetes: {version: v1.37.1}\n"

// asking are files that ask for what flannel on IPv4 does not give, by what they
// lose.
func asking(lost string) map[string][]*strict.File {
	one := func(text string) []*strict.File { return []*strict.File{strict.NewFile("/files/a.yaml", []byte(text))} }
	inventory := func(vars string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/hosts.ini", []byte("[kube_control_plane]\na ansible_host=192.0.2.1\n[etcd]\na\n[kube_node]\na\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte("kube_version: v1.37.1\n"+vars)),
		}
	}
	if lost == "IPv6" {
		return map[string][]*strict.File{
			"KubeKey's two ranges":             one(kubeKeyHead + "  network: {plugin: flannel, kubePodsCIDR: \"10.233.64.0/18,fd85::/64\"}\n"),
			"KubeKey's two addresses":          one(strings.Replace(kubeKeyHead, "192.0.2.1}", "192.0.2.1, internalAddress: \"192.0.2.1,2001:db8::1\"}", 1) + "  network: {plugin: flannel}\n"),
			"kubespray's dual stack":           inventory("kube_network_plugin: flannel\nenable_dual_stack_networks: true\nkube_pods_subnet_ipv6: fd85::/64\n"),
			"kubespray's IPv6 alone":           inventory("kube_network_plugin: flannel\nipv4_stack: false\nipv6_stack: true\n"),
			"kubespray's IPv6 by its new name": inventory("kube_network_plugin: flannel\nenable_ipv6only_stack_networks: true\n"),
		}
	}
	return map[string][]*strict.File{
		"our own":   one("apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nspec: {hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}], network: {plugin: calico}}\n"),
		"KubeKey's": one(kubeKeyHead + "  network: {plugin: calico}\n"),
		"kubespray": inventory("kube_network_plugin: calico\n"),
	}
}

// TestWhatOnlyAnotherNetworkHasIsRefusedUntilOneSaysSo: files that ask for Calico
// were built with flannel and exit code 0, so that NetworkPolicies stopped to hold
// in silence; those that ask for IPv6 became IPv4.
func TestWhatOnlyAnotherNetworkHasIsRefusedUntilOneSaysSo(t *testing.T) {
	for lost, says := range map[string]string{"NetworkPolicies (calico)": "network plugin calico is not installed", "IPv6": "asks for IPv6"} {
		for name, files := range asking(lost) {
			again := func(o Options) (*File, string) {
				var fresh []*strict.File
				for _, f := range files {
					fresh = append(fresh, strict.NewFile(f.Path, f.Data))
				}
				file, list := read(fresh, o)
				return file, printed(t, list)
			}
			file, text := again(testOptions())
			if first, _, _ := strings.Cut(text, "\n"); file != nil || !strings.Contains(first, "error") || !strings.Contains(first, says) {
				t.Errorf("%s: accepted %t, and the first finding is not the error %q:\n%s", name, file != nil, says, text)
			}
			if name != "our own" && !strings.Contains(text, "add --network-plugin flannel") {
				t.Errorf("%s: how to go on is not told:\n%s", name, text)
			}
			for _, plugin := range NetworkPlugins() {
				o := testOptions()
				o.NetworkPlugin = plugin
				file, text := again(o)
				if file == nil || file.Cluster.Network.Plugin != plugin {
					t.Errorf("%s: --network-plugin %s is not obeyed:\n%s", name, plugin, text)
					continue
				}
				want := lost
				if plugin == "none" && lost != "IPv6" {
					want = "the network plugin calico"
				}
				if chosen := strings.Contains(text, "the file gives pods no IPv4 range: they get 10.233.64.0/18") && strings.Contains(text, "the file gives services no IPv4 range"); lost == "IPv6" && !chosen && name != "KubeKey's two ranges" {
					t.Errorf("%s: ranges that nobody chose are not told:\n%s", name, text)
				}
				if !slices.Contains(file.Lost, want) || !strings.HasPrefix(text, "warning: ") {
					t.Errorf("%s: with --network-plugin %s what is lost is %q, want %q in it, and a warning first:\n%s", name, plugin, file.Lost, want, text)
				}
			}
		}
	}
}
