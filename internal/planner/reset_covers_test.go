package planner_test

import (
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
	"github.com/quorate/quorate/internal/state"
)

// bareInput is resetInput's cluster before it is built.
func bareInput(t *testing.T) component.Input {
	t.Helper()
	in := resetInput(t)
	c := in.Cluster
	c.Kubernetes = cluster.Kubernetes{APIServerPort: 6443, Version: in.Release.Kubernetes, DNSDomain: "cluster.local", MaxPods: 110, NodeCIDRMaskSize: 24, ProxyMode: "nftables"}
	c.Endpoint = cluster.Endpoint{Domain: "lb.test", Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerLocalhost, Type: "haproxy"}}
	c.Etcd.Heartbeat, c.Etcd.Election = 100*time.Millisecond, time.Second
	c.Network = cluster.Network{
		Plugin: "flannel", Flannel: cluster.Flannel{Backend: "vxlan"},
		PodCIDR: netip.MustParsePrefix("10.233.64.0/18"), ServiceCIDR: netip.MustParsePrefix("10.233.0.0/18"),
	}
	in.Snapshot = &state.Snapshot{Hosts: map[string]*state.Host{}, APIError: "bare"}
	manifest := &bundle.Manifest{Kubernetes: in.Release.Kubernetes, Arch: "amd64"}
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleEtcd} {
		for _, b := range in.Release.Binaries(role) {
			manifest.Files = append(manifest.Files, bundle.File{Kind: bundle.KindBinary, Name: b.Name, InstallPath: b.InstallPath, SHA256: "sum of " + b.Name})
		}
	}
	in.Artefacts = manifest
	for _, h := range c.Hosts {
		in.Snapshot.Hosts[h.Name] = &state.Host{Name: h.Name, Facts: &protocol.Facts{
			MachineID: h.Name, Arch: "amd64", CPUs: 4, MemoryBytes: 8 << 30, OS: protocol.OS{ID: "debian", Version: "12"},
			Swap:       []string{"/dev/sda2"},
			Candidates: map[string]string{"conntrack": "1", "nftables": "1", "haproxy": "2", "keepalived": "2"},
			Files:      map[string]protocol.File{"/etc/fstab": {Exists: true, Content: "/dev/sda2 none swap sw 0 0\n"}, "/etc/hosts": {Exists: true}},
		}}
	}
	return in
}

// What apply puts on a host, reset takes away: a path that a component
// begins to write must be known to component/reset too.
func TestResetCoversAllThatApplyWrites(t *testing.T) {
	t.Run("localhost", func(t *testing.T) { testResetCovers(t, bareInput(t)) })
	t.Run("managed", func(t *testing.T) {
		in := bareInput(t)
		in.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr("10.0.0.100"), Interface: "eth0"}
		for i := range in.Cluster.Hosts {
			h := &in.Cluster.Hosts[i]
			h.Roles = append(h.Roles, cluster.RoleLoadBalancer)
			in.Snapshot.Hosts[h.Name].Facts.Interfaces = []protocol.Interface{{Name: "eth0"}}
		}
		testResetCovers(t, in)
	})
}

func testResetCovers(t *testing.T, in component.Input) {
	t.Helper()
	applied, list, err := planner.Apply(in)
	if err != nil || list.HasErrors() {
		t.Fatalf("%v, %v", list, err)
	}
	written := writtenPaths(applied)
	total := 0
	for host, paths := range written {
		total += len(paths)
		in.Snapshot.Hosts[host].Facts = factsWith(paths)
	}
	if total < 60 {
		t.Fatalf("the apply plan names only %d paths: %v", total, written)
	}
	p, list, err := planner.Reset(in, nil)
	if err != nil || list.HasErrors() {
		t.Fatalf("%v, %v", list, err)
	}
	for host, paths := range written {
		for _, name := range paths {
			if !covered(p, host, name) {
				t.Errorf("apply writes %s on %s, and reset does not take it away", name, host)
			}
		}
	}
}

// writtenPaths are the files that a plan makes, by host.
func writtenPaths(p *plan.Plan) map[string][]string {
	written := map[string][]string{}
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			host, name := s.Host, c.What
			if at, rest, ok := strings.Cut(name, ":/"); ok && host == "" {
				host, name = at, "/"+rest
			}
			name, _, _ = strings.Cut(name, " ") // a binary's version follows
			if strings.HasPrefix(name, "/") && host != "" {
				written[host] = append(written[host], name)
			}
		}
	}
	return written
}

// factsWith is a host on which all the paths exist as apply writes them.
func factsWith(paths []string) *protocol.Facts {
	f := &protocol.Facts{Files: map[string]protocol.File{}, Dirs: map[string][]string{}}
	for _, name := range paths {
		for at := name; at != "/"; at = path.Dir(at) {
			f.Files[at] = protocol.File{Exists: true, Dir: at != name}
			f.Dirs[path.Dir(at)] = append(f.Dirs[path.Dir(at)], path.Base(at))
		}
	}
	for name, file := range f.Files {
		switch {
		case strings.HasSuffix(name, ".service"):
			file.Content = "# Written by quorate; …\n"
		case name == "/etc/hosts":
			file.Content = component.ReplaceBlock("", "10.0.0.1 lb.test")
		case name == "/etc/fstab":
			file.Content = component.SwapOff + "/dev/sda2 none swap sw 0 0\n"
		}
		f.Files[name] = file
	}
	return f
}

// covered reports whether a reset removes or restores a path of a host.
func covered(p *plan.Plan, host, name string) bool {
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			if s.Host == host && (name == c.What || strings.HasPrefix(name, c.What+"/")) {
				return true
			}
		}
	}
	return false
}
