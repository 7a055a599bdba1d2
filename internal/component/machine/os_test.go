package machine

import (
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

func TestWithoutSwap(t *testing.T) {
	const off = "# off for the kubelet (quorate): "
	for _, tt := range []struct{ name, in, want string }{
		{"none", "/dev/sda1 / ext4 defaults 0 1\n", "/dev/sda1 / ext4 defaults 0 1\n"},
		{"one", "UUID=1 none swap sw 0 0\n", off + "UUID=1 none swap sw 0 0\n"},
		{"two among others", "/swap none swap sw 0 0\n/dev/sda1 / ext4 defaults 0 1\n/dev/sdb\tswap\tswap\tdefaults\n", off + "/swap none swap sw 0 0\n/dev/sda1 / ext4 defaults 0 1\n" + off + "/dev/sdb\tswap\tswap\tdefaults\n"},
		{"off already", "#/swap none swap sw 0 0\n# /swap none swap sw 0 0\n", "#/swap none swap sw 0 0\n# /swap none swap sw 0 0\n"},
		{"a folder of that name", "/dev/sdc /swap ext4 defaults 0 2\n", "/dev/sdc /swap ext4 defaults 0 2\n"},
		{"indented, no end", "  /swap none swap sw", off + "  /swap none swap sw"},
		{"blank and short lines", "\nswap\n\n", "\nswap\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, changed := withoutSwap(tt.in)
			if got != tt.want || changed != (tt.in != tt.want) {
				t.Errorf("%q, changed %v; want %q", got, changed, tt.want)
			}
			if again, changed := withoutSwap(got); changed || again != got {
				t.Errorf("a second time changes it to %q", again)
			}
		})
	}
}

func TestPackagesOfBothFamilies(t *testing.T) {
	c := &cluster.Cluster{Endpoint: cluster.Endpoint{LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerLocalhost, Type: "haproxy"}}}
	worker := &cluster.Host{Roles: []cluster.Role{cluster.RoleWorker}}
	etcd := &cluster.Host{Roles: []cluster.Role{cluster.RoleEtcd}}
	for family, conntrack := range map[string]string{"debian": "conntrack", "rhel": "conntrack-tools"} {
		if got := packages(family, c, worker); !slices.Contains(got, conntrack) || !slices.Contains(got, "haproxy") {
			t.Errorf("%s: %v, want %s and haproxy among them", family, got, conntrack)
		}
		balancer := cluster.Host{Name: "lb-1", Roles: []cluster.Role{cluster.RoleLoadBalancer}}
		managed := &cluster.Cluster{Hosts: []cluster.Host{balancer}, Endpoint: cluster.Endpoint{LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerManaged}}}
		if got := packages(family, managed, &managed.Hosts[0]); !slices.Equal(got, []string{"haproxy", "keepalived", "nftables"}) {
			t.Errorf("%s: a load balancer gets %v", family, got)
		}
		if got := packages(family, c, etcd); len(got) != 0 {
			t.Errorf("%s: an etcd host gets %v", family, got)
		}
	}
}

// A kernel that has more than enough of something is not given less of it, now or by
// our file at the next boot.
func TestSysctlsThatMustNotBeBelow(t *testing.T) {
	const name = "fs.inotify.max_user_instances"
	line := name + " = 8192\n"
	for _, tt := range []struct {
		what, value, file string
		serves, written   bool
	}{
		{"too few", "128", "", false, true},
		{"just enough by our file", "8192", line, true, true},
		{"enough without us", "65536", "", true, false},
		{"not known", "", "", false, true},
	} {
		facts := &protocol.Facts{Sysctls: map[string]string{name: tt.value}, Files: map[string]protocol.File{sysctlFile: {Exists: true, Content: tt.file}}}
		text := string(renderSysctls(facts))
		if got := serves(name, tt.value); got != tt.serves {
			t.Errorf("%s: it serves: %v, want %v", tt.what, got, tt.serves)
		}
		if got := strings.Contains(text, line); got != tt.written || !strings.Contains(text, "net.ipv4.ip_forward = 1\n") {
			t.Errorf("%s: our file has it: %v, want %v:\n%s", tt.what, got, tt.written, text)
		}
	}
}
