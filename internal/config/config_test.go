package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// compareAddresses lets cmp look at addresses and ranges.
var compareAddresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// TestMinimal checks the whole model of the smallest file.
func TestMinimal(t *testing.T) {
	got, list := Load([]string{"../../examples/minimal.yaml"}, testOptions())
	if len(list) != 0 {
		t.Errorf("findings: %v", list)
	}
	ssh := cluster.SSH{Timeout: 10 * time.Second}
	want := &cluster.Cluster{
		Name: "kubernetes",
		Kubernetes: cluster.Kubernetes{
			APIServerPort: 6443,
			Version:       "v1.37.1", DNSDomain: "cluster.local", MaxPods: 110, NodeCIDRMaskSize: 24, ProxyMode: "nftables",
		},
		Hosts: []cluster.Host{
			{Name: "cp-1", Address: "192.168.0.2", InternalAddress: netip.MustParseAddr("192.168.0.2"), Roles: []cluster.Role{"control-plane", "etcd"}, SSH: ssh},
			{Name: "node-1", Address: "192.168.0.5", InternalAddress: netip.MustParseAddr("192.168.0.5"), Roles: []cluster.Role{"worker"}, SSH: ssh},
		},
		Endpoint: cluster.Endpoint{Domain: "lb.kubesphere.local", Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: "localhost", Type: "haproxy"}},
		Etcd:     cluster.Etcd{Mode: "external", DataDir: "/var/lib/etcd", Heartbeat: 100 * time.Millisecond, Election: time.Second, QuotaBackendBytes: 2 << 30},
		Network: cluster.Network{
			Plugin: "flannel", PodCIDR: netip.MustParsePrefix("10.233.64.0/18"), ServiceCIDR: netip.MustParsePrefix("10.233.0.0/18"),
			Flannel: cluster.Flannel{Backend: "vxlan"},
		},
	}
	if diff := cmp.Diff(want, got, compareAddresses); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
}

// TestSSHInheritance checks which parts of an ssh block hosts and bastions take
// over, and where paths lead.
func TestSSHInheritance(t *testing.T) {
	file, list := readTestFile(t, "testdata/complete.good.yaml")
	if file == nil {
		t.Fatal(list)
	}
	outer := &cluster.Bastion{Address: "203.0.113.1", SSH: cluster.SSH{
		User: "jump", Port: 2022, PrivateKeyPath: "/files/keys/id_ed25519", PrivateKeyPassphrase: cluster.Secret{File: "/files/keys/passphrase"},
		KnownHostsPath: "/files/known_hosts", HostKeyFingerprint: "SHA256:" + strings.Repeat("A", 43), Timeout: 90 * time.Second,
	}}
	inner := &cluster.Bastion{Address: "bastion.example.com", SSH: outer.SSH}
	inner.SSH.Port, inner.SSH.HostKeyFingerprint, inner.SSH.Bastion = 0, "", outer
	want := map[string]cluster.SSH{
		"cp-1": {Local: true, SudoPassword: cluster.Secret{Prompt: true}},
		"cp-2": { // another key, so not the first one's passphrase
			User: "ubuntu", Port: 22, PrivateKeyPath: "/keys/other",
			Password: cluster.Secret{Env: "SSH_PASSWORD"}, SudoPassword: cluster.Secret{Prompt: true},
			KnownHostsPath: "/files/known_hosts", Timeout: 90 * time.Second, Bastion: inner,
		},
		"cp-3": {
			User: "ubuntu", Port: 2222, PrivateKeyPath: "/files/keys/id_ed25519", PrivateKeyPassphrase: cluster.Secret{File: "/files/keys/passphrase"},
			Password: cluster.Secret{Env: "SSH_PASSWORD"}, SudoPassword: cluster.Secret{Prompt: true},
			KnownHostsPath: "/files/known_hosts", Timeout: 90 * time.Second, Bastion: inner,
		},
	}
	for name, ssh := range want {
		if diff := cmp.Diff(ssh, file.Cluster.Host(name).SSH); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHomePaths(t *testing.T) {
	const text = header + "spec: {ssh: {privateKeyPath: ~/.ssh/id}, hosts: [{name: a, address: 10.0.0.1, roles: [control-plane]}]}"
	o := testOptions()
	c, list := Parse("x.yaml", []byte(text), o)
	if c == nil || c.Hosts[0].SSH.PrivateKeyPath != "/home/me/.ssh/id" {
		t.Errorf("with a home folder: %v, %v", c, list)
	}
	o.Home = ""
	t.Setenv("HOME", "")
	_, list = Parse("x.yaml", []byte(text), o)
	if len(list) != 1 || !strings.Contains(list[0].Summary, "your home folder is not known") {
		t.Errorf("without one: %v", list)
	}
}

// TestVersions checks which versions pass and how they come out.
func TestVersions(t *testing.T) {
	for given, want := range map[string]string{
		"v1.37.1": "v1.37.1", "1.36.3": "v1.36.3", "": "", "v1.37.2": "", "1.36": "", "vv1.36.3": "", "v1.36.3 ": "", "V1.36.3": "", "2.0.0": "",
	} {
		text := header + `spec: {kubernetes: {version: "` + given + `"}, hosts: [{name: a, address: 10.0.0.1, roles: [control-plane]}]}`
		c, list := Parse("x.yaml", []byte(text), testOptions())
		switch {
		case want == "" && c != nil:
			t.Errorf("%q was accepted as %s", given, c.Kubernetes.Version)
		case want == "" && (len(list) != 1 || !strings.Contains(list[0].Hint, "v1.35.4")):
			t.Errorf("%q: findings %v, want one with the supported versions", given, list)
		case want != "" && (c == nil || c.Kubernetes.Version != want):
			t.Errorf("%q: %v, %v; want %s", given, c, list, want)
		}
	}
}

func TestExamples(t *testing.T) {
	for _, path := range files(t, "../../examples/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if c, list := Load([]string{path}, testOptions()); c == nil || len(list) != 0 {
				t.Errorf("findings: %v", list)
			}
		})
	}
}

// TestFormatRoundTrip checks that the effective file means the same as the file
// it came from, with nothing left to fill in.
func TestFormatRoundTrip(t *testing.T) {
	paths := append(files(t, "../../examples/*.yaml"), files(t, "testdata/*.good.yaml")...)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before, list := read([]*strict.File{strict.NewFile(path, data)}, testOptions())
			if before == nil {
				t.Fatal(list)
			}
			after, list := read([]*strict.File{strict.NewFile(path, Format(before.Document))}, testOptions())
			if after == nil {
				t.Fatalf("%v in\n%s", list, Format(before.Document))
			}
			if diff := cmp.Diff(before.Document, after.Document); diff != "" {
				t.Errorf("document (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(before.Cluster, after.Cluster, compareAddresses, cmp.Comparer(sameSecret)); diff != "" {
				t.Errorf("cluster (-before +after):\n%s", diff)
			}
			if len(after.Filled) != 0 {
				t.Errorf("filled in again: %v", after.Filled)
			}
		})
	}
}

func sameSecret(a, b cluster.Secret) bool { return a == b }

// TestFormatLiterals checks texts that YAML would take for something else.
func TestFormatLiterals(t *testing.T) {
	doc := &v1alpha1.Cluster{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind}
	doc.Spec.Hosts = []v1alpha1.Host{{Name: "1", Address: "10.0.0.1", Roles: []string{"control-plane"}, Labels: map[string]string{
		"a": "true", "b": "1.10", "c": "null", "d": "", "e": "no", "f": "0x1f", "g": "~",
	}}}
	doc.Spec.SSH.Password = "p: {#\"'*&!\u00e9, "
	var got v1alpha1.Cluster
	r := strict.NewReport(diag.NewSource("x.yaml", nil))
	roots, _ := strict.ParseYAML(r, Format(doc))
	strict.Decode(r, roots[0], &got, strict.Options{})
	if diff := cmp.Diff(doc, &got); diff != "" || r.Found() {
		t.Errorf("(-want +got) %s\n%v\n%s", diff, r.Finish(), Format(doc))
	}
}

// TestDefaultsExplained checks that every default that is filled in says where
// and why, and that exactly the fields that have no default are left empty.
func TestDefaultsExplained(t *testing.T) {
	file, list := Read([]string{"../../examples/minimal.yaml"}, testOptions())
	if file == nil {
		t.Fatal(list)
	}
	filled := map[string]bool{}
	for _, f := range file.Filled {
		if f.Value == "" || f.Why == "" || filled[f.Path] {
			t.Errorf("default %+v is unexplained or filled in twice", f)
		}
		filled[f.Path] = true
	}
	noDefault := map[string]bool{
		"spec.kubernetes.featureGates": true, "spec.kubernetes.apiServer.extraArgs": true, "spec.kubernetes.controllerManager.extraArgs": true,
		"spec.kubernetes.scheduler.extraArgs": true, "spec.kubernetes.kubelet.extraArgs": true, "spec.kubernetes.kubelet.configuration": true,
		"spec.kubernetes.kubeProxy.configuration": true, "spec.etcd.snapshotCount": true, "spec.etcd.autoCompactionRetention": true,
		"spec.etcd.maxRequestBytes": true, "spec.etcd.maxSnapshots": true, "spec.etcd.maxWALs": true, "spec.etcd.metrics": true,
		"spec.etcd.logLevel": true, "spec.network.flannel.directRouting": true, "spec.registry.mirrors": true, "spec.registry.insecure": true,
		"spec.kubernetes.extraSANs": true, "spec.ssh.user": true, "spec.ssh.port": true, "spec.ssh.privateKeyPath": true, "spec.ssh.privateKeyPassphraseFrom": true,
		"spec.ssh.passwordFrom": true, "spec.ssh.password": true, "spec.ssh.sudoPasswordFrom": true, "spec.ssh.sudoPassword": true,
		"spec.ssh.knownHostsPath": true, "spec.ssh.hostKeyFingerprint": true, "spec.ssh.bastion": true,
		"spec.endpoint.loadBalancer.vip": true, "spec.endpoint.loadBalancer.address": true, "spec.endpoint.loadBalancer.noHairpin": true,
		"spec.endpoint.loadBalancer.kubeVIP.image": true, "spec.endpoint.loadBalancer.kubeVIP.bgp.as": true, "spec.endpoint.loadBalancer.kubeVIP.bgp.peers": true,
		"spec.endpoint.loadBalancer.interface": true, "spec.endpoint.loadBalancer.preempt": true, "spec.endpoint.loadBalancer.virtualRouterID": true,
		"spec.endpoint.listeners": true, "spec.drills.budgets": true,
	}
	var walk func(v reflect.Value, p strict.Path)
	walk = func(v reflect.Value, p strict.Path) {
		for _, f := range strict.Fields(v.Type()) {
			field, at := v.FieldByIndex(f.Index), p.Key(f.Key)
			switch {
			case f.Type.Kind() == reflect.Struct:
				walk(field, at)
			case at == "spec.hosts" || at == "apiVersion" || at == "kind" || at == "$schema":
			case isEmpty(field) != noDefault[string(at)]:
				t.Errorf("%s is %v: a field has a default or is listed here", at, field)
			case !isEmpty(field) && !filled[string(at)]:
				t.Errorf("%s was given a default that is not explained", at)
			}
		}
	}
	walk(reflect.ValueOf(*file.Document), "")
}

// BenchmarkParse reads a file of a thousand hosts.
func BenchmarkParse(b *testing.B) {
	data := []byte(header + "spec:\n  hosts:\n  - {name: cp-1, address: 10.0.0.1, roles: [control-plane]}\n")
	for i := range 999 {
		data = fmt.Appendf(data, "  - {name: node-%d, address: 10.1.%d.%d, roles: [worker], labels: {zone: a}}\n", i, i/250, i%250+1)
	}
	data = append(data, "  network: {podCIDR: 172.16.0.0/12}\n"...)
	b.ReportAllocs()
	for b.Loop() {
		if c, list := Parse("bench.yaml", data, testOptions()); c == nil {
			b.Fatal(list)
		}
	}
}

// TestOtherVersion checks the version that takes the place of a file's own: in
// what is built, shown and written, and for formats that we do not write.
func TestOtherVersion(t *testing.T) {
	old := `{apiVersion: kubekey.kubesphere.io/v1alpha2, kind: Cluster, spec: {
  hosts: [{name: a, address: 10.0.0.1}], roleGroups: {etcd: [a], master: [a]}, kubernetes: {version: v1.23.17}, network: {plugin: flannel}}}`
	path := filepath.Join(t.TempDir(), "config-sample.yaml")
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	if file, list := Read([]string{path}, o); file != nil || !strings.Contains(printed(t, list), "--with-kubernetes v1.37.1") {
		t.Errorf("an old version: file %v, %v; want a hint at --with-kubernetes", file, list)
	}
	o.Kubernetes = "v1.36.3"
	file, list := Read([]string{path}, o)
	if file == nil {
		t.Fatal(list)
	}
	if file.Cluster.Kubernetes.Version != "v1.36.3" || !strings.Contains(string(file.Show(false)), "version: v1.36.3") {
		t.Errorf("the version is %s, and what is shown %s", file.Cluster.Kubernetes.Version, file.Show(false))
	}
	if !strings.Contains(printed(t, list), `Kubernetes v1.36.3 is installed, as --with-kubernetes says, instead of "v1.23.17"`) {
		t.Errorf("that the file says otherwise is not told: %v", list)
	}
	if written, list := Import([]string{path}, path, o); !strings.Contains(string(written.Text), "version: v1.36.3") || list.HasErrors() {
		t.Errorf("the import writes %s with %v", written.Text, list)
	}
}
