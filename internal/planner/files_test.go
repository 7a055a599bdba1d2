package planner_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/kube/kubetest"
)

// built builds a layout, one that needs every special setting if odd is set.
func built(t *testing.T, layout string, odd bool) *world {
	t.Helper()
	w := newWorld(t, parse(t, layouts()[layout]))
	w.bundle = smallBundle(t, w.release, "amd64")
	if odd {
		for _, m := range w.machines {
			m.base.Cgroup, m.base.Capabilities = "v1", 0
			m.write("/proc/sys/net/netfilter/nf_conntrack_max", "1\n", 0o444)
		}
	}
	w.build()
	return w
}

func (w *world) content(host, path string) string {
	f, ok := w.machine(host).files[path]
	if !ok {
		w.t.Fatalf("%s has no %s", host, path)
	}
	return string(f.content)
}

var secrets = regexp.MustCompile(`(certificate-authority-data: |[tT]oken: )\S+`)

// What stands on hosts in the end, for review in testdata/files.
func TestFiles(t *testing.T) {
	const unitDir = "/etc/systemd/system/"
	for _, tt := range []struct {
		name, layout string
		odd          bool
		files        []string // host:path
	}{
		{"external", "external", false, []string{
			"cp-1:/etc/quorate/kubeadm.yaml", "cp-1:/etc/etcd/etcd.yaml", "cp-1:" + unitDir + "etcd.service",
			"node-1:/etc/quorate/haproxy/haproxy.cfg", "node-1:" + unitDir + "quorate-haproxy.service",
			"node-1:/etc/containerd/config.toml", "node-1:" + unitDir + "containerd.service",
			"node-1:" + unitDir + "kubelet.service", "node-1:" + unitDir + "kubelet.service.d/10-kubeadm.conf",
			"node-1:/etc/cni/net.d/10-flannel.conflist", "node-1:/etc/hosts", "node-1:/etc/sysctl.d/90-quorate.conf",
		}},
		{"stacked", "stacked", false, []string{"cp-1:/etc/quorate/kubeadm.yaml", "cp-3:/etc/quorate/kubeadm.yaml", "cp-1:" + unitDir + "kubelet.service.d/10-kubeadm.conf"}},
		{"odd", "external", true, []string{"cp-1:/etc/quorate/kubeadm.yaml", "cp-1:" + unitDir + "etcd.service", "node-1:/etc/containerd/config.toml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := built(t, tt.layout, tt.odd)
			archive := &txtar.Archive{}
			for _, f := range tt.files {
				host, path, _ := strings.Cut(f, ":")
				archive.Files = append(archive.Files, txtar.File{Name: f, Data: []byte(w.content(host, path))})
			}
			join := secrets.ReplaceAllString(w.machine("node-1").joined, "${1}…")
			archive.Files = append(archive.Files, txtar.File{Name: "node-1 joins with", Data: []byte(join)})
			golden := filepath.Join("testdata", "files", tt.name+".txtar")
			got := txtar.Format(archive)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("files (-want +got), -update writes them anew:\n%s", d)
			}
		})
	}
}

// What is between the hosts is encrypted and verified, as SECURITY.md says: etcd asks
// clients and peers for certificates, proxies verify the API servers, a worker joins with
// the CA in its hand, and nothing but a host's own loopback is asked in the clear.
func TestBetweenTheHosts(t *testing.T) {
	w := built(t, "external", false)
	for place, wants := range map[string][]string{
		"cp-1:/etc/etcd/etcd.yaml": {
			"\nclient-transport-security:\n  cert-file: /etc/etcd/pki/server.crt\n  key-file: /etc/etcd/pki/server.key\n  trusted-ca-file: /etc/etcd/pki/ca.crt\n  client-cert-auth: true\n",
			"\npeer-transport-security:\n  cert-file: /etc/etcd/pki/peer.crt\n  key-file: /etc/etcd/pki/peer.key\n  trusted-ca-file: /etc/etcd/pki/ca.crt\n  client-cert-auth: true\n",
			"\nlisten-client-urls: https://", "\nlisten-peer-urls: https://",
		},
		"node-1:/etc/quorate/haproxy/haproxy.cfg": {" check-ssl verify required ca-file /etc/quorate/haproxy/ca.crt verifyhost "},
	} {
		host, path, _ := strings.Cut(place, ":")
		for _, want := range wants {
			if text := "\n" + w.content(host, path); !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in it:\n%s", place, want, text)
			}
		}
	}
	clear := regexp.MustCompile(`http://[^\s"',]+`)
	for _, m := range w.machines {
		for path, f := range m.files {
			text := string(f.content)
			for _, word := range []string{"insecure-skip-tls-verify", "unsafeSkipCAVerification", "verify none", "auto-tls: true"} {
				if strings.Contains(text, word) {
					t.Errorf("%s:%s: %s", m.name, path, word)
				}
			}
			for _, url := range clear.FindAllString(text, -1) {
				if !strings.HasPrefix(url, "http://127.0.0.1:") {
					t.Errorf("%s:%s: %s is asked in the clear", m.name, path, url)
				}
			}
		}
		if m.name == "node-1" && !strings.Contains(m.joined, "certificate-authority-data: ") {
			t.Errorf("%s joins without the CA: %s", m.name, m.joined)
		}
	}
}

// HAProxy itself accepts its settings, and would not accept just anything.
func TestHAProxyAcceptsItsSettings(t *testing.T) {
	haproxy := "/usr/sbin/haproxy"
	if _, err := os.Stat(haproxy); err != nil {
		t.Skip("haproxy is not installed on this machine")
	}
	w := built(t, "external", false)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, w.machine("node-1").files["/etc/quorate/haproxy/ca.crt"].content, 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(text string) ([]byte, error) {
		path := filepath.Join(dir, "haproxy.cfg")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/etc/quorate/haproxy/ca.crt", ca)), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.CommandContext(t.Context(), haproxy, "-c", "-f", path).CombinedOutput()
	}
	text := w.content("node-1", "/etc/quorate/haproxy/haproxy.cfg")
	if out, err := check(text); err != nil || bytes.Contains(out, []byte("WARNING")) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := check(strings.Replace(text, "option redispatch", "option redispatching", 1)); err == nil {
		t.Error("it accepts an option that there is none of")
	}
}

// program takes a program out of the real bundle of a release; the test is
// skipped where there is no such bundle.
func program(t *testing.T, r catalog.Release, name string) string {
	t.Helper()
	dir, err := bundle.DefaultDir(r.Kubernetes, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if errors.Is(err, bundle.ErrNotFound) {
		t.Skipf("no bundle of %s on this machine", r.Kubernetes)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f, ok := b.Binary(name)
	if !ok {
		t.Fatalf("the bundle has no %s", name)
	}
	stored, err := b.OpenFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	content := io.Reader(stored)
	if f.Compression == "zstd" {
		d, err := zstd.NewReader(stored)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		content = d
	}
	path := filepath.Join(t.TempDir(), name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, content); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// The real kubeadm accepts what its phases are run with.
func TestKubeadmAcceptsItsSettings(t *testing.T) {
	type variant struct {
		layout string
		odd    bool
	}
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	kubeadm := program(t, release, "kubeadm")
	for _, v := range []variant{{"external", false}, {"external", true}, {"stacked", false}, {"single", true}} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			w := built(t, v.layout, v.odd)
			texts := map[string]string{}
			for _, m := range w.machines {
				for _, path := range []string{"/etc/quorate/kubeadm.yaml", "/etc/quorate/kubeadm-cluster.yaml"} {
					if f, ok := m.files[path]; ok {
						texts[m.name+filepath.Base(path)] = string(f.content)
					}
				}
				if m.joined != "" {
					join, discovery, _ := strings.Cut(m.joined, "--- discovery\n")
					path := filepath.Join(t.TempDir(), "discovery.conf")
					if err := os.WriteFile(path, []byte(discovery), 0o600); err != nil {
						t.Fatal(err)
					}
					texts[m.name+"join.yaml"] = strings.ReplaceAll(join, "/etc/quorate/join/discovery.conf", path)
				}
			}
			validate := func(name, text string) ([]byte, error) {
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return exec.CommandContext(t.Context(), kubeadm, "config", "validate", "--config", path).CombinedOutput()
			}
			for name, text := range texts {
				if out, err := validate(name, text); err != nil {
					t.Errorf("%s: %v\n%s", name, err, out)
				}
			}
			wrong := strings.Replace(texts[w.machines[0].name+"kubeadm.yaml"], "certSANs:", "certSNAs:", 1)
			if _, err := validate("wrong.yaml", wrong); err == nil {
				t.Error("kubeadm accepts a field that there is none of")
			}
		})
	}
}

// containerd itself reads its settings, and keeps what they say.
func TestContainerdAcceptsItsSettings(t *testing.T) {
	w := built(t, "external", true)
	containerd := program(t, w.release, "containerd")
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(w.content("node-1", "/etc/containerd/config.toml")), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), containerd, "--config", path, "config", "dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"restrict_oom_score_adj = true", "SystemdCgroup = true", w.release.PauseImage(), "/usr/local/sbin/runc", "/etc/containerd/certs.d"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("what containerd understood lacks %s", want)
		}
	}
}

// Every setting of etcd is one that the real etcd has.
func TestEtcdKnowsItsSettings(t *testing.T) {
	w := built(t, "external", false)
	help, err := exec.CommandContext(t.Context(), program(t, w.release, "etcd"), "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(w.content("cp-2", "/etc/etcd/etcd.yaml")), &keys); err != nil {
		t.Fatal(err)
	}
	for key := range keys {
		if !strings.HasSuffix(key, "-transport-security") && !strings.Contains(string(help), "--"+key+" ") {
			t.Errorf("etcd has no setting %s", key)
		}
	}
	if keys["name"] != "cp-2" || keys["initial-cluster"] != "cp-1=https://10.0.0.1:2380,cp-2=https://10.0.0.2:2380,cp-3=https://10.0.0.3:2380" {
		t.Errorf("name %v, first membership %v", keys["name"], keys["initial-cluster"])
	}
}

// flannel's objects are what the Kubernetes API has, to the last field.
func TestFlannelObjectsAreStrict(t *testing.T) {
	w := built(t, "external", false)
	types := map[string]func() any{
		"Namespace": func() any { return &corev1.Namespace{} }, "ServiceAccount": func() any { return &corev1.ServiceAccount{} },
		"ConfigMap": func() any { return &corev1.ConfigMap{} }, "DaemonSet": func() any { return &appsv1.DaemonSet{} },
		"ClusterRole": func() any { return &rbacv1.ClusterRole{} }, "ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
	}
	seen := map[string]bool{}
	for _, r := range w.api.Requests() {
		if r.Method != "PATCH" || !strings.Contains(r.Path, "flannel") {
			continue
		}
		object := kubetest.Object{}
		if err := yaml.Unmarshal(r.Body, &object); err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprint(object["kind"])
		into, ok := types[kind]
		if !ok {
			t.Errorf("a %s is applied", kind)
			continue
		}
		seen[kind] = true
		if err := yaml.UnmarshalStrict(r.Body, into()); err != nil {
			t.Errorf("%s: %v", r.Path, err)
		}
		// Where a host has several networks, pods talk over the one that the file names.
		if kind == "DaemonSet" && (!strings.Contains(string(r.Body), "--iface=$(NODE_IP)") || !strings.Contains(string(r.Body), "fieldPath: status.hostIP") && !strings.Contains(string(r.Body), `"fieldPath":"status.hostIP"`)) {
			t.Errorf("flannel does not go by the node's internal address: %s", r.Body)
		}
	}
	if len(seen) != len(types) {
		t.Errorf("applied are %v only", seen)
	}
}
