package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/internal/cluster"
)

func TestLookup(t *testing.T) {
	for in, want := range map[string]string{
		"v1.37.1": "v1.37.1", "1.37.1": "v1.37.1", "v1.36": "v1.36.3", "1.35": "v1.35.4",
	} {
		r, err := Lookup(in)
		if err != nil || r.Kubernetes != want {
			t.Errorf("Lookup(%q) = %q, %v; want %q", in, r.Kubernetes, err, want)
		}
	}
	for _, in := range []string{"", "v", "v1", "v1.37.9", "vv1.37.1", "v1.37.1 ", "v1.34.0"} {
		r, err := Lookup(in)
		if err == nil {
			t.Errorf("Lookup(%q) = %q, want an error", in, r.Kubernetes)
		} else if !strings.Contains(err.Error(), "v1.37.1") {
			t.Errorf("Lookup(%q): error %q does not list what is supported", in, err)
		}
	}
}

func TestDefaultIsSupported(t *testing.T) {
	if !slices.Contains(Supported(), Default()) {
		t.Errorf("Default() = %s is not among %v", Default(), Supported())
	}
}

// TestKubeadmImages compares with what the real kubeadm of each release
// printed; testdata holds its output unchanged.
func TestKubeadmImages(t *testing.T) {
	for _, v := range Supported() {
		recorded, err := os.ReadFile(filepath.Join("testdata", "kubeadm-images-"+v+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Lookup(v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Fields(string(recorded)), r.KubeadmImages()); diff != "" {
			t.Errorf("%s: images differ from kubeadm's (-kubeadm +catalog):\n%s", v, diff)
		}
	}
}

func TestImagesByRole(t *testing.T) {
	r, err := Lookup("v1.37.1")
	if err != nil {
		t.Fatal(err)
	}
	worker := []string{
		"registry.k8s.io/pause:3.10.2",
		"registry.k8s.io/kube-proxy:v1.37.1",
		"ghcr.io/flannel-io/flannel:v0.28.4",
		"registry.k8s.io/coredns/coredns:v1.14.6",
	}
	controlPlane := []string{
		"registry.k8s.io/pause:3.10.2",
		"registry.k8s.io/kube-apiserver:v1.37.1",
		"registry.k8s.io/kube-controller-manager:v1.37.1",
		"registry.k8s.io/kube-scheduler:v1.37.1",
		"registry.k8s.io/kube-proxy:v1.37.1",
		"ghcr.io/flannel-io/flannel:v0.28.4",
		"registry.k8s.io/coredns/coredns:v1.14.6",
	}
	for role, want := range map[cluster.Role][]string{
		cluster.RoleControlPlane: controlPlane,
		cluster.RoleWorker:       worker,
		cluster.RoleEtcd:         nil,
		cluster.RoleLoadBalancer: nil,
	} {
		if diff := cmp.Diff(want, r.Images(role)); diff != "" {
			t.Errorf("Images(%s) (-want +got):\n%s", role, diff)
		}
	}
}

func TestBinariesByRole(t *testing.T) {
	r, err := Lookup("v1.37.1")
	if err != nil {
		t.Fatal(err)
	}
	paths := func(role cluster.Role) map[string]bool {
		set := map[string]bool{}
		for _, b := range r.Binaries(role) {
			if set[b.InstallPath] {
				t.Errorf("%s: %s twice", role, b.InstallPath)
			}
			if b.Mode != 0o755 || b.Version == "" {
				t.Errorf("%s: %+v is incomplete", role, b)
			}
			set[b.InstallPath] = true
		}
		return set
	}
	controlPlane, worker, etcd := paths(cluster.RoleControlPlane), paths(cluster.RoleWorker), paths(cluster.RoleEtcd)
	for _, p := range []string{"/usr/local/bin/kubelet", "/usr/local/sbin/runc", "/opt/cni/bin/flannel", "/opt/cni/bin/bridge"} {
		if !controlPlane[p] || !worker[p] {
			t.Errorf("%s is not on every node", p)
		}
	}
	if worker["/usr/local/bin/kubectl"] || !controlPlane["/usr/local/bin/kubectl"] {
		t.Error("kubectl belongs on control-plane nodes only")
	}
	if len(etcd) != 3 || !etcd["/usr/local/bin/etcdutl"] {
		t.Errorf("etcd hosts get %v", etcd)
	}
	if len(paths(cluster.RoleLoadBalancer)) != 0 {
		t.Error("a load balancer needs no binaries")
	}
}

func TestCheckKubelet(t *testing.T) {
	for _, c := range []struct {
		kubelet, apiServer, want string
	}{
		{"v1.37.1", "v1.37.1", ""},
		{"v1.37.9", "v1.37.1", ""},
		{"v1.34.0", "v1.37.1", ""},
		{"1.36.3", "v1.37.1", ""},
		{"v1.33.9", "v1.37.1", "more than 3 minor versions older"},
		{"v1.37.0", "v1.36.3", "newer than API server"},
		{"v2.0.0", "v1.37.1", "differ in major"},
		{"latest", "v1.37.1", "parsing version"},
	} {
		checkError(t, c.kubelet+" with "+c.apiServer, CheckKubelet(c.kubelet, c.apiServer), c.want)
	}
}

func TestCheckUpgrade(t *testing.T) {
	for _, c := range []struct {
		from, to, want string
	}{
		{"v1.36.3", "v1.37.1", ""},
		{"v1.36.3", "v1.36.3", ""},
		{"v1.36.3", "v1.36.9", ""},
		{"v1.35.4", "v1.37.1", "upgrade to v1.36 first"},
		{"v1.37.1", "v1.36.3", "cannot be downgraded"},
		{"v1.37.1", "v1.37.0", "cannot be downgraded"},
	} {
		checkError(t, c.from+" to "+c.to, CheckUpgrade(c.from, c.to), c.want)
	}
}

// checkError fails unless err holds want, or is nil when want is empty.
func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: unexpected error %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want one with %q", what, err, want)
	}
}
