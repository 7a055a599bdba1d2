package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/preflight/probe"
	"github.com/quorate/quorate/internal/state"
)

// two is a cluster of a control-plane host and a worker, both real agents of
// this process, at loopback addresses of this test's own.
func two(t *testing.T, run func(context.Context, hosttest.Command) (protocol.RunReply, error)) (*preflight.Observation, map[string]*host.Host) {
	t.Helper()
	c := &cluster.Cluster{
		Name:       "prod",
		Kubernetes: cluster.Kubernetes{APIServerPort: 6443},
		Endpoint:   cluster.Endpoint{Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerLocalhost}},
		Etcd:       cluster.Etcd{Mode: cluster.EtcdStacked, DataDir: "/var/lib/etcd"},
		Network:    cluster.Network{Plugin: "flannel", Flannel: cluster.Flannel{Backend: "vxlan"}},
	}
	o := &preflight.Observation{Input: component.Input{Cluster: c, Snapshot: &state.Snapshot{Hosts: map[string]*state.Host{}}}}
	hosts := map[string]*host.Host{}
	pid := os.Getpid()
	for i, name := range []string{"cp-1", "cp-2", "node-1"} {
		role := cluster.RoleControlPlane
		if i == 2 {
			role = cluster.RoleWorker
		}
		address := netip.AddrFrom4([4]byte{127, byte(1 + pid>>8&0x7f), byte(pid), byte(i + 1)})
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, InternalAddress: address, Roles: []cluster.Role{role}})
		o.Snapshot.Hosts[name] = &state.Host{Name: name, Facts: &protocol.Facts{PackageTool: "apt", OS: protocol.OS{ID: "debian", Version: "12"}}}
		hosts[name] = hosttest.Agent(t, t.TempDir(), run)
	}
	return o, hosts
}

func nothingRuns(_ context.Context, c hosttest.Command) (protocol.RunReply, error) {
	return protocol.RunReply{}, fmt.Errorf("no program %s here", c.Argv[0])
}

// Between hosts that are bare every route is tried against a listener that is
// there for a moment; afterwards the ports are free.
func TestPaths(t *testing.T) {
	o, hosts := two(t, nothingRuns)
	found := (&probe.Prober{Observation: o, Hosts: hosts}).Run(t.Context())
	var want []preflight.Path
	for _, from := range o.Cluster.Hosts {
		for _, r := range preflight.Routes(o.Cluster) {
			if r.From.Name == from.Name {
				want = append(want, preflight.Path{
					From: r.From.Name, To: r.Target, What: r.What,
					Listener: preflight.ListenerOurs, Connected: true, Whole: !r.Target.UDP,
				})
			}
		}
	}
	if d := cmp.Diff(want, found.Paths); d != "" || len(want) == 0 {
		t.Errorf("paths (-want +got):\n%s", d)
	}
	if len(found.RoundTrips) != 2 {
		t.Errorf("round trips: %v", found.RoundTrips)
	}
	// The agents close their listeners when they hear that nobody waits for them.
	deadline := time.Now().Add(10 * time.Second)
	for _, r := range preflight.Routes(o.Cluster) {
		for {
			l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", r.To.InternalAddress, r.Target.Port))
			if err == nil {
				l.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("a listener was left behind: %v", err)
			}
		}
	}
}

// Whoever has a port is left alone and connected to; a part that is installed
// finds its port free at every moment; an address that a host does not have
// is told as such.
func TestListenersOfOthers(t *testing.T) {
	o, hosts := two(t, nothingRuns)
	cp1, cp2 := o.Cluster.Host("cp-1"), o.Cluster.Host("cp-2")
	l, err := net.Listen("tcp", fmt.Sprintf("%s:6443", cp1.InternalAddress))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", fmt.Sprintf("%s:8472", cp1.InternalAddress))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	// Taken, although the facts did not say so.
	o.Snapshot.Facts("cp-2").Files = map[string]protocol.File{component.ManifestsDir + "/kube-apiserver.yaml": {Exists: true}}
	o.Cluster.Host("node-1").InternalAddress = netip.MustParseAddr("192.0.2.1")
	found := (&probe.Prober{Observation: o, Hosts: hosts}).Run(t.Context())
	kinds := map[preflight.Target]preflight.Listener{}
	for _, p := range found.Paths {
		kinds[p.To] = p.Listener
		if p.To == (preflight.Target{Host: cp1.Name, Port: 6443}) && (!p.Connected || p.Whole) {
			t.Errorf("whoever listens already should be connected to, and no more: %+v", p)
		}
		if p.To == (preflight.Target{Host: cp2.Name, Port: 6443}) && (p.Connected || !strings.Contains(p.Error, "refused")) {
			t.Errorf("nobody should listen there: %+v", p)
		}
		if p.To.Host == "node-1" && !strings.Contains(p.Error, "cannot assign requested address") {
			t.Errorf("the address is not there: %+v", p)
		}
	}
	want := map[preflight.Target]preflight.Listener{
		{Host: "cp-1", Port: 6443}: preflight.ListenerPresent, {Host: "cp-2", Port: 6443}: preflight.ListenerNone,
		{Host: "cp-1", Port: 2379}: preflight.ListenerOurs, {Host: "cp-2", Port: 2379}: preflight.ListenerOurs,
		{Host: "cp-1", Port: 2380}: preflight.ListenerOurs, {Host: "cp-2", Port: 2380}: preflight.ListenerOurs,
		{Host: "cp-1", Port: 10250}: preflight.ListenerOurs, {Host: "cp-2", Port: 10250}: preflight.ListenerOurs,
		{Host: "node-1", Port: 10250}: preflight.ListenerFailed, {Host: "node-1", Port: 8472, UDP: true}: preflight.ListenerFailed,
		// Whoever has a UDP port need not answer: nothing is said of cp-1.
		{Host: "cp-2", Port: 8472, UDP: true}: preflight.ListenerOurs,
	}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("listeners (-want +got):\n%s", d)
	}
}

// While somebody else works on the hosts no port is taken from them.
func TestNoListeners(t *testing.T) {
	o, hosts := two(t, nothingRuns)
	l, err := net.Listen("tcp", fmt.Sprintf("%s:6443", o.Cluster.Host("cp-1").InternalAddress))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o.Snapshot.Facts("cp-1").Listening = []protocol.Listener{{Port: 6443}}
	found := (&probe.Prober{Observation: o, Hosts: hosts, NoListeners: "op@desk is working on it"}).Run(t.Context())
	var got []string
	for _, p := range found.Paths {
		got = append(got, fmt.Sprintf("%s to %s, %s, %v", p.From, p.To, p.Listener, p.Connected))
	}
	want := []string{"cp-2 to cp-1:6443, present, true", "node-1 to cp-1:6443, present, true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("paths (-want +got):\n%s", d)
	}
}

// A host that was not observed is neither asked nor connected to.
func TestUnobserved(t *testing.T) {
	o, hosts := two(t, nothingRuns)
	o.Snapshot.Hosts["cp-2"] = &state.Host{Name: "cp-2", Error: "off", Unreachable: true}
	delete(hosts, "cp-2")
	found := (&probe.Prober{Observation: o, Hosts: hosts}).Run(t.Context())
	if _, ok := found.Hosts["cp-2"]; ok {
		t.Error("something was tried on a host that is off")
	}
	for _, p := range found.Paths {
		if p.From == "cp-2" || p.To.Host == "cp-2" {
			t.Errorf("tried: %+v", p)
		}
	}
}

// The programs that are asked, and what is made of their answers.
func TestPrograms(t *testing.T) {
	answers := map[string]protocol.RunReply{
		"modprobe --dry-run --quiet overlay":      {},
		"modprobe --dry-run --quiet br_netfilter": {ExitCode: 1},
		"getent ahosts lb.example.org":            {ExitCode: 2},
		"getent ahosts mirror.example.org": {Stdout: []byte(
			"192.0.2.7       STREAM mirror.example.org\n192.0.2.7       DGRAM\n2001:db8::7     STREAM\n")},
	}
	o, hosts := two(t, func(_ context.Context, c hosttest.Command) (protocol.RunReply, error) {
		if reply, ok := answers[strings.Join(c.Argv, " ")]; ok {
			return reply, nil
		}
		return protocol.RunReply{}, errors.New("unexpected: " + strings.Join(c.Argv, " "))
	})
	o.Cluster.Endpoint.LoadBalancer.VIPHost = "lb.example.org"
	o.Cluster.Endpoint.LoadBalancer.Type = "haproxy"
	o.Cluster.Registry.Mirrors = map[string][]string{"docker.io": {"https://mirror.example.org:5000/v2", "https://192.0.2.8"}}
	o.Snapshot.Facts("node-1").Modules = map[string]bool{"overlay": false, "br_netfilter": false, "vxlan": true}
	found := (&probe.Prober{Observation: o, Hosts: hosts}).Run(t.Context())
	want := preflight.HostProbes{
		Loadable: map[string]bool{"overlay": true, "br_netfilter": false},
		Names: map[string]preflight.Lookup{
			"lb.example.org":     {Error: "no such name"},
			"mirror.example.org": {Addresses: []string{"192.0.2.7", "2001:db8::7"}},
		},
	}
	if d := cmp.Diff(want, found.Hosts["node-1"], cmpopts.EquateEmpty()); d != "" {
		t.Errorf("node-1 (-want +got):\n%s", d)
	}
}

// etcd's disk is measured where etcd is to run, and nothing is left there.
func TestFsync(t *testing.T) {
	o, hosts := two(t, nothingRuns)
	root := t.TempDir()
	if err := os.MkdirAll(root+"/var/lib/etcd", 0o700); err != nil {
		t.Fatal(err)
	}
	hosts["cp-1"] = hosttest.Agent(t, root, nothingRuns)
	found := (&probe.Prober{Observation: o, Hosts: hosts}).Run(t.Context())
	f := found.Hosts["cp-1"].Fsync
	if f == nil || f.Error != "" || f.P50 <= 0 || f.P99 < f.P50 || f.Max < f.P99 {
		t.Errorf("measured: %+v", f)
	}
	if found.Hosts["node-1"].Fsync != nil {
		t.Error("a worker's disk was measured")
	}
	left, err := os.ReadDir(root + "/var/lib/etcd")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The virtual address is looked for in the neighbour table before and after
// somebody connected to it, and only by hosts that may carry it.
func TestVIP(t *testing.T) {
	const header = "IP address       HW type     Flags       HW address            Mask     Device\n"
	entry := func(address, flags, mac string) string {
		return fmt.Sprintf("%-16s 0x1         %-10s  %-20s  *        eth0\n", address, flags, mac)
	}
	vip := "192.0.2.100"
	tests := map[string]struct {
		tables [2]string
		dial   protocol.DialResult
		want   preflight.VIPAnswer
	}{
		"nobody": {
			[2]string{header, header + entry(vip, "0x0", "00:00:00:00:00:00")},
			protocol.DialResult{Error: "dial tcp: connect: no route to host"},
			preflight.VIPAnswer{},
		},
		"somebody without our ports": {
			[2]string{header + entry("192.0.2.10", "0x2", "02:00:00:00:00:99"), header + entry(vip, "0x2", "02:00:00:00:00:aa")},
			protocol.DialResult{Error: "dial tcp: connect: connection refused"},
			preflight.VIPAnswer{MAC: "02:00:00:00:00:aa", Ports: []int{6443, 22}},
		},
		"remembered": {
			[2]string{header + entry(vip, "0x2", "02:00:00:00:00:aa"), header + entry(vip, "0x2", "02:00:00:00:00:aa")},
			protocol.DialResult{Error: "dial tcp: i/o timeout"},
			preflight.VIPAnswer{MAC: "02:00:00:00:00:aa", MACBefore: "02:00:00:00:00:aa"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &cluster.Cluster{
				Endpoint: cluster.Endpoint{Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr(vip)}},
				Hosts:    []cluster.Host{{Name: "lb-1", InternalAddress: netip.MustParseAddr("192.0.2.1"), Roles: []cluster.Role{cluster.RoleLoadBalancer}}},
			}
			o := &preflight.Observation{Input: component.Input{Cluster: c, Snapshot: &state.Snapshot{Hosts: map[string]*state.Host{
				"lb-1": {Name: "lb-1", Facts: &protocol.Facts{Packages: map[string]string{"haproxy": "2", "keepalived": "2"}}},
			}}}}
			handle, fake := hosttest.New(t, "lb-1")
			fake.ExpectRead("/proc/net/arp", test.tables[0])
			fake.ExpectRead("/proc/net/arp", test.tables[1])
			fake.Expect("dial", func(c hosttest.Call) bool {
				var r protocol.DialRequest
				return c.Op == protocol.OpDial && c.Decode(&r) == nil && slices.Equal(r.Addresses, []string{vip + ":6443", vip + ":22"})
			}).Reply(protocol.DialReply{Results: []protocol.DialResult{test.dial, test.dial}})
			found := (&probe.Prober{Observation: o, Hosts: map[string]*host.Host{"lb-1": handle}}).Run(t.Context())
			if d := cmp.Diff(&test.want, found.Hosts["lb-1"].VIP); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

// What is still tried can be told while it is, and nothing is left in the end.
func TestPending(t *testing.T) {
	reached := make(chan struct{})
	release := make(chan struct{})
	o, hosts := two(t, func(context.Context, hosttest.Command) (protocol.RunReply, error) {
		reached <- struct{}{}
		<-release
		return protocol.RunReply{}, nil
	})
	o.Snapshot.Facts("cp-1").Modules = map[string]bool{"overlay": false}
	for _, name := range []string{"cp-1", "cp-2", "node-1"} {
		o.Snapshot.Facts(name).Packages = map[string]string{"conntrack": "1", "nftables": "1", "": "1"}
	}
	p := &probe.Prober{Observation: o, Hosts: hosts}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(t.Context())
	}()
	select {
	case <-reached:
	case <-time.After(10 * time.Second):
		t.Fatal("no program was asked")
	}
	if pending := p.Pending(); !slices.Contains(pending, "kernel modules of cp-1") {
		t.Errorf("pending: %v", pending)
	}
	close(release)
	<-done
	if pending := p.Pending(); len(pending) > 0 {
		t.Errorf("still pending: %v", pending)
	}
}
