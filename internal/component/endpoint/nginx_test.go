package endpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// goldenFiles compares files with those in testdata, or writes them.
func goldenFiles(t *testing.T, name string, files ...txtar.File) {
	t.Helper()
	path, got := filepath.Join("testdata", name+".txtar"), txtar.Format(&txtar.Archive{Files: files})
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("files (-want +got), -update writes them anew:\n%s", d)
	}
}

func nginxCluster() *cluster.Cluster {
	c := externalCluster(3, 1)
	c.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerLocalhost, Type: "nginx"}
	return c
}

func debian() protocol.OS { return protocol.OS{ID: "debian", Version: "12"} }

func TestNginxFiles(t *testing.T) {
	c := nginxCluster()
	var files []txtar.File
	for _, f := range nginxService(c, c.Host("worker-1"), debian(), []int{6443}).Files {
		files = append(files, txtar.File{Name: f.Path, Data: f.Content})
	}
	goldenFiles(t, "nginx", files...)
	rocky := string(nginxService(c, c.Host("worker-1"), protocol.OS{ID: "rocky", Version: "9"}, []int{6443}).Files[0].Content)
	if want := "load_module /usr/lib64/nginx/modules/ngx_stream_module.so;"; !strings.Contains(rocky, want) {
		t.Errorf("no %q for Rocky Linux in\n%s", want, rocky)
	}
}

// The others get the connections of one that is aside, and the last one is not
// given up: it is tried each time.
func TestNginxAside(t *testing.T) {
	c := nginxCluster()
	for _, tt := range []struct {
		aside, want []string
	}{
		{nil, []string{"11:6443 max_fails=1 fail_timeout=5s;", "12:6443 max_fails=1 fail_timeout=5s;", "13:6443 max_fails=1 fail_timeout=5s;"}},
		{[]string{"cp-2"}, []string{"11:6443 max_fails=1 fail_timeout=5s;", "12:6443 max_fails=1 fail_timeout=5s backup;", "13:6443 max_fails=1 fail_timeout=5s;"}},
		{[]string{"cp-3", "cp-1"}, []string{"11:6443 max_fails=1 fail_timeout=5s backup;", "12:6443 max_fails=0;", "13:6443 max_fails=1 fail_timeout=5s backup;"}},
	} {
		text := string(nginxService(c, c.Host("worker-1"), debian(), []int{6443}, tt.aside...).Files[0].Content)
		for _, want := range tt.want {
			if !strings.Contains(text, "    server 10.0.0."+want+"\n") {
				t.Errorf("with %v aside there is no %q in\n%s", tt.aside, want, text)
			}
		}
	}
}

func TestGuides(t *testing.T) {
	named := externalCluster(3, 1)
	named.Endpoint.Domain, named.Endpoint.LoadBalancer.NoHairpin = "k8s.example", true
	named.Endpoint.LoadBalancer.VIP, named.Endpoint.LoadBalancer.VIPHost = nginxCluster().Endpoint.LoadBalancer.VIP, "lb.cloud.example"
	for name, c := range map[string]*cluster.Cluster{"address": externalCluster(3, 1), "name": named, "none": nginxCluster()} {
		t.Run(name, func(t *testing.T) {
			var files []txtar.File
			for _, f := range GuideFormats() {
				files = append(files, txtar.File{Name: string(f), Data: Guide(c, f)})
			}
			goldenFiles(t, "guide-"+name, files...)
		})
	}
}

// HAProxy takes what the guide gives it.
func TestHAProxyTakesTheGuide(t *testing.T) {
	if _, err := os.Stat(haproxyProgram); err != nil {
		t.Skip("HAProxy is not installed on this machine")
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, Guide(externalCluster(3, 1), GuideHAProxy), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), haproxyProgram, "-c", "-f", path).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The real nginx takes a node's settings and the guide's, and would not take
// just anything.
func TestNginxTakesItsSettings(t *testing.T) {
	root := bundledNginx(t)
	dir := t.TempDir()
	moved := strings.NewReplacer(
		"/usr/lib/nginx/modules", root+"/usr/lib/nginx/modules", nginxPID, dir+"/pid",
		"include /etc/nginx/modules-enabled/*.conf;", "load_module "+root+"/usr/lib/nginx/modules/ngx_stream_module.so;\npid "+dir+"/pid;\nerror_log stderr;",
	)
	check := func(text string) (string, error) {
		path := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(path, []byte(moved.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), root+"/usr/sbin/nginx", "-t", "-c", path).CombinedOutput()
		return string(out), err
	}
	c := nginxCluster()
	text := string(nginxService(c, c.Host("worker-1"), debian(), []int{6443}).Files[0].Content)
	for name, text := range map[string]string{"node": text, "guide": string(Guide(externalCluster(3, 1), GuideNginx))} {
		if out, err := check(text); err != nil || strings.Contains(out, "[warn]") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if _, err := check(strings.Replace(text, "proxy_connect_timeout", "proxy_connection_timeout", 1)); err == nil {
		t.Error("it takes a directive that there is none of")
	}
}

// bundledNginx unpacks nginx from the real bundle for Debian 12; the test is
// skipped where there is none, or where it does not run.
func bundledNginx(t *testing.T) string {
	t.Helper()
	dir, err := bundle.DefaultDir(catalog.Default(), "amd64")
	if err != nil {
		t.Skip(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { b.Close() })
	files, err := b.Packages("debian", "12", "nginx", "libnginx-mod-stream")
	if err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	for _, f := range files {
		if out, err := exec.CommandContext(t.Context(), "dpkg", "-x", filepath.Join(dir, f.Path), root).CombinedOutput(); err != nil {
			t.Skipf("unpacking %s: %v\n%s", f.Name, err, out)
		}
	}
	if out, err := exec.CommandContext(t.Context(), root+"/usr/sbin/nginx", "-v").CombinedOutput(); err != nil {
		t.Skipf("it does not run here: %v\n%s", err, out)
	}
	return root
}
