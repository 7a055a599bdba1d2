package endpoint

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// A HAProxy of the user's that listens on all addresses of a control-plane host, in front
// of its API server, and the host's own proxy both have the endpoint's port: who comes to
// the host's own address comes to the host's own proxy.
func TestHAProxyBesideTheUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	if _, err := os.Stat(haproxyProgram); err != nil {
		t.Skip("haproxy is not installed on this machine")
	}
	c := &cluster.Cluster{Endpoint: cluster.Endpoint{Port: 8443}, Kubernetes: cluster.Kubernetes{APIServerPort: 6443}}
	h := &cluster.Host{Name: "cp-1", InternalAddress: netip.MustParseAddr("127.0.0.2"), Roles: []cluster.Role{cluster.RoleControlPlane}}
	binds := ownBinds(c, h, []int{8443, 6443})
	if len(binds) != 1 {
		t.Fatalf("the host's own proxy listens on %v", binds)
	}
	dir := t.TempDir()
	for name, bind := range map[string]string{"theirs": "*:8443", "ours": binds[0]} {
		text := "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\nfrontend a\n  bind " + bind + " tcp-ut 10s\n" +
			"  http-request return status 200 content-type text/plain string " + name + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := `
ip link set lo up
ask() { exec 3<>/dev/tcp/$1/8443 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && tail -n 1 <&3; }
trap 'kill $(jobs -p)' EXIT
` + haproxyProgram + ` -db -f theirs &
until (ask 127.0.0.1) 2>/dev/null | grep -q theirs; do :; done
` + haproxyProgram + ` -db -f ours &
until (ask 127.0.0.2) 2>/dev/null | grep -q ours; do :; done
for i in 1 2 3 4 5 6 7 8; do (ask 127.0.0.2) | grep -q ours && (ask 127.0.0.1) | grep -q theirs || exit 1; done
`
	cmd := exec.CommandContext(t.Context(), "timeout", "30", "unshare", "--net", "/bin/bash", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// The ports on which a host serves the endpoint are read from what it was told, whatever
// else its HAProxy carries.
func TestBalancedPorts(t *testing.T) {
	c := onControlPlanes()
	c.Endpoint.Listeners = []cluster.Listener{{Name: "web", Port: 443, TargetPort: 30443, Hosts: []string{"cp-1"}}}
	own := virtual{Address: c.Endpoint.LoadBalancer.VIP}
	for name, tt := range map[string]struct {
		file component.File
		want string
	}{
		"a load balancer": {haproxyService(c.Host("cp-1"), managedHAProxy(c, c.Host("cp-1"), []virtual{own}, []int{8443, 6443})).Files[0], "[6443 8443]"},
		"HAProxy":         {haproxyService(c.Host("cp-1"), localHAProxyConfig(c, c.Host("cp-1"), []int{8443, 6443})).Files[0], "[8443]"},
		"nginx":           {nginxService(c, c.Host("cp-1"), debian(), []int{8443, 9443}).Files[0], "[8443 9443]"},
	} {
		facts := &protocol.Facts{Files: map[string]protocol.File{tt.file.Path: {Exists: true, Content: string(tt.file.Content)}}}
		if got := component.BalancedPorts(facts); fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", name, got, tt.want)
		}
	}
}
