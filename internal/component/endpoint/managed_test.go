package endpoint

import (
	"bytes"
	"flag"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

var update = flag.Bool("update", false, "write the golden files anew")

// managedCluster has two load balancers of their own.
func managedCluster() *cluster.Cluster {
	c := &cluster.Cluster{Name: "prod", Kubernetes: cluster.Kubernetes{APIServerPort: 6443}, Endpoint: cluster.Endpoint{
		Domain: "lb.example", Port: 6443,
		LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr("192.168.0.10")},
	}}
	add := func(name, address string, roles ...cluster.Role) {
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Address: address, InternalAddress: netip.MustParseAddr(address), Roles: roles})
	}
	add("cp-1", "192.168.0.2", cluster.RoleControlPlane, cluster.RoleEtcd)
	add("cp-2", "192.168.0.3", cluster.RoleControlPlane, cluster.RoleEtcd)
	add("cp-3", "192.168.0.4", cluster.RoleControlPlane, cluster.RoleEtcd)
	add("node-1", "192.168.0.5", cluster.RoleWorker)
	add("node-2", "192.168.0.6", cluster.RoleWorker)
	add("lb-1", "192.168.0.8", cluster.RoleLoadBalancer)
	add("lb-2", "192.168.0.9", cluster.RoleLoadBalancer)
	return c
}

// onControlPlanes lets the control-plane hosts carry the VIP.
func onControlPlanes() *cluster.Cluster {
	c := managedCluster()
	c.Hosts = c.Hosts[:5]
	for i := range 3 {
		c.Hosts[i].Roles = append(c.Hosts[i].Roles, cluster.RoleLoadBalancer)
	}
	return c
}

// variant is a cluster, and the addresses beside the file's that its load balancers carry.
type variant struct {
	cluster *cluster.Cluster
	former  []netip.Addr
}

func managedVariants() map[string]variant {
	listeners := managedCluster()
	listeners.Endpoint.Listeners = []cluster.Listener{
		{Name: "https", Port: 443, TargetPort: 30443, Hosts: []string{"node-1", "node-2"}, ProxyProtocol: "v2"},
		{Name: "console", Port: 30880, TargetPort: 30880, Hosts: []string{"node-1"}},
		{Name: "http", Port: 80, TargetPort: 30080, Hosts: []string{"node-2"}, ProxyProtocol: "v1"},
	}
	listeners.Endpoint.LoadBalancer.Preempt = true
	listeners.Endpoint.LoadBalancer.VirtualRouterID = 60
	between := managedCluster()
	between.Endpoint.Listeners = listeners.Endpoint.Listeners[:1]
	alone := managedCluster()
	alone.Hosts = alone.Hosts[:6]
	return map[string]variant{
		"managed": {cluster: managedCluster()}, "managed-listeners": {cluster: listeners}, "managed-on-control-planes": {cluster: onControlPlanes()}, "managed-alone": {cluster: alone},
		"managed-between": {between, []netip.Addr{netip.MustParseAddr("192.168.0.11")}},
	}
}

// filesOn are the files that the first load balancer of a cluster gets.
func filesOn(v variant, iface string) []component.File {
	lb := &v.cluster.Endpoint.LoadBalancer
	vips := []virtual{{lb.VIP, iface, routerID(lb)}}
	for _, a := range v.former {
		vips = append(vips, virtual{a, iface, routerIDOf(a)})
	}
	b := loadBalancerOf(v.cluster, v.cluster.Balancers()[0], vips, []int{6443})
	return append(b.haproxy.Files, b.keepalived.Files...)
}

func TestManagedFiles(t *testing.T) {
	for name, v := range managedVariants() {
		t.Run(name, func(t *testing.T) {
			archive := &txtar.Archive{}
			for _, f := range filesOn(v, "eth0") {
				archive.Files = append(archive.Files, txtar.File{Name: f.Path, Data: f.Content})
			}
			golden, got := filepath.Join("testdata", name+".txtar"), txtar.Format(archive)
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

// The real programs accept what is written for them, and would not accept
// just anything.
func TestManagedFilesAreAccepted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("keepalived's script security needs root")
	}
	for _, program := range []string{haproxyProgram, keepalivedProgram, "/bin/bash"} {
		if _, err := os.Stat(program); err != nil {
			t.Skip(program, "is not installed on this machine")
		}
	}
	for name, v := range managedVariants() {
		t.Run(name, func(t *testing.T) {
			dir := rootOnlyDir(t)
			ca := filepath.Join(dir, "ca.crt")
			if err := os.WriteFile(ca, newAuthority(t).Cert, 0o644); err != nil {
				t.Fatal(err)
			}
			moved := strings.NewReplacer(haproxyCAFile, ca, keepalivedDir, dir, "/run/quorate-", dir+"/")
			var haproxyPath, keepalivedPath string
			for _, f := range filesOn(v, realInterface(t)) {
				path := filepath.Join(dir, filepath.Base(f.Path))
				if err := os.WriteFile(path, []byte(moved.Replace(string(f.Content))), f.Mode); err != nil {
					t.Fatal(err)
				}
				switch f.Path {
				case haproxyFile:
					haproxyPath = path
				case keepalivedFile:
					keepalivedPath = path
				case keepalivedCheck, keepalivedNote:
					if out, err := exec.CommandContext(t.Context(), "/bin/bash", "-n", path).CombinedOutput(); err != nil {
						t.Errorf("%s: %v\n%s", f.Path, err, out)
					}
				}
			}
			for _, tt := range []struct {
				path, word, wrong string
				argv              []string
			}{
				{haproxyPath, "option redispatch", "option redispatching", []string{haproxyProgram, "-c", "-f", haproxyPath}},
				{keepalivedPath, "priority 1", "priority x", []string{keepalivedProgram, "--config-test", "--use-file=" + keepalivedPath}},
			} {
				if out, err := exec.CommandContext(t.Context(), tt.argv[0], tt.argv[1:]...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("WARNING")) {
					t.Errorf("%s: %v\n%s", tt.argv[0], err, out)
				}
				text, err := os.ReadFile(tt.path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(tt.path, bytes.Replace(text, []byte(tt.word), []byte(tt.wrong), 1), 0o644); err != nil {
					t.Fatal(err)
				}
				if exec.CommandContext(t.Context(), tt.argv[0], tt.argv[1:]...).Run() == nil {
					t.Errorf("%s accepts %q", tt.argv[0], tt.wrong)
				}
			}
		})
	}
}

// rootOnlyDir is a temporary folder that script security accepts: nobody but
// root can write to any part of its path.
func rootOnlyDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "test-of-quorate-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"haproxy", "keepalived"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// realInterface is the name of an interface of this machine: keepalived asks
// the kernel for it.
func realInterface(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	t.Skip("this machine has no network interface besides lo")
	return ""
}

func TestVIPInterface(t *testing.T) {
	facts := &protocol.Facts{Interfaces: []protocol.Interface{
		{Name: "lo", Addresses: []string{"127.0.0.1/8", "::1/128"}},
		{Name: "eth0", Addresses: []string{"10.0.0.8/24"}},
		{Name: "eth1", Addresses: []string{"192.168.0.10/32", "192.168.0.8/24"}},
		{Name: "eth2", Addresses: []string{"192.168.0.10/32"}},
	}}
	for _, tt := range []struct{ name, vip, named, want, wrong string }{
		{"in the subnet", "192.168.0.10", "", "eth1", ""},
		{"in another subnet", "10.0.0.100", "", "eth0", ""},
		{"named", "10.0.0.100", "eth1", "eth1", ""},
		{"in no subnet", "172.16.0.1", "", "", "no interface of lb-1 has an address in a subnet with loadBalancer.vip 172.16.0.1"},
		{"no such interface", "192.168.0.10", "eth9", "", "lb-1 has no interface eth9 that is up, which loadBalancer.interface names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := managedCluster()
			c.Endpoint.LoadBalancer.VIP, c.Endpoint.LoadBalancer.Interface = netip.MustParseAddr(tt.vip), tt.named
			got, err := vipInterface(c, c.Host("lb-1"), facts)
			wrong := ""
			if err != nil {
				wrong = err.Error()
			}
			if got != tt.want || wrong != tt.wrong {
				t.Errorf("%q, %q; want %q, %q", got, wrong, tt.want, tt.wrong)
			}
		})
	}
}

func TestRouterID(t *testing.T) {
	seen := map[int]bool{}
	for i := range 100 {
		id := routerID(&cluster.LoadBalancer{VIP: netip.AddrFrom4([4]byte{192, 168, 0, byte(i)})})
		if id < 1 || id > 255 {
			t.Fatalf("%d", id)
		}
		seen[id] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 addresses have only %d virtual router IDs", len(seen))
	}
	if got := routerID(&cluster.LoadBalancer{VirtualRouterID: 60}); got != 60 {
		t.Errorf("%d, want the one that was given", got)
	}
}

func TestNeighbour(t *testing.T) {
	table := []byte(`IP address       HW type     Flags       HW address            Mask     Device
192.168.0.10     0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.0.11     0x1         0x2         02:00:00:00:00:0b     *        eth0
192.168.0.1      0x1         0x6         02:00:00:00:00:01     *        eth0
`)
	for ip, want := range map[string]string{
		"192.168.0.10": "", "192.168.0.11": "02:00:00:00:00:0b", "192.168.0.1": "02:00:00:00:00:01", "192.168.0.2": "",
	} {
		if got := neighbour(table, netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %q, want %q", ip, got, want)
		}
	}
}
