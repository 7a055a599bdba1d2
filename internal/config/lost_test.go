package config

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestWhatIsLostIsNamed: the last line of validate was silent about settings whose
// finding says that the cluster does without them, and named some that were off.
func TestWhatIsLostIsNamed(t *testing.T) {
	inventory := func(vars string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/hosts.ini", []byte("a ansible_host=192.0.2.1 ansible_user=me\n[kube_control_plane]\na\n[etcd]\na\n[kube_node]\na\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte("kube_version: v1.37.1\nkube_network_plugin: flannel\n"+vars)),
		}
	}
	kubeasz := func(vars string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/hosts", []byte("[etcd]\n192.0.2.1\n[kube_master]\n192.0.2.1\n[kube_node]\n192.0.2.1\n[all:vars]\nansible_user=me\nCLUSTER_NETWORK=flannel\n")),
			strict.NewFile("/files/config.yml", []byte(vars)),
		}
	}
	kubeKey := func(rest string) []*strict.File {
		return []*strict.File{strict.NewFile("/files/a.yaml", []byte(kubeKeyHead+"  network: {plugin: flannel}\n"+rest))}
	}
	four := func(config string) []*strict.File {
		return []*strict.File{
			strict.NewFile("/files/inventory.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Inventory\nmetadata: {name: a}\nspec:\n"+
				"  hosts: {a: {connector: {host: 192.0.2.1}}}\n  groups: {kube_control_plane: {hosts: [a]}, kube_worker: {hosts: [a]}, etcd: {hosts: [a]}}\n")),
			strict.NewFile("/files/config.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Config\nspec:\n  kubernetes: {kube_version: v1.37.1}\n  cni: {type: flannel}\n"+config)),
		}
	}
	for name, test := range map[string]struct {
		files []*strict.File
		lost  []string
	}{
		"kubespray, nothing":           {inventory(""), nil},
		"kubespray, all of it off":     {inventory("kube_reserved: false\nnode_taints: []\nhttp_proxy: \"\"\nupstream_dns_servers: []\netcd_backup_dir: \"\"\nenable_nodelocaldns: false\nkube_oidc_auth: false\nmetrics_server_enabled: false\nauto_renew_certificates: false\n"), nil},
		"kubespray, DNS":               {inventory("upstream_dns_servers: [192.0.2.53]\n"), []string{"settings of CoreDNS"}},
		"kubespray, add-ons":           {inventory("metrics_server_enabled: true\nmetallb_enabled: true\n"), []string{"metrics-server", "MetalLB"}},
		"kubespray, services' VIPs":    {inventory("kube_vip_enabled: true\nkube_vip_address: 192.0.2.9\nkube_vip_services_enabled: true\n"), []string{"addresses of services of type LoadBalancer"}},
		"kubespray, for services only": {inventory("kube_vip_enabled: true\nkube_vip_controlplane_enabled: false\nkube_vip_services_enabled: true\n"), []string{"addresses of services of type LoadBalancer"}},
		"kubeasz, its own DNS":         {kubeasz("dns_install: \"yes\"\nmetricsserver_install: \"no\"\nENABLE_LOCAL_DNS_CACHE: false\nLOCAL_DNS_CACHE: 169.254.20.10\n"), nil},
		"kubeasz":                      {kubeasz("metricsserver_install: \"yes\"\nENABLE_LOCAL_DNS_CACHE: true\n"), []string{"add-ons", "node-local DNS"}},
		"KubeKey, nothing":             {kubeKey("  storage: {}\n  addons: []\n"), nil},
		"KubeKey, etcd's backups":      {kubeKey("  etcd: {backupPeriod: 30}\n"), []string{"timed backups of etcd"}},
		"KubeKey, names":               {kubeKey("  dns: {dnsEtcHosts: \"192.0.2.9 a\"}\n"), []string{"settings of CoreDNS"}},
		"KubeKey, a registry":          {kubeKey("  registry: {registryDataDir: /data, type: harbor}\n"), []string{"an image registry of its own"}}, // one finding, whose first setting asks for nothing
		"KubeKey 4, audit":             {four("  audit: true\n"), []string{"the audit log"}},
		"KubeKey 4, a cache":           {four("  dns: {nodelocaldns: {ip: 169.254.20.10, enabled: true}}\n"), []string{"node-local DNS"}},
		"KubeKey 4, no cache":          {four("  dns: {nodelocaldns: {ip: 169.254.20.10, enabled: false}}\n"), nil},
	} {
		file, list := read(test.files, testOptions())
		if file == nil {
			t.Errorf("%s: refused:\n%s", name, printed(t, list))
			continue
		}
		got, want := slices.Sorted(slices.Values(file.Lost)), slices.Sorted(slices.Values(test.lost))
		if !slices.Equal(got, want) {
			t.Errorf("%s: what is lost is %q, want %q:\n%s", name, got, want, printed(t, list))
		}
	}
}
