package config

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
)

// TestWhatKubespraySaysIsKeptOrTold checks settings that were lost, or turned into
// something else, without a word.
func TestWhatKubespraySaysIsKeptOrTold(t *testing.T) {
	for name, test := range map[string]struct {
		inventory, vars string
		writes, says    []string
		never           string
	}{
		"the mirror of Docker Hub is insecure, Docker Hub is not": {
			vars:   "containerd_insecure_registries: {docker.io: [\"http://mirror.example:5000\"], \"local.example:5000\": \"http://local.example:5000\"}\n",
			writes: []string{`docker.io: ["http://mirror.example:5000"]`, `insecure: ["mirror.example:5000", "local.example:5000"]`},
		},
		"a mirror that is a project of Harbor's": {
			vars:   "containerd_registries_mirrors: [{prefix: quay.io, mirrors: [{host: https://harbor.example/v2/quay, override_path: true, capabilities: [pull, resolve]}]}]\n",
			writes: []string{`quay.io: ["https://harbor.example/v2/quay"]`},
		},
		"a mirror whose settings are not kept": {
			vars: "containerd_registries_mirrors: [{prefix: quay.io, server: https://other.example, mirrors: [{host: https://m.example, ca: /x.crt}, {host: https://push.example, capabilities: [push]}]}]\n",
			says: []string{"ca is not used", "server is not used", `the mirror "https://push.example" of "quay.io" is left out`}, never: "quay.io: [https://m.example, https://push.example]",
		},
		"the interface and the image of kube-vip": {
			vars:   "kube_vip_enabled: true\nkube_vip_address: 192.0.2.9\nkube_vip_interface: eth1\nkube_vip_image_repo: registry.example/kube-vip\nkube_vip_image_tag: v1.0.3\n",
			writes: []string{"interface: eth1", `image: "registry.example/kube-vip:v1.0.3"`}, never: "kube_vip_interface is not used",
		},
		"half of the image of kube-vip": { // was an error about an image "", which nobody had written
			vars: "kube_vip_enabled: true\nkube_vip_address: 192.0.2.9\nkube_vip_image_tag: v1.0.3\n", says: []string{"kube_vip_image_tag is not used"}, never: "kubeVIP",
		},
		"an empty text is not given": {
			vars: "apiserver_loadbalancer_domain_name: \"\"\nkube_proxy_mode: \"\"\n", writes: []string{"lb-apiserver.kubernetes.local"},
		},
		"labels in JSON": {
			inventory: ` node_labels='{"a/b":"c","gpu":true}'`, writes: []string{`labels: {a/b: c, gpu: "true"}`},
		},
		"a key relative to where Ansible is run": {
			inventory: " ansible_ssh_private_key_file=keys/id", says: []string{"Ansible's starts from where it is run"},
		},
		"the name of the cluster":         {vars: "cluster_name: prod.example\n", writes: []string{"name: prod", "dnsDomain: prod.example"}},
		"the range of node ports":         {vars: "kube_apiserver_node_port_range: 30000-40000\n", writes: []string{"service-node-port-range=30000-40000"}, never: "is not used"},
		"everybody's name":                {vars: "cluster_name: cluster.local\n", never: "metadata"},
		"feature gates among flags":       {vars: "kube_kubeadm_apiserver_extra_args: {feature-gates: NodeSwap=true}\n", writes: []string{"featureGates: {NodeSwap: true}"}},
		"fields among kubelet's settings": {vars: "kubelet_config_extra_args: {maxPods: 200, featureGates: {NodeSwap: true}, clusterDNS: [10.0.0.10]}\n", writes: []string{"maxPods: 200", "NodeSwap: true"}, says: []string{"clusterDNS is not used"}},
		"a host that is a load balancer":  {inventory: "\nlb-1 ansible_host=192.0.2.7\n[loadbalancer]\nlb-1", says: []string{"mode: managed"}},
		"who may log in without":          {vars: "remove_anonymous_access: true\n", says: []string{"still reaches the API's health", "anonymous-auth"}},
	} {
		vars := "kube_version: v1.37.1\nkube_network_plugin: flannel\n" + test.vars
		files := []*strict.File{
			strict.NewFile("/files/hosts.ini", []byte("a ansible_host=192.0.2.1 ansible_user=root"+test.inventory+"\n[kube_control_plane]\na\n[etcd]\na\n[kube_node]\na\n")),
			strict.NewFile("/files/group_vars/all/all.yml", []byte(vars)),
		}
		file, list := read(files, testOptions())
		text := printed(t, list)
		if file == nil {
			t.Errorf("%s: refused:\n%s", name, text)
			continue
		}
		written := string(Format(file.asRead))
		for _, want := range test.writes {
			if !strings.Contains(plainYAML(written), plainYAML(want)) {
				t.Errorf("%s: it becomes no %s:\n%s", name, want, written)
			}
		}
		for _, want := range test.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not told:\n%s", name, want, text)
			}
		}
		if test.never != "" && strings.Contains(written+text, test.never) {
			t.Errorf("%s: %q:\n%s\n%s", name, test.never, written, text)
		}
	}
}

// plainYAML is a text without quotes, which Format writes where YAML needs them.
func plainYAML(s string) string { return strings.NewReplacer(`"`, "", `'`, "").Replace(s) }

// TestLabelsThatAreNone: a part of node_labels that is no label was dropped in
// silence.
func TestLabelsThatAreNone(t *testing.T) {
	for _, labels := range []string{"a=b,broken", `'{"a": ["b"]}'`, `'{"a": '`} {
		files := []*strict.File{strict.NewFile("/files/hosts.ini", []byte("[kube_control_plane]\na ansible_host=192.0.2.1 node_labels="+labels+"\n[etcd]\na\n[kube_node]\na\n"))}
		if file, list := read(files, testOptions()); file != nil || !strings.Contains(printed(t, list), "node_labels") {
			t.Errorf("%s: accepted %t:\n%s", labels, file != nil, printed(t, list))
		}
	}
}

// TestWhatIsWrongWithTheWhole checks findings about a cluster that pointed at the
// wrong place, or that nobody made.
func TestWhatIsWrongWithTheWhole(t *testing.T) {
	const head = "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nspec:\n"
	for name, test := range map[string]struct {
		text, says string
		isValid    bool
	}{
		"nobody takes workloads":  {"  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane]}]\n", "no host takes workloads", true},
		"pods have public ranges": {"  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}]\n  network: {podCIDR: 20.0.0.0/18}\n", "a.yaml:5:22: network.podCIDR 20.0.0.0/18 has public addresses", true},
		"private ranges are fine": {"  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}]\n  network: {podCIDR: 172.16.0.0/18, serviceCIDR: 100.64.0.0/16}\n", "examples", true},
		"the range is too small":  {"  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}]\n  network: {podCIDR: 10.1.0.0/25}\n", "a.yaml:5:22: kubernetes.nodeCIDRMaskSize 24 does not divide network.podCIDR 10.1.0.0/25", false},
		"a balancer's IPv6":       {"  hosts: [{name: a, address: 192.0.2.1, roles: [control-plane, worker]}]\n  endpoint: {loadBalancer: {mode: external, address: \"2001:db8::1\"}}\n", "loadBalancer.address 2001:db8::1: clusters on IPv6 are not supported", false},
	} {
		file, list := read([]*strict.File{strict.NewFile("/files/a.yaml", []byte(head+test.text))}, testOptions())
		text := printed(t, list)
		if (file != nil) != test.isValid || !strings.Contains(text, test.says) {
			t.Errorf("%s: valid %t, want %t and %q:\n%s", name, file != nil, test.isValid, test.says, text)
		}
		if name == "private ranges are fine" && strings.Contains(text, "public") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestKubeKey4OfAllReleases: 4.0.0 to 4.0.3 call a registry repo, and the interface
// of kube-vip stands in its environment.
func TestKubeKey4OfAllReleases(t *testing.T) {
	files := []*strict.File{
		strict.NewFile("/files/inventory.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Inventory\nmetadata: {name: a}\nspec:\n"+
			"  hosts: {a: {internal_ipv4: 192.0.2.1}}\n  groups: {kube_control_plane: {hosts: [a]}, kube_worker: {hosts: [a]}, etcd: {hosts: [a]}}\n")),
		strict.NewFile("/files/config.yaml", []byte("apiVersion: kubekey.kubesphere.io/v1\nkind: Config\nspec:\n  cni: {type: flannel}\n"+
			"  kubernetes: {kube_version: v1.37.1, control_plane_endpoint: {type: kube_vip, kube_vip: {address: 192.0.2.9, image: \"hub.example/kube-vip:v1.0.3\", env: {vip_interface: eth1}}}}\n"+
			"  cri: {registry: {auths: [{repo: hub.example, skip_tls_verify: true, username: me, password: "+testSecret+"}, {registry: two.example, username: me}, {registry: three.example, username: me, skip_tls_verify: false}]}}\n")),
	}
	file, list := read(files, testOptions())
	if file == nil {
		t.Fatalf("refused:\n%s", printed(t, list))
	}
	if lb := file.Cluster.Endpoint.LoadBalancer; lb.Interface != "eth1" || strings.Contains(printed(t, list), "kube_vip.env") {
		t.Errorf("the interface is %q:\n%s", lb.Interface, printed(t, list))
	}
	if lb := file.Cluster.Endpoint.LoadBalancer; lb.KubeVIP.Image != "hub.example/kube-vip:v1.0.3" || strings.Contains(printed(t, list), "kube_vip.image") {
		t.Errorf("the image of kube-vip is %q, and plan refuses without one:\n%s", lb.KubeVIP.Image, printed(t, list))
	}
	// KubeKey 4 does not verify unless it is told to; that Quorate does is told, and only where nothing is written.
	if text := printed(t, list); !strings.Contains(text, "the certificate of two.example is verified") || strings.Contains(text, "the certificate of three.example") || strings.Contains(text, "the certificate of hub.example is verified") {
		t.Errorf("whose certificate is verified though nothing says so is not told:\n%s", text)
	}
	if r := file.Cluster.Registry; len(r.Insecure) != 1 || r.Insecure[0] != "hub.example" {
		t.Errorf("insecure registries %q:\n%s", r.Insecure, printed(t, list))
	}
}

// TestAMirrorOfAllRegistriesIsNamedOneByOne: containerd has a rule for all registries,
// which kubespray's prefix * may stand for; "such as docker.io" did not say what to do.
func TestAMirrorOfAllRegistriesIsNamedOneByOne(t *testing.T) {
	files := []*strict.File{
		strict.NewFile("/files/hosts.ini", []byte("[kube_control_plane]\na ansible_host=192.0.2.1 ansible_user=root\n[etcd]\na\n[kube_node]\na\n")),
		strict.NewFile("/files/group_vars/all/all.yml", []byte("kube_version: v1.37.1\nkube_network_plugin: flannel\ncontainerd_registries_mirrors: [{prefix: \"*\", mirrors: [{host: https://m.example}]}]\n")),
	}
	if file, list := read(files, testOptions()); file != nil || !strings.Contains(printed(t, list), "name each registry") {
		t.Errorf("accepted %t:\n%s", file != nil, printed(t, list))
	}
}
