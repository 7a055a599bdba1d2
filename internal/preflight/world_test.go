package preflight_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/state"
)

// world is an observation that tests change; fit has nothing wrong.
type world struct{ *preflight.Observation }

// vip is the virtual address of clusters that have one.
var vip = netip.MustParseAddr("10.0.0.100")

// fit is three bare control-plane hosts with etcd, two workers and two load
// balancers, all of them fit.
func fit(t *testing.T) world {
	t.Helper()
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster.Cluster{
		Name:       "prod",
		Kubernetes: cluster.Kubernetes{APIServerPort: 6443, Version: release.Kubernetes, ProxyMode: "nftables"},
		Endpoint:   cluster.Endpoint{Domain: "lb.example.org", Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerLocalhost, Type: "haproxy"}},
		Etcd:       cluster.Etcd{Mode: cluster.EtcdExternal, DataDir: "/var/lib/etcd", Heartbeat: 100 * time.Millisecond, Election: time.Second},
		Network:    cluster.Network{Plugin: "flannel", Flannel: cluster.Flannel{Backend: "vxlan"}},
	}
	w := world{&preflight.Observation{
		Input: component.Input{
			Cluster: c, Release: release,
			Snapshot:  &state.Snapshot{Hosts: map[string]*state.Host{}, Etcd: map[string]state.EtcdMember{}},
			Artefacts: &bundle.Manifest{Kubernetes: release.Kubernetes, Arch: "amd64"},
		},
		Probes: &preflight.Probes{Hosts: map[string]preflight.HostProbes{}},
	}}
	for i, name := range []string{"cp-1", "cp-2", "cp-3", "node-1", "node-2", "lb-1", "lb-2"} {
		roles := map[string][]cluster.Role{
			"cp": {cluster.RoleControlPlane, cluster.RoleEtcd}, "node": {cluster.RoleWorker}, "lb": {cluster.RoleLoadBalancer},
		}[strings.Split(name, "-")[0]]
		w.add(name, i+1, roles...)
	}
	w.connect()
	return w
}

func (w world) add(name string, number int, roles ...cluster.Role) {
	address := netip.AddrFrom4([4]byte{10, 0, 0, byte(number)})
	w.Cluster.Hosts = append(w.Cluster.Hosts, cluster.Host{Name: name, Address: address.String(), InternalAddress: address, Roles: roles})
	synced := true
	facts := &protocol.Facts{
		Hostname: name, MachineID: "machine-" + name, BootID: "boot-" + name, ProductUUID: "uuid-" + name,
		OS: protocol.OS{ID: "debian", Version: "12", PrettyName: "Debian 12"}, Kernel: "6.1.0-42-amd64", Arch: "amd64",
		CPUs: 4, MemoryBytes: 8 << 30, Cgroup: "v2", NTPSynced: &synced, Resolv: []string{"10.0.0.254"}, PackageTool: "apt",
		Interfaces: []protocol.Interface{
			{Name: "lo", MTU: 65536, Addresses: []string{"127.0.0.1/8"}},
			{Name: "eth0", MTU: 1500, MAC: fmt.Sprintf("02:00:00:00:00:%02x", number), Addresses: []string{address.String() + "/24"}},
		},
		Files: map[string]protocol.File{
			"/sys/fs/cgroup/cgroup.controllers": {Exists: true, Content: "cpuset cpu io memory hugetlb pids rdma\n"},
		},
		Units: map[string]protocol.Unit{}, Dirs: map[string][]string{}, Disks: map[string]protocol.Disk{},
		Modules:  map[string]bool{"overlay": true, "br_netfilter": true, "vxlan": true},
		Packages: map[string]string{"conntrack": "1", "nftables": "1", "haproxy": "1", "keepalived": "1"},
	}
	for _, place := range component.Disks(w.Cluster) {
		facts.Disks[place] = protocol.Disk{MountPoint: "/", Type: "ext4", Size: 100 << 30, Available: 50 << 30}
	}
	w.Snapshot.Hosts[name] = &state.Host{Name: name, Facts: facts}
	p := preflight.HostProbes{Names: map[string]preflight.Lookup{}}
	if w.Cluster.Host(name).Has(cluster.RoleEtcd) {
		p.Fsync = &preflight.Fsync{P50: time.Millisecond, P99: 4 * time.Millisecond, Max: 200 * time.Millisecond, Writes: 300}
	}
	w.Probes.Hosts[name] = p
}

// connect makes all connections come about.
func (w world) connect() {
	w.Probes.Paths, w.Probes.RoundTrips = nil, nil
	for _, r := range preflight.Routes(w.Cluster) {
		w.Probes.Paths = append(w.Probes.Paths, preflight.Path{
			From: r.From.Name, To: r.Target, What: r.What,
			Listener: preflight.ListenerOurs, Connected: true, Whole: !r.Target.UDP,
		})
		if r.Target.Port == 2380 {
			w.Probes.RoundTrips = append(w.Probes.RoundTrips, preflight.RoundTrip{From: r.From.Name, To: r.To.Name, Took: 300 * time.Microsecond})
		}
	}
}

func (w world) facts(host string) *protocol.Facts { return w.Snapshot.Hosts[host].Facts }

// joined makes a host one that Quorate has joined to the cluster of a CA.
func (w world) joined(host, ca string) {
	files := w.facts(host).Files
	files["/etc/quorate/endpoint"] = protocol.File{Exists: true}
	files["/etc/kubernetes/kubelet.conf"] = protocol.File{Exists: true}
	if ca != "" {
		files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Certificates: ca}
	}
}

// probes changes what was tried on a host.
func (w world) probes(host string, change func(*preflight.HostProbes)) {
	p := w.Probes.Hosts[host]
	change(&p)
	w.Probes.Hosts[host] = p
}

// paths changes the paths to a host's port.
func (w world) paths(to string, port int, change func(*preflight.Path)) {
	for i := range w.Probes.Paths {
		if p := &w.Probes.Paths[i]; p.To.Host == to && p.To.Port == port {
			change(p)
		}
	}
}

// drop makes the packets to a host's port vanish.
func (w world) drop(to string, port int, from ...string) {
	w.paths(to, port, func(p *preflight.Path) {
		for _, f := range from {
			if p.From == f {
				p.Connected, p.Whole, p.Error = false, false, "dial tcp 10.0.0.2:2380: i/o timeout"
			}
		}
	})
}

// managed makes it a cluster with a virtual address that nobody answers at.
func (w world) managed() {
	w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerManaged, Type: "haproxy", VIP: vip}
	w.connect()
	for _, name := range []string{"lb-1", "lb-2"} {
		w.probes(name, func(p *preflight.HostProbes) { p.VIP = &preflight.VIPAnswer{} })
	}
}

// barrier makes a host one that was not observed.
func (w world) barrier(host string, b state.Barrier, why string) {
	w.Snapshot.Hosts[host] = &state.Host{Name: host, Error: host + ": " + why, Barrier: b, Unreachable: b == state.BarrierSilence}
	delete(w.Probes.Hosts, host)
	var paths []preflight.Path
	for _, p := range w.Probes.Paths {
		if p.From != host && p.To.Host != host {
			paths = append(paths, p)
		}
	}
	w.Probes.Paths = paths
}
