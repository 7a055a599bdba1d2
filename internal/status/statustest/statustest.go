// Package statustest makes observed clusters for tests of what judges and
// shows them: a healthy one of three control-plane hosts and three workers,
// and the failures that can befall it.
package statustest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Taken is when the clusters are observed.
var Taken = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// World is a cluster as desired and as observed.
type World struct {
	Cluster  *cluster.Cluster
	Snapshot *state.Snapshot
}

// Version is what the cluster runs.
const Version = "v1.37.1"

// Healthy is a cluster of three control-plane hosts with etcd, and three
// workers, with nothing wrong.
func Healthy() World {
	c := &cluster.Cluster{
		Name:       "prod",
		Kubernetes: cluster.Kubernetes{Version: Version, APIServerPort: 6443},
		Endpoint:   cluster.Endpoint{Domain: "lb.example.org", Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerLocalhost}},
		Etcd:       cluster.Etcd{Mode: cluster.EtcdExternal, DataDir: "/var/lib/etcd", QuotaBackendBytes: 2 << 30},
		Network:    cluster.Network{Plugin: "flannel"},
	}
	s := &state.Snapshot{
		Taken: Taken, Hosts: map[string]*state.Host{}, Etcd: map[string]state.EtcdMember{},
		API: &state.API{
			Version: Version, Via: "cp-1", Nodes: map[string]state.Node{},
			Leases: map[string]state.Lease{
				"kube-scheduler":          {Holder: "cp-2", Renewed: Taken.Add(-time.Second)},
				"kube-controller-manager": {Holder: "cp-3", Renewed: Taken.Add(-time.Second)},
			},
			Workloads: map[string]state.Workload{
				"Deployment/kube-system/coredns":         {Desired: 2, Ready: 2, Updated: 2},
				"DaemonSet/kube-system/kube-proxy":       {Desired: 6, Ready: 6, Updated: 6},
				"DaemonSet/kube-flannel/kube-flannel-ds": {Desired: 6, Ready: 6, Updated: 6},
			},
		},
	}
	w := World{c, s}
	for i := range 3 {
		w.addHost(fmt.Sprintf("cp-%d", i+1), 11+i, cluster.RoleControlPlane, cluster.RoleEtcd)
	}
	for i := range 3 {
		w.addHost(fmt.Sprintf("worker-%d", i+1), 21+i, cluster.RoleWorker)
	}
	var peers []state.EtcdPeer
	for i, h := range c.ControlPlanes() {
		address := "https://" + h.InternalAddress.String()
		peers = append(peers, state.EtcdPeer{ID: fmt.Sprint(101 + i), Name: h.Name, PeerURLs: []string{address + ":2380"}, ClientURLs: []string{address + ":2379"}})
	}
	ca := certificate(Taken.Add(3650*24*time.Hour + 12*time.Hour))
	for i, h := range c.ControlPlanes() {
		s.Etcd[h.Name] = state.EtcdMember{ID: fmt.Sprint(101 + i), Leader: "102", Version: "3.7.0", DBBytes: 5_200_000, RaftTerm: "4", Members: peers}
		s.Hosts[h.Name].APIServer = &state.Probe{OK: true, Took: time.Duration(11+i) * time.Millisecond}
		s.Hosts[h.Name].Programs = []state.Program{{Name: "kube-scheduler", Running: true}, {Name: "kube-controller-manager", Running: true}}
		for path, days := range map[string]int{
			"/etc/kubernetes/pki/apiserver.crt": 364, "/etc/kubernetes/admin.conf": 364,
			"/etc/kubernetes/pki/apiserver-etcd-client.crt": 364, "/etc/etcd/pki/ca.crt": 3650, "/etc/etcd/pki/server.crt": 364,
		} {
			w.SetCertificate(h.Name, path, days)
		}
		s.Hosts[h.Name].Facts.Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Size: int64(len(ca)), Certificates: ca}
	}
	for _, h := range c.Workers() {
		proxy := &state.Proxy{}
		for _, cp := range c.ControlPlanes() {
			proxy.Backends = append(proxy.Backends, state.Backend{Name: cp.Name, Address: cp.InternalAddress.String() + ":6443", Up: true, Detail: "L7OK"})
		}
		s.Hosts[h.Name].Proxy = proxy
		w.SetCertificate(h.Name, "/etc/kubernetes/kubelet.conf", 360)
		s.Hosts[h.Name].Facts.Files["/etc/kubernetes/pki/ca.crt"] = protocol.File{Exists: true, Size: int64(len(ca)), Certificates: ca}
	}
	return w
}

func (w World) addHost(name string, last int, roles ...cluster.Role) {
	address := netip.AddrFrom4([4]byte{10, 0, 0, byte(last)})
	w.Cluster.Hosts = append(w.Cluster.Hosts, cluster.Host{Name: name, Address: address.String(), InternalAddress: address, Roles: roles})
	files := map[string]protocol.File{"/etc/quorate/endpoint": {Exists: true}} // Quorate built it
	if slices.Contains(roles, cluster.RoleEtcd) {
		files[w.Cluster.Etcd.DataDir+"/member"] = protocol.File{Exists: true, Dir: true}
	}
	w.Snapshot.Hosts[name] = &state.Host{Name: name, Facts: &protocol.Facts{Hostname: name, Time: Taken, Files: files}}
	w.Snapshot.API.Nodes[name] = state.Node{Ready: true, Kubelet: Version, InternalIP: address.String()}
}

// SetCertificate puts a certificate that ends in so many days on a host.
func (w World) SetCertificate(host, path string, days int) {
	// Half a day more, so that it ends in the middle of a day.
	text := certificate(Taken.Add(time.Duration(days)*24*time.Hour + 12*time.Hour))
	w.Snapshot.Hosts[host].Facts.Files[path] = protocol.File{Exists: true, Size: int64(len(text)), Certificates: text}
}

// certificate is a self-signed certificate as PEM.
func certificate(ends time.Time) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: Taken.Add(-5000 * time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(fmt.Sprintf("signing a certificate of these fixed fields: %v", err))
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Off switches hosts off: they do not answer, the other hosts notice, and
// when a majority is off the cluster stops.
func (w World) Off(hosts ...string) {
	for _, name := range hosts {
		h := w.Cluster.Host(name)
		w.Snapshot.Hosts[name] = &state.Host{
			Name: name, Error: fmt.Sprintf("%s: cannot reach SSH at %s:22 (i/o timeout): check that the host is on, its address and port, and the firewall between", name, h.Address),
		}
		delete(w.Snapshot.Etcd, name)
		if w.Snapshot.API != nil && h.IsNode() {
			n := w.Snapshot.API.Nodes[name]
			n.Ready, n.Reason = false, "Kubelet stopped posting node status."
			w.Snapshot.API.Nodes[name] = n
			for k, l := range w.Snapshot.API.Leases {
				if l.Holder == name {
					l.Holder = "cp-1"
					w.Snapshot.API.Leases[k] = l
				}
			}
			for k, wl := range w.Snapshot.API.Workloads {
				wl.Ready--
				w.Snapshot.API.Workloads[k] = wl
			}
		}
		w.BackendDown(name)
	}
	if len(w.Snapshot.Etcd) < cluster.Quorum(len(w.Cluster.EtcdHosts())) {
		w.LoseQuorum()
	} else if slices.ContainsFunc(w.Cluster.EtcdHosts(), func(h *cluster.Host) bool { return slices.Contains(hosts, h.Name) }) {
		for name, m := range w.Snapshot.Etcd {
			m.Leader = "101"
			w.Snapshot.Etcd[name] = m
		}
	}
}

// LoseQuorum leaves the members that run without a leader, and so without API servers.
func (w World) LoseQuorum() {
	for name, m := range w.Snapshot.Etcd {
		if m.Error == "" {
			m.Leader, m.Errors = "0", []string{"etcdserver: no leader"}
			w.Snapshot.Etcd[name] = m
		}
	}
	w.APIDown("etcd, etcd-readiness")
}

// APIDown makes every API server that answers not ready.
func (w World) APIDown(detail string) {
	for _, h := range w.Cluster.ControlPlanes() {
		if w.Snapshot.Hosts[h.Name].Facts != nil {
			w.Snapshot.Hosts[h.Name].APIServer = &state.Probe{Detail: detail, Took: 2 * time.Second}
		}
		w.BackendDown(h.Name)
	}
	w.Snapshot.API, w.Snapshot.APIError = nil, "no API server answers: "+detail
}

// BackendDown has every proxy find the API server of a host down.
func (w World) BackendDown(host string) {
	for _, h := range w.Snapshot.Hosts {
		if h.Proxy == nil {
			continue
		}
		for i := range h.Proxy.Backends {
			if b := &h.Proxy.Backends[i]; b.Name == host {
				b.Up, b.Detail = false, "L4TOUT"
			}
		}
	}
}

// Bare takes everything off the hosts, as before the first apply.
func (w World) Bare() {
	for _, h := range w.Snapshot.Hosts {
		*h = state.Host{Name: h.Name, Facts: &protocol.Facts{Hostname: h.Name, Time: Taken, Files: map[string]protocol.File{
			"/etc/hosts": {Exists: true}, "/etc/kubernetes/pki/ca.crt": {},
		}}}
	}
	for name := range w.Snapshot.Etcd {
		w.Snapshot.Etcd[name] = state.EtcdMember{Error: "connection refused"}
	}
	w.Snapshot.API, w.Snapshot.APIError = nil, "no API server answers"
}
