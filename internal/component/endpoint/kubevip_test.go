package endpoint

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

func kubeVIPCluster(k cluster.KubeVIP) *cluster.Cluster {
	c := externalCluster(3, 1)
	c.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerKubeVIP, VIP: netip.MustParseAddr("10.0.0.100"), KubeVIP: k}
	return c
}

func routers() cluster.KubeVIP {
	return cluster.KubeVIP{Image: "registry.example/kube-vip/kube-vip:v0.8.9", AS: 65000, Peers: []cluster.BGPPeer{
		{Address: netip.MustParseAddr("10.0.0.253"), AS: 65001}, {Address: netip.MustParseAddr("10.0.0.254"), AS: 65002},
	}}
}

// The manifests are what the API server's own decoding takes, field by field,
// and hold no rights but those of admin.conf.
func TestKubeVIPManifests(t *testing.T) {
	for name, tt := range map[string]struct {
		kubeVIP cluster.KubeVIP
		iface   string
		env     map[string]string
	}{
		"arp": {cluster.KubeVIP{}, "eth0", map[string]string{
			"vip_arp": "true", "vip_interface": "eth0", "address": "10.0.0.100", "port": "6443", "vip_nodename": "cp-2",
			"vip_leaderelection": "true", "vip_leaseduration": "5", "vip_renewdeadline": "3", "vip_retryperiod": "1", "bgp_enable": "",
		}},
		"bgp": {routers(), "lo", map[string]string{
			"bgp_enable": "true", "bgp_as": "65000", "bgp_routerid": "10.0.0.12", "bgp_peers": "10.0.0.253:65001::false,10.0.0.254:65002::false",
			"vip_interface": "lo", "vip_leaderelection": "true", "vip_arp": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := kubeVIPCluster(tt.kubeVIP)
			f := kubeVIPManifest(c, c.Host("cp-2"), tt.iface, strings.Repeat("ab", 32))
			goldenFiles(t, "kube-vip-"+name, txtar.File{Name: f.Path, Data: f.Content})
			var pod corev1.Pod
			if err := yaml.UnmarshalStrict(f.Content, &pod); err != nil {
				t.Fatal(err)
			}
			if pod.Kind != "Pod" || pod.APIVersion != "v1" || !pod.Spec.HostNetwork || len(pod.Spec.Containers) != 1 {
				t.Errorf("it is %+v", pod)
			}
			container := pod.Spec.Containers[0]
			if want := imageOfKubeVIP(c); container.Image != want || container.ImagePullPolicy != corev1.PullIfNotPresent {
				t.Errorf("image %s, policy %s, want %s", container.Image, container.ImagePullPolicy, want)
			}
			have := map[string]string{}
			for _, e := range container.Env {
				if _, twice := have[e.Name]; twice {
					t.Errorf("%s is given twice", e.Name)
				}
				have[e.Name] = e.Value
			}
			for key, want := range tt.env {
				if have[key] != want {
					t.Errorf("%s is %q, want %q", key, have[key], want)
				}
			}
			if path := pod.Spec.Volumes[0].HostPath.Path; path != component.AdminConf || strings.Contains(string(f.Content), "super-admin") {
				t.Errorf("it is given %s", path)
			}
			if f.Mode != 0o600 {
				t.Errorf("mode %o", f.Mode)
			}
		})
	}
}

// planned plans kube-vip on bare hosts whose eth0 is in 10.0.0.0/24.
func planned(c *cluster.Cluster, artefacts *bundle.Manifest, change func(name string, f *protocol.Facts)) *component.Output {
	in := component.Input{Cluster: c, Artefacts: artefacts, Snapshot: &state.Snapshot{Hosts: map[string]*state.Host{}}}
	for _, h := range c.Hosts {
		f := &protocol.Facts{Interfaces: []protocol.Interface{
			{Name: "lo", Addresses: []string{"127.0.0.1/8"}}, {Name: "eth0", Addresses: []string{h.Address + "/24"}},
		}}
		if change != nil {
			change(h.Name, f)
		}
		in.Snapshot.Hosts[h.Name] = &state.Host{Name: h.Name, Facts: f}
	}
	out := &component.Output{}
	Plan(in, out)
	return out
}

func TestKubeVIPPlan(t *testing.T) {
	hasImage := func(_ string, f *protocol.Facts) { f.Images = map[string]string{kubeVIPImage: "sha256:1"} }
	const vip, image = "endpoint/vip@cp-1 endpoint/vip@cp-2 endpoint/vip@cp-3", "endpoint/vip-image@cp-1 endpoint/vip@cp-1 endpoint/vip-image@cp-2 endpoint/vip@cp-2 endpoint/vip-image@cp-3 endpoint/vip@cp-3"
	elsewhere := kubeVIPCluster(cluster.KubeVIP{})
	elsewhere.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("172.16.0.1")
	announced := kubeVIPCluster(routers())
	announced.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("172.16.0.1")
	for _, tt := range []struct {
		name    string
		cluster *cluster.Cluster
		change  func(string, *protocol.Facts)
		steps   string
		refused string
	}{
		{"the image is on the hosts", kubeVIPCluster(cluster.KubeVIP{}), hasImage, vip, ""},
		{"the image is nowhere", kubeVIPCluster(cluster.KubeVIP{}), nil, "", "kube-vip's image ghcr.io/kube-vip/kube-vip:v1.0.3 is neither in the bundle nor on all control-plane hosts"},
		{"a registry is named", kubeVIPCluster(cluster.KubeVIP{Image: "registry.example/kube-vip:v1"}), nil, image, ""},
		{"an address of another subnet", elsewhere, hasImage, "", "no interface of cp-1 has an address in a subnet with loadBalancer.vip 172.16.0.1"},
		{"an address of another subnet, by BGP", announced, nil, image, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := planned(tt.cluster, nil, tt.change)
			var ids []string
			for _, s := range out.Steps {
				ids = append(ids, string(s.ID))
			}
			if tt.refused != "" {
				if err := out.Refusals.Err(); err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("refused: %v, want %q", err, tt.refused)
				}
				return
			}
			if got := strings.Join(ids, " "); got != tt.steps || out.Refusals.HasErrors() {
				t.Errorf("steps %s, want %s; refused: %v", got, tt.steps, out.Refusals)
			}
		})
	}
}

// What changes on hosts that run kube-vip is changed on one after another.
func TestKubeVIPRestartsInTurn(t *testing.T) {
	c := kubeVIPCluster(cluster.KubeVIP{})
	out := planned(c, nil, func(host string, f *protocol.Facts) {
		f.Images = map[string]string{kubeVIPImage: "sha256:1"}
		if !c.Host(host).Has(cluster.RoleControlPlane) {
			return
		}
		f.Files = map[string]protocol.File{kubeVIPFile: {Exists: true, Mode: 0o600, SHA256: "other"}}
	})
	if len(out.Steps) != 3 {
		t.Fatalf("%d steps", len(out.Steps))
	}
	last := out.Steps[2]
	if last.Impact != plan.ImpactRestart {
		t.Errorf("impact %s", last.Impact)
	}
	for _, before := range []plan.ID{"endpoint/vip@cp-1", "endpoint/vip@cp-2"} {
		found := false
		for _, need := range last.Needs {
			found = found || need == before
		}
		if !found {
			t.Errorf("%s does not wait for %s", last.ID, before)
		}
	}
}
