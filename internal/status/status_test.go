package status_test

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/state"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func member(w statustest.World, host string, change func(*state.EtcdMember)) {
	m := w.Snapshot.Etcd[host]
	change(&m)
	w.Snapshot.Etcd[host] = m
}

func node(w statustest.World, name string, change func(*state.Node)) {
	n := w.Snapshot.API.Nodes[name]
	change(&n)
	w.Snapshot.API.Nodes[name] = n
}

// everyMember changes the membership that all members report.
func everyMember(w statustest.World, change func([]state.EtcdPeer) []state.EtcdPeer) {
	for name := range w.Snapshot.Etcd {
		member(w, name, func(m *state.EtcdMember) { m.Members = change(slices.Clone(m.Members)) })
	}
}

// stranger has all members list one that is none of the file's hosts, and say
// what it answers.
func stranger(w statustest.World, said state.EtcdMember) {
	everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer {
		return append(p, state.EtcdPeer{ID: "999", Name: "old", PeerURLs: []string{"https://10.0.0.99:2380"}, ClientURLs: []string{"https://10.0.0.99:2379"}})
	})
	w.Snapshot.EtcdOthers = map[string]state.EtcdMember{"999": said}
}

// restoredAlone makes the member of a host a cluster of its own.
func restoredAlone(w statustest.World, host string) {
	for name := range w.Snapshot.Etcd {
		member(w, name, func(m *state.EtcdMember) { m.ClusterID, m.Revision = "1", 587 })
	}
	member(w, host, func(m *state.EtcdMember) {
		own := m.Members[slices.IndexFunc(m.Members, func(p state.EtcdPeer) bool { return p.Name == host })]
		own.ID = "900"
		m.ID, m.Leader, m.ClusterID, m.Revision, m.Members = "900", "900", "2", 557, []state.EtcdPeer{own}
	})
}

// full raises NOSPACE, which every member tells.
func full(w statustest.World) {
	for name := range w.Snapshot.Etcd {
		member(w, name, func(m *state.EtcdMember) { m.Errors = []string{"memberID:101 alarm:NOSPACE "} })
	}
}

type problem struct {
	Kind     status.Kind
	Subject  string
	Severity diag.Severity
}

func err(k status.Kind, subject string) problem  { return problem{k, subject, diag.SeverityError} }
func warn(k status.Kind, subject string) problem { return problem{k, subject, diag.SeverityWarning} }

func TestProblems(t *testing.T) {
	tests := []struct {
		name      string
		change    func(statustest.World)
		problems  []problem
		state     status.State
		tolerated int
		// says are parts of the words, hints included, of all problems and the summary.
		says []string
	}{
		{"healthy", func(statustest.World) {}, nil, status.Healthy, 1, []string{"healthy; tolerates 1 failure"}},
		{
			"one host off", func(w statustest.World) { w.Off("cp-2") },
			[]problem{err(status.HostUnreachable, "cp-2")}, status.Degraded, 0,
			[]string{"DEGRADED: cp-2 does not answer; tolerates no further failure", "its etcd member and API server may be down", "10.0.0.12:22"},
		},
		{
			"a worker off", func(w statustest.World) { w.Off("worker-2") },
			[]problem{err(status.HostUnreachable, "worker-2")}, status.Degraded, 1, []string{"worker-2 does not answer; tolerates 1 failure"},
		},
		{
			"quorum lost", func(w statustest.World) { w.Off("cp-2", "cp-3") },
			[]problem{
				err(status.EtcdNoQuorum, "etcd"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3"),
				err(status.APIServerNotReady, "cp-1"),
			},
			status.Down, 0,
			[]string{"DOWN: etcd has no quorum", "1 of 3 members run, 2 are needed", "bring 1 of cp-2 and cp-3 back", "the checks etcd and etcd-readiness fail, because etcd has no quorum"},
		},
		{
			"all members run without a leader", func(w statustest.World) { w.LoseQuorum() },
			[]problem{
				err(status.EtcdNoLeader, "etcd"), err(status.APIServerNotReady, "cp-1"),
				err(status.APIServerNotReady, "cp-2"), err(status.APIServerNotReady, "cp-3"),
			},
			status.Down, 0, []string{"they have no leader", "port 2380"},
		},
		{
			"all API servers down, etcd well", func(w statustest.World) { w.APIDown("dial tcp 10.0.0.11:6443: connect: connection refused") },
			[]problem{err(status.APIServerNotReady, "cp-1"), err(status.APIServerNotReady, "cp-2"), err(status.APIServerNotReady, "cp-3")},
			status.Down, 0, []string{"DOWN: no API server is ready", "connection refused", "journalctl -u kubelet"},
		},
		{
			"quorum lost, a proxy has not noticed", func(w statustest.World) {
				w.Off("cp-2", "cp-3")
				w.Snapshot.Hosts["worker-1"].Proxy.Backends[2].Up = true
			},
			[]problem{
				err(status.EtcdNoQuorum, "etcd"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3"),
				err(status.APIServerNotReady, "cp-1"),
			},
			status.Down, 0, []string{"DOWN: etcd has no quorum", "look again in a few seconds"},
		},
		{
			"no host answers", func(w statustest.World) {
				w.Off("cp-1", "cp-2", "cp-3", "worker-1", "worker-2", "worker-3")
				w.Snapshot.API = nil
			},
			[]problem{
				err(status.HostUnreachable, "cp-1"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3"),
				err(status.HostUnreachable, "worker-1"), err(status.HostUnreachable, "worker-2"), err(status.HostUnreachable, "worker-3"),
			},
			status.Unreachable, 0, []string{"none of the 6 hosts answers"},
		},
		{
			// Once told as DOWN, because SSH servers were slower than the timeout.
			"every control-plane host is too busy for SSH, and nobody else tells", func(w statustest.World) {
				for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
					w.Snapshot.Hosts[name] = &state.Host{Name: name, Error: name + ": no answer within 3s"}
				}
				for _, name := range []string{"worker-1", "worker-2", "worker-3"} {
					w.Snapshot.Hosts[name].Proxy = &state.Proxy{Error: "no answer in time"}
				}
				w.Snapshot.API, w.Snapshot.Etcd = nil, map[string]state.EtcdMember{}
			},
			[]problem{
				err(status.HostUnreachable, "cp-1"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3"),
				err(status.ProxyUnreachable, "worker-1"), err(status.ProxyUnreachable, "worker-2"), err(status.ProxyUnreachable, "worker-3"),
			},
			status.Unknown, 0, []string{"UNKNOWN: cp-1, cp-2 and cp-3 do not answer, and nothing else tells whether the API serves", "look at its load"},
		},
		{
			"every control-plane host is away, and the proxies reach none", func(w statustest.World) {
				w.Off("cp-1", "cp-2", "cp-3")
				for _, name := range []string{"worker-1", "worker-2", "worker-3"} {
					for i := range w.Snapshot.Hosts[name].Proxy.Backends {
						w.Snapshot.Hosts[name].Proxy.Backends[i].Up = false
					}
				}
				w.Snapshot.API, w.Snapshot.Etcd = nil, map[string]state.EtcdMember{}
			},
			[]problem{
				err(status.HostUnreachable, "cp-1"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3"),
			},
			status.Down, 0, []string{"DOWN: no API server is ready"},
		},
		{
			"SSH alone is away", func(w statustest.World) {
				for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
					w.Snapshot.Hosts[name] = &state.Host{Name: name, Error: name + ": refused"}
				}
				w.Snapshot.API, w.Snapshot.Etcd = nil, map[string]state.EtcdMember{}
			},
			[]problem{err(status.HostUnreachable, "cp-1"), err(status.HostUnreachable, "cp-2"), err(status.HostUnreachable, "cp-3")},
			status.Degraded, 0, []string{"the proxy of worker-1 reaches its API server", "the host is on: mend the way to its SSH server"},
		},
		{
			"never built", func(w statustest.World) { w.Bare() },
			[]problem{err(status.NeverBuilt, "")}, status.Absent, 0, []string{"no cluster here yet: run quorate apply"},
		},
		{
			"never built, a host off", func(w statustest.World) { w.Bare(); w.Off("cp-3") },
			[]problem{err(status.NeverBuilt, ""), err(status.HostUnreachable, "cp-3")}, status.Absent, 0, nil,
		},
		{
			"member down", func(w statustest.World) {
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "dial tcp 127.0.0.1:2379: connect: connection refused"}
			},
			[]problem{err(status.EtcdMemberDown, "cp-3")}, status.Degraded, 0, []string{"connection refused", "journalctl -u etcd"},
		},
		{
			"member cut off", func(w statustest.World) {
				member(w, "cp-3", func(m *state.EtcdMember) { m.Leader = "0" })
			},
			[]problem{err(status.EtcdMemberDown, "cp-3")}, status.Degraded, 0, []string{"cut off from the others"},
		},
		{
			"learner", func(w statustest.World) {
				member(w, "cp-3", func(m *state.EtcdMember) { m.Learner = true })
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer { p[2].Learner = true; return p })
			},
			[]problem{err(status.EtcdLearner, "cp-3")}, status.Degraded, 0, []string{"quorate apply promotes it"},
		},
		{
			"not a member", func(w statustest.World) {
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer { return p[:2] })
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "refused"}
				delete(w.Snapshot.Hosts["cp-3"].Facts.Files, "/var/lib/etcd/member")
			},
			[]problem{err(status.EtcdNotMember, "cp-3")}, status.Degraded, 0, []string{"quorate apply makes it a member"},
		},
		{
			"a member that is well and not in the file", func(w statustest.World) { stranger(w, state.EtcdMember{ID: "999", Leader: "102"}) },
			[]problem{warn(status.EtcdUnknownMember, "etcd")}, status.Healthy, 1,
			[]string{"old (10.0.0.99) is not in the cluster file, and its etcd member still votes: 3 of the 4 voters are the file's", "put old (10.0.0.99) back into the cluster file"},
		},
		{
			// Four voters need three, so none of the three that are seen well may go.
			"a voter that is not in the file and does not answer", func(w statustest.World) { stranger(w, state.EtcdMember{Error: "i/o timeout"}) },
			[]problem{err(status.EtcdUnknownMember, "etcd")}, status.Degraded, 0,
			[]string{"old (10.0.0.99) is not in the cluster file, still votes in etcd and does not answer (i/o timeout)", "on cp-1, `etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt", "member remove 3e7`"},
		},
		{
			"a voter that is not in the file and could not be asked", func(w statustest.World) { stranger(w, state.EtcdMember{ID: "999"}); w.Snapshot.EtcdOthers = nil },
			[]problem{warn(status.EtcdUnknownMember, "etcd")}, status.Healthy, 0, []string{"was not asked", "run the same command again"},
		},
		{
			"a voter that never started", func(w statustest.World) {
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer {
					return append(p, state.EtcdPeer{ID: "999", PeerURLs: []string{"https://10.0.0.99:2380"}})
				})
			},
			[]problem{err(status.EtcdUnknownMember, "etcd")}, status.Degraded, 0, []string{"10.0.0.99 is not in the cluster file, still votes in etcd and never started"},
		},
		{
			"two etcd clusters", func(w statustest.World) { restoredAlone(w, "cp-1") },
			[]problem{err(status.EtcdDivided, "etcd")}, status.Degraded, 0,
			[]string{
				"DEGRADED: etcd: the members belong to 2 etcd clusters: A (cp-2, cp-3, revision 587), B (cp-1, revision 557)",
				"nobody but you knows which is to stay", "on cp-1, `systemctl stop etcd` and `mv /var/lib/etcd/member /var/lib/etcd/member.aside`",
			},
		},
		{
			"two leaders in one etcd cluster", func(w statustest.World) {
				restoredAlone(w, "cp-3")
				member(w, "cp-3", func(m *state.EtcdMember) { m.ClusterID = "1" })
			},
			[]problem{err(status.EtcdDivided, "etcd")}, status.Degraded, 0, []string{"2 etcd members each say that they lead: A (cp-1, cp-2, revision 587), B (cp-3, revision 557)", "look again first"},
		},
		{
			"a member lost its data", func(w statustest.World) {
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "refused"}
				delete(w.Snapshot.Hosts["cp-3"].Facts.Files, "/var/lib/etcd/member")
			},
			[]problem{err(status.EtcdNotMember, "cp-3")}, status.Degraded, 0, []string{"the etcd member of cp-3 has lost its data folder", "member remove 67`"},
		},
		{
			"data that no member knows of", func(w statustest.World) {
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer { return p[:2] })
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "refused"}
			},
			[]problem{err(status.EtcdNotMember, "cp-3")}, status.Degraded, 0, []string{"cp-3 holds etcd data at /var/lib/etcd, but the cluster does not list it", "quorate reset --host cp-3"},
		},
		{
			"a healthy voter at another address than the file's", func(w statustest.World) {
				w.Cluster.Hosts[2].InternalAddress = netip.MustParseAddr("10.0.0.33")
			},
			[]problem{err(status.AddressDiffers, "cp-3")}, status.Degraded, 1, []string{"has joined the cluster with the address 10.0.0.13, and the file gives it 10.0.0.33, at which it was asked"},
		},
		{
			"an etcd host at another address than the file's, where it is not found", func(w statustest.World) {
				w.Cluster.Hosts[2].InternalAddress = netip.MustParseAddr("10.0.0.33")
				w.Cluster.Hosts[2].Roles = []cluster.Role{cluster.RoleEtcd}
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "x509: certificate is valid for 10.0.0.13, not 10.0.0.33"}
				delete(w.Snapshot.API.Nodes, "cp-3")
				w.Snapshot.API.Leases["kube-controller-manager"] = w.Snapshot.API.Leases["kube-scheduler"]
				w.Snapshot.Hosts["cp-3"].Facts.Files["/etc/quorate/etcd-formed"] = protocol.File{Exists: true}
			},
			[]problem{err(status.AddressDiffers, "cp-3")}, status.Degraded, 0, []string{"put internalAddress: 10.0.0.13 back in the cluster file"},
		},
		{
			"a new host while a voter that is not in the file does not answer", func(w statustest.World) {
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer {
					p[2].Name, p[2].PeerURLs = "old", []string{"https://10.0.0.99:2380"}
					return p
				})
				w.Snapshot.Etcd["cp-3"] = state.EtcdMember{Error: "refused"}
				w.Snapshot.EtcdOthers = map[string]state.EtcdMember{"103": {Error: "i/o timeout"}}
				delete(w.Snapshot.Hosts["cp-3"].Facts.Files, "/var/lib/etcd/member")
			},
			[]problem{err(status.EtcdNotMember, "cp-3"), err(status.EtcdUnknownMember, "etcd")}, status.Degraded, 0,
			[]string{"etcd does not list one; etcd is given no member on cp-3 now: old (10.0.0.99) votes and does not answer (i/o timeout)"},
		},
		{
			"no space", func(w statustest.World) {
				full(w)
				member(w, "cp-1", func(m *state.EtcdMember) { m.DBBytes = 2 << 30 })
			},
			[]problem{err(status.EtcdAlarm, "etcd")}, status.Down, 0,
			[]string{
				"DOWN: no write is taken: etcd's database reached its quota (alarm NOSPACE)", "the database fills 100 % of the quota of 2048 MB",
				"raise etcd.quotaBackendBytes in the cluster file and run `quorate apply`, which disarms the alarm, too",
				"etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/healthcheck-client.crt --key /etc/etcd/pki/healthcheck-client.key compact REVISION",
			},
		},
		{
			"space again, and the alarm is still raised", full,
			[]problem{err(status.EtcdAlarm, "etcd")}, status.Down, 0, []string{"though its database has room again", "quorate apply disarms it"},
		},
		{
			"corrupt", func(w statustest.World) {
				for _, name := range []string{"cp-1", "cp-2", "cp-3"} { // each tells the alarms of all
					member(w, name, func(m *state.EtcdMember) { m.Errors = []string{"memberID:101 alarm:CORRUPT "} })
				}
			},
			[]problem{err(status.EtcdAlarm, "etcd")}, status.Down, 0, []string{
				"DOWN: no write is taken: etcd's members differ in their data (alarm CORRUPT)", "the data of cp-1 is not that of the other members",
				"on cp-1, `systemctl stop etcd` and `mv /var/lib/etcd/member /var/lib/etcd/member.aside`",
			},
		},
		{
			"corrupt, and nobody knows which", func(w statustest.World) {
				member(w, "cp-2", func(m *state.EtcdMember) { m.Errors = []string{"alarm:CORRUPT "} })
			},
			[]problem{err(status.EtcdAlarm, "etcd")}, status.Down, 0, []string{"no majority of them is known to agree", "keep all", "endpoint hashkv"},
		},
		{
			"whose data was corrupt is gone, and the alarm is still raised", func(w statustest.World) {
				member(w, "cp-2", func(m *state.EtcdMember) { m.Errors = []string{"memberID:99 alarm:CORRUPT "} })
			},
			[]problem{err(status.EtcdAlarm, "etcd")}, status.Down, 0, []string{"no member any more", "quorate apply disarms it"},
		},
		{
			"nearly full", func(w statustest.World) {
				member(w, "cp-1", func(m *state.EtcdMember) { m.DBBytes = 1900 << 20 })
			},
			[]problem{warn(status.EtcdNearlyFull, "cp-1")}, status.Healthy, 1, []string{"92 %"},
		},
		{
			"etcd versions", func(w statustest.World) {
				member(w, "cp-1", func(m *state.EtcdMember) { m.Version = "3.6.8" })
			},
			[]problem{warn(status.EtcdVersions, "etcd")}, status.Healthy, 1, []string{"cp-1 3.6.8, cp-2 3.7.0"},
		},
		{
			"even", func(w statustest.World) {
				w.Cluster.Hosts[2].Roles = []cluster.Role{cluster.RoleControlPlane}
				delete(w.Snapshot.Etcd, "cp-3")
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer { return p[:2] })
			},
			[]problem{warn(status.EtcdEven, "etcd")}, status.Healthy, 0, []string{"2 members tolerate no more failures than 1: 0", "use 1 or 3"},
		},
		{
			"one API server not ready", func(w statustest.World) {
				w.Snapshot.Hosts["cp-2"].APIServer = &state.Probe{Detail: "poststarthook/rbac/bootstrap-roles"}
				w.BackendDown("cp-2")
			},
			[]problem{err(status.APIServerNotReady, "cp-2")}, status.Degraded, 1, []string{"the check poststarthook/rbac/bootstrap-roles fails"},
		},
		{
			"API answers nothing", func(w statustest.World) {
				w.Snapshot.API, w.Snapshot.APIError = nil, "cp-1: Unauthorized"
			},
			[]problem{err(status.APIUnusable, "")}, status.Degraded, 1, []string{"Unauthorized", "admin.conf"},
		},
		{
			"API takes no expired admin.conf", func(w statustest.World) {
				w.Snapshot.API, w.Snapshot.APIError, w.Snapshot.APIUnauthorized = nil, "cp-1: Unauthorized", true
				w.SetCertificate("cp-1", "/etc/kubernetes/admin.conf", -1)
			},
			[]problem{err(status.APIUnusable, ""), err(status.CertificateExpired, "cp-1")}, status.Degraded, 1, []string{"Unauthorized quorate apply renews the admin.conf that expired"},
		},
		{
			"API slow", func(w statustest.World) {
				w.Snapshot.API, w.Snapshot.APIError = nil, "cp-1: context deadline exceeded"
			},
			[]problem{err(status.APIUnusable, "")}, status.Degraded, 1, []string{"do not answer questions in time"},
		},
		{
			"admin.conf with a program in it", func(w statustest.World) {
				w.Snapshot.Hosts["cp-2"].AdminConf = "cp-2: /etc/kubernetes/admin.conf is not used: users[u].exec is nothing that kubeadm writes there"
			},
			[]problem{err(status.AdminConfRefused, "cp-2")}, status.Degraded, 1,
			[]string{"/etc/kubernetes/admin.conf is not used: users[u].exec", "who changed that file on cp-2"},
		},
		{
			"stale lease", func(w statustest.World) {
				w.Snapshot.API.Leases["kube-scheduler"] = state.Lease{Holder: "cp-2", Renewed: statustest.Taken.Add(-3 * time.Minute)}
			},
			[]problem{err(status.LeaseStale, "kube-scheduler")}, status.Degraded, 1, []string{"on cp-2 gave no sign for 3m0s", "no pod is scheduled"},
		},
		{
			"lease by a clock that is behind", func(w statustest.World) {
				w.Snapshot.API.Leases["kube-scheduler"] = state.Lease{Holder: "cp-2", Renewed: statustest.Taken.Add(-40 * time.Second)}
				w.Snapshot.Hosts["cp-2"].Clock = -39 * time.Second
			},
			[]problem{warn(status.ClockSkew, "cp-1")}, status.Healthy, 1, []string{"39s ahead of that of cp-2"},
		},
		{
			"no lease", func(w statustest.World) { delete(w.Snapshot.API.Leases, "kube-controller-manager") },
			[]problem{err(status.LeaseStale, "kube-controller-manager")}, status.Degraded, 1, []string{"none of its instances leads"},
		},
		{
			"clock far off", func(w statustest.World) { w.Snapshot.Hosts["worker-1"].Clock = 5 * time.Minute },
			[]problem{err(status.ClockSkew, "worker-1")}, status.Degraded, 1, []string{"5m0s ahead", "chrony"},
		},
		{
			"node not ready", func(w statustest.World) {
				node(w, "worker-1", func(n *state.Node) { n.Ready, n.Reason = false, "container runtime network not ready" })
			},
			[]problem{err(status.NodeNotReady, "worker-1")}, status.Degraded, 1, []string{"network not ready"},
		},
		{
			"node of a host that never joined", func(w statustest.World) {
				delete(w.Snapshot.API.Nodes, "worker-3")
				delete(w.Snapshot.Hosts["worker-3"].Facts.Files, "/etc/kubernetes/kubelet.conf")
			},
			[]problem{err(status.NodeMissing, "worker-3")}, status.Degraded, 1, []string{"quorate apply joins it"},
		},
		{
			"node deleted", func(w statustest.World) { delete(w.Snapshot.API.Nodes, "worker-3") },
			[]problem{err(status.NodeMissing, "worker-3")}, status.Degraded, 1, []string{"restarts its kubelet, which registers it again"},
		},
		{
			"node not in the file", func(w statustest.World) {
				node(w, "stray", func(n *state.Node) { n.Ready, n.Kubelet = true, statustest.Version })
			},
			[]problem{warn(status.NodeNotInFile, "stray")}, status.Healthy, 1, []string{"kubectl drain stray"},
		},
		{
			"older kubelet", func(w statustest.World) { node(w, "worker-1", func(n *state.Node) { n.Kubelet = "v1.36.3" }) },
			[]problem{warn(status.VersionDiffers, "worker-1")}, status.Healthy, 1, []string{"is v1.36.3, the file says v1.37.1"},
		},
		{
			"older API server", func(w statustest.World) { w.Snapshot.API.Version = "v1.36.3" },
			[]problem{warn(status.VersionDiffers, "cp-1")}, status.Healthy, 1, nil,
		},
		{
			"proxy down", func(w statustest.World) {
				w.Snapshot.Hosts["worker-1"].Proxy = &state.Proxy{Error: "dial unix /run/quorate-haproxy/state.sock: no such file"}
			},
			[]problem{err(status.ProxyUnreachable, "worker-1")}, status.Degraded, 1, []string{"systemctl status quorate-haproxy"},
		},
		{
			"backend down for one worker", func(w statustest.World) {
				b := &w.Snapshot.Hosts["worker-2"].Proxy.Backends[2]
				b.Up, b.Detail = false, "L4TOUT"
			},
			[]problem{err(status.ProxyBackendDown, "worker-2")}, status.Degraded, 1, []string{"API server of cp-3, which is ready", "from worker-2 to port 6443 of cp-3", "L4TOUT"},
		},
		{
			"all backends down for one worker", func(w statustest.World) {
				for i := range w.Snapshot.Hosts["worker-2"].Proxy.Backends {
					w.Snapshot.Hosts["worker-2"].Proxy.Backends[i].Up = false
				}
			},
			[]problem{err(status.ProxyNoBackend, "worker-2")}, status.Degraded, 1, nil,
		},
		{
			"backend missing", func(w statustest.World) {
				p := w.Snapshot.Hosts["worker-2"].Proxy
				p.Backends = p.Backends[:2]
			},
			[]problem{warn(status.ProxyBackendMissing, "worker-2")}, status.Healthy, 1, []string{"does not know of cp-3"},
		},
		{
			"the user's balancer is well", func(w statustest.World) { w.Cluster.Endpoint.LoadBalancer.Mode = cluster.BalancerExternal },
			nil, status.Healthy, 1, nil,
		},
		{
			"the user's balancer loses an API server", func(w statustest.World) {
				w.Cluster.Endpoint.LoadBalancer.Mode = cluster.BalancerExternal
				for _, h := range w.Cluster.Workers() { // told once, not by every node
					w.Snapshot.Hosts[h.Name].Proxy.Backends[2].Up = false
				}
			},
			[]problem{err(status.BalancerBackendDown, "")}, status.Degraded, 1, []string{"API server of cp-3, which is ready", "quorate endpoint check"},
		},
		{
			"the user's balancer loses an API server that is down", func(w statustest.World) {
				w.Cluster.Endpoint.LoadBalancer.Mode = cluster.BalancerExternal
				w.Snapshot.Hosts["cp-3"].APIServer = &state.Probe{Detail: "connection refused"}
				for _, h := range w.Cluster.Workers() {
					w.Snapshot.Hosts[h.Name].Proxy.Backends[2].Up = false
				}
			},
			[]problem{err(status.APIServerNotReady, "cp-3")}, status.Degraded, 1, nil,
		},
		{
			"a node does not reach the user's balancer", func(w statustest.World) {
				w.Cluster.Endpoint.LoadBalancer.Mode = cluster.BalancerExternal
				w.Snapshot.Hosts["worker-2"].Proxy = &state.Proxy{Error: "dial tcp 10.0.0.100:6443: i/o timeout"}
			},
			[]problem{err(status.BalancerUnreachable, "worker-2")}, status.Degraded, 1, []string{"i/o timeout"},
		},
		{
			"the user's balancer knows another API server", func(w statustest.World) {
				w.Cluster.Endpoint.LoadBalancer.Mode = cluster.BalancerExternal
				for _, h := range w.Cluster.Workers() {
					p := w.Snapshot.Hosts[h.Name].Proxy
					p.Backends = append(p.Backends, state.Backend{Up: true})
				}
			},
			[]problem{warn(status.BalancerStranger, "")}, status.Healthy, 1, []string{"no longer control plane"},
		},
		{
			"certificates end", func(w statustest.World) {
				w.SetCertificate("cp-1", "/etc/kubernetes/pki/apiserver.crt", 12)
				w.SetCertificate("cp-2", "/etc/kubernetes/admin.conf", 29)
				w.SetCertificate("cp-3", "/etc/etcd/pki/server.crt", 30)
			},
			[]problem{warn(status.CertificateEnds, "cp-1"), warn(status.CertificateEnds, "cp-2")}, status.Healthy, 1,
			[]string{"its apiserver.crt ends in 12 days quorate apply renews it", "its admin.conf ends in 29 days quorate apply renews it"},
		},
		{
			"a kubelet was off for longer than its certificate", func(w statustest.World) { w.SetCertificate("worker-1", "/etc/kubernetes/kubelet.conf", -20) },
			[]problem{err(status.CertificateExpired, "worker-1")}, status.Degraded, 1, []string{"its kubelet.conf expired", "quorate apply gives it another one"},
		},
		{
			"a key is another one's", func(w statustest.World) {
				f := w.Snapshot.Hosts["cp-1"].Facts.Files["/etc/kubernetes/pki/apiserver.crt"]
				f.KeyError = "private key does not match public key"
				w.Snapshot.Hosts["cp-1"].Facts.Files["/etc/kubernetes/pki/apiserver.crt"] = f
			},
			[]problem{err(status.CertificateBad, "cp-1")}, status.Degraded, 1, []string{"the key of its apiserver.crt does not belong to it"},
		},
		{
			"a power cut left a scheduler's manifest empty", func(w statustest.World) {
				w.Snapshot.Hosts["cp-2"].Facts.Files["/etc/kubernetes/manifests/kube-scheduler.yaml"] = protocol.File{Exists: true}
				w.Snapshot.Hosts["cp-2"].Facts.Files["/var/lib/kubelet"] = protocol.File{Exists: true, Dir: true}
				w.Snapshot.Hosts["cp-2"].Programs[0] = state.Program{Name: "kube-scheduler", Detail: "its manifest is empty"}
			},
			[]problem{err(status.FileEmpty, "cp-2")}, status.Degraded, 1,
			[]string{"DEGRADED: cp-2: its /etc/kubernetes/manifests/kube-scheduler.yaml is empty, as a power cut leaves files; tolerates 1 failure", "quorate apply makes it anew"},
		},
		{
			"one controller manager is left", func(w statustest.World) {
				for _, h := range []string{"cp-1", "cp-2"} {
					w.Snapshot.Hosts[h].Programs[1] = state.Program{Name: "kube-controller-manager", Detail: "nothing listens on port 10257"}
				}
			},
			[]problem{err(status.ProgramDown, "cp-1"), err(status.ProgramDown, "cp-2")}, status.Degraded, 0,
			[]string{"its kube-controller-manager does not run", "nothing listens on port 10257", "tolerates no further failure"},
		},
		{
			"certificate expired", func(w statustest.World) { w.SetCertificate("cp-1", "/etc/etcd/pki/server.crt", -2) },
			[]problem{err(status.CertificateExpired, "cp-1")}, status.Degraded, 1, []string{"its etcd/server.crt expired on 2026-11-19"},
		},
		{
			"certificate unreadable", func(w statustest.World) {
				f := w.Snapshot.Hosts["cp-1"].Facts.Files["/etc/kubernetes/pki/apiserver.crt"]
				f.Certificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
				w.Snapshot.Hosts["cp-1"].Facts.Files["/etc/kubernetes/pki/apiserver.crt"] = f
			},
			[]problem{err(status.CertificateBad, "cp-1")}, status.Degraded, 1, nil,
		},
		{
			"add-on not ready", func(w statustest.World) {
				w.Snapshot.API.Workloads["Deployment/kube-system/coredns"] = state.Workload{Desired: 2}
			},
			[]problem{err(status.AddOnNotReady, "coredns")}, status.Degraded, 1, []string{"0 of 2", "kubectl -n kube-system describe deployment coredns"},
		},
		{
			"add-on missing", func(w statustest.World) {
				delete(w.Snapshot.API.Workloads, "DaemonSet/kube-flannel/kube-flannel-ds")
			},
			[]problem{err(status.AddOnNotReady, "flannel")}, status.Degraded, 1, []string{"is not installed"},
		},
		{
			"the endpoint is being changed, nobody goes the new way yet", func(w statustest.World) {
				w.Manage()
				w.Carry("lb-1", false)
				w.Snapshot.Hosts["lb-1"].Facts.Units = nil
				w.Snapshot.Hosts["lb-2"].Proxy = nil
				for _, name := range []string{"worker-1", "worker-2", "worker-3"} {
					w.Goes(name, "127.0.0.1 lb.example.org:6443")
					w.Snapshot.Hosts[name].Facts.Units["quorate-haproxy.service"] = protocol.Unit{Active: "active"}
				}
			},
			[]problem{warn(status.EndpointSwitching, "")}, status.Healthy, 1,
			[]string{"not as the file says for worker-1, worker-2 and worker-3 yet", "127.0.0.1 lb.example.org:6443", "goes on with the change"},
		},
		{
			"one that was not given the new way yet loses the old one", func(w statustest.World) {
				w.Manage()
				w.Goes("worker-1", "10.0.0.100 lb.example.org:6443")
				w.Goes("worker-2", "")
				w.Goes("worker-3", "127.0.0.1 lb.example.org:6443")
				w.Snapshot.Hosts["worker-3"].Facts.Units["quorate-haproxy.service"] = protocol.Unit{
					Active: "active", Restarts: 7, ActiveSince: statustest.Taken.Add(-3 * time.Second).Unix(), // it ends again and again
				}
			},
			[]problem{err(status.ProxyUnreachable, "worker-3"), warn(status.EndpointSwitching, ""), warn(status.EndpointSwitching, "")}, status.Degraded, 1,
			[]string{"its proxy does not run, and it has not been given another way", "how worker-2 reach the API is not noted"},
		},
		{
			"the new way is judged once a node goes it", func(w statustest.World) {
				w.Manage()
				w.Goes("worker-1", "10.0.0.100 lb.example.org:6443")
				w.Carry("lb-1", false)
			},
			[]problem{err(status.VIPNowhere, "")}, status.Degraded, 1, []string{"no load balancer carries the endpoint's address"},
		},
		{
			"the old address is carried by nobody", func(w statustest.World) {
				w.Manage()
				w.Carry("lb-1", false)
				w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerLocalhost}
				w.Goes("worker-1", "10.0.0.100 lb.example.org:6443")
				w.Snapshot.Hosts["worker-2"].Proxy, w.Snapshot.Hosts["worker-3"].Proxy = w.Snapshot.Hosts["lb-1"].Proxy, w.Snapshot.Hosts["lb-1"].Proxy
			},
			[]problem{err(status.VIPNowhere, ""), warn(status.EndpointSwitching, "")}, status.Degraded, 1, []string{"no load balancer carries 10.0.0.100, by which nodes still reach the API"},
		},
		{"load balancers", func(w statustest.World) { w.Manage() }, nil, status.Healthy, 1, []string{"healthy; tolerates 1 failure"}},
		{
			"a load balancer off", func(w statustest.World) { w.Manage(); w.Off("lb-1"); w.Carry("lb-2", true) },
			[]problem{err(status.HostUnreachable, "lb-1")}, status.Degraded, 1, []string{"lb-1 does not answer"},
		},
		{
			"keepalived does not run", func(w statustest.World) {
				w.Manage()
				w.Snapshot.Hosts["lb-2"].Facts.Units = nil
			},
			[]problem{err(status.VIPNotCarried, "lb-2")}, status.Degraded, 1, []string{"its keepalived does not run", "journalctl -u quorate-keepalived"},
		},
		{
			"HAProxy does not run, nobody carries", func(w statustest.World) {
				w.Manage()
				w.Carry("lb-1", false)
				w.Snapshot.Hosts["lb-1"].Proxy = &state.Proxy{Error: "no such file or directory"}
			},
			[]problem{err(status.ProxyUnreachable, "lb-1"), err(status.VIPNowhere, "")}, status.Degraded, 1,
			[]string{"without it, it does not carry the endpoint", "no load balancer carries the endpoint's address 10.0.0.100"},
		},
		{
			"two carry", func(w statustest.World) { w.Manage(); w.Carry("lb-2", true) },
			[]problem{err(status.VIPTwice, "")}, status.Degraded, 1, []string{"lb-1 and lb-2 each carry", "IP protocol 112"},
		},
		{
			"a load balancer does not reach an API server that is ready", func(w statustest.World) {
				w.Manage()
				w.Snapshot.Hosts["lb-2"].Proxy.Backends[1] = state.Backend{Name: "cp-2", Detail: "L4TOUT"}
			},
			[]problem{err(status.ProxyBackendDown, "lb-2")}, status.Degraded, 1, []string{"does not reach the API server of cp-2", "port 6443 of cp-2"},
		},
		{
			"load balancers without backends for want of a quorum", func(w statustest.World) { w.Manage(); w.LoseQuorum() },
			[]problem{
				err(status.EtcdNoLeader, "etcd"), err(status.APIServerNotReady, "cp-1"),
				err(status.APIServerNotReady, "cp-2"), err(status.APIServerNotReady, "cp-3"),
			},
			status.Down, 0, []string{"they have no leader"},
		},
		{
			"another address of the only control plane is the file's mistake, not an outage", func(w statustest.World) {
				w.Cluster.Hosts = slices.DeleteFunc(w.Cluster.Hosts, func(h cluster.Host) bool { return h.Name == "cp-2" || h.Name == "cp-3" })
				f := w.Snapshot.Hosts["cp-1"].Facts
				f.Files["/etc/kubernetes/kubelet.conf"] = protocol.File{Exists: true, Size: 1}
				f.Files["/var/lib/kubelet/kubeadm-flags.env"] = protocol.File{Exists: true, Size: 1, Content: `KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.71"`}
				w.Snapshot.Etcd = map[string]state.EtcdMember{"cp-1": {Error: "x509: certificate is valid for 10.0.0.71, not 10.0.0.11"}}
				w.APIDown("x509: certificate is valid for 10.0.0.71, not 10.0.0.11")
			},
			[]problem{err(status.AddressDiffers, "cp-1")},
			status.Unknown, 0, []string{"the cluster file gives cp-1 another address than the cluster knows", "has joined the cluster with the address 10.0.0.71, and the file gives it 10.0.0.11", "put internalAddress: 10.0.0.71 back"},
		},
		{
			"a node that is Ready and takes no pods", func(w statustest.World) {
				n := w.Snapshot.API.Nodes["worker-1"]
				n.Troubles = map[string]string{"DiskPressure": "kubelet has disk pressure", "NetworkUnavailable": "no route"}
				w.Snapshot.API.Nodes["worker-1"] = n
			},
			[]problem{err(status.NodeTrouble, "worker-1"), err(status.NodeTrouble, "worker-1")}, status.Degraded, 1,
			[]string{"its node has the condition DiskPressure", "make room on the disks", "pods there have no network"},
		},
		{
			"both CoreDNS pods on one node", func(w statustest.World) {
				w.Snapshot.API.Workloads["Deployment/kube-system/coredns"] = state.Workload{Desired: 2, Ready: 2, Updated: 2, Together: "cp-1"}
			},
			[]problem{warn(status.AddOnTogether, "coredns")}, status.Healthy, 1, []string{"all its pods are on cp-1", "rollout restart deployment coredns"},
		},
		{
			"two hosts hold kube-vip's address", func(w statustest.World) { kubeVIP(w, "cp-1", "cp-3") },
			[]problem{err(status.VIPTwice, "")}, status.Degraded, 1, []string{"cp-1 and cp-3 each carry the endpoint's address 10.0.0.100", "get lease plndr-cp-lock"},
		},
		{
			"one host holds kube-vip's address", func(w statustest.World) { kubeVIP(w, "cp-1") }, nil, status.Healthy, 1, nil,
		},
		{
			"several hosts announce kube-vip's address", func(w statustest.World) {
				kubeVIP(w, "cp-1", "cp-3")
				w.Cluster.Endpoint.LoadBalancer.KubeVIP.Peers = []cluster.BGPPeer{{AS: 1}}
			}, nil, status.Healthy, 1, nil,
		},
		{
			"a worker of another cluster is not promised to be joined", func(w statustest.World) {
				w.SetCertificate("worker-1", "/etc/kubernetes/pki/ca.crt", 3000)
				delete(w.Snapshot.API.Nodes, "worker-1")
			},
			[]problem{err(status.HostMisplaced, "worker-1")},
			status.Degraded, 1, []string{"belongs to another cluster: its CA is not that of cp-1, cp-2, cp-3"},
		},
		{
			"a cluster that another installer built is not called healthy", func(w statustest.World) {
				for _, h := range w.Snapshot.Hosts {
					delete(h.Facts.Files, "/etc/quorate/endpoint")
				}
			},
			[]problem{
				err(status.HostMisplaced, "cp-1"), err(status.HostMisplaced, "cp-2"), err(status.HostMisplaced, "cp-3"),
				err(status.HostMisplaced, "worker-1"), err(status.HostMisplaced, "worker-2"), err(status.HostMisplaced, "worker-3"),
			},
			status.Degraded, 1, []string{"a Kubernetes cluster that Quorate did not build"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := statustest.Healthy()
			test.change(w)
			r := status.Of(w.Cluster, w.Snapshot)
			var got []problem
			words := r.Summary
			rows := map[string]bool{}
			for _, m := range r.Etcd.Members {
				if m.Host != "" && rows[m.Host] {
					t.Errorf("the etcd member of %s stands twice", m.Host)
				}
				rows[m.Host] = true
			}
			for _, p := range r.Problems {
				got = append(got, problem{p.Kind, p.Subject, p.Severity})
				words += "\n" + strings.Join([]string{p.Summary, p.Detail, p.Hint}, " ")
				if p.Summary == "" || p.Hint == "" {
					t.Errorf("a problem must say what is wrong and what to do: %+v", p)
				}
			}
			if d := cmp.Diff(test.problems, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if r.State != test.state || r.Healthy != (test.state == status.Healthy) || r.ToleratedFailures != test.tolerated {
				t.Errorf("state %s (healthy: %v) tolerating %d, want %s tolerating %d", r.State, r.Healthy, r.ToleratedFailures, test.state, test.tolerated)
			}
			for _, part := range test.says {
				if !strings.Contains(strings.ReplaceAll(words, "  ", " "), part) {
					t.Errorf("the report does not say %q:\n%s", part, words)
				}
			}
		})
	}
}

func TestTolerance(t *testing.T) {
	tests := []struct {
		name   string
		change func(statustest.World)
		want   string
	}{
		{"as designed", func(statustest.World) {}, "1 of 3 control-plane hosts may fail"},
		{"one lost", func(w statustest.World) { w.Off("cp-1") }, "no further control-plane host may fail; by design, 1 of 3 may"},
		{"not serving", func(w statustest.World) { w.Off("cp-1", "cp-2") }, "no failure is tolerated: the cluster does not serve"},
		{"not built", func(w statustest.World) { w.Bare() }, "by design, 1 of 3 control-plane hosts may fail"},
		{
			"single", func(w statustest.World) {
				w.Cluster.Hosts = w.Cluster.Hosts[:1]
				everyMember(w, func(p []state.EtcdPeer) []state.EtcdPeer { return p[:1] })
			}, "the only control-plane host must not fail",
		},
		{
			"etcd apart", func(w statustest.World) {
				w.Cluster.Hosts[2].Roles = []cluster.Role{cluster.RoleEtcd}
				delete(w.Snapshot.API.Nodes, "cp-3")
			}, "1 of 3 etcd members and 1 of 2 API servers may fail",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := statustest.Healthy()
			test.change(w)
			if got := status.Of(w.Cluster, w.Snapshot).Tolerance; got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for name, change := range map[string]func(statustest.World){
		"healthy": func(statustest.World) {}, "quorum-lost": func(w statustest.World) { w.Off("cp-2", "cp-3") },
	} {
		t.Run(name, func(t *testing.T) {
			w := statustest.Healthy()
			change(w)
			got, err := json.MarshalIndent(status.Of(w.Cluster, w.Snapshot), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)+"\n"); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

// kubeVIP gives a cluster an address that kube-vip shares, which some hosts carry.
func kubeVIP(w statustest.World, holders ...string) {
	w.Cluster.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerKubeVIP, VIP: netip.MustParseAddr("10.0.0.100")}
	for _, h := range w.Snapshot.Hosts {
		h.Proxy = nil
	}
	for _, name := range holders {
		w.Snapshot.Hosts[name].Facts.Interfaces = []protocol.Interface{{Name: "eth0", Addresses: []string{"10.0.0.100/32"}}}
	}
}

// A host that lets Quorate in and then says nothing is not off: the hint leads to what
// keeps it from answering.
func TestSilentHostIsLookedAtInside(t *testing.T) {
	w := statustest.Healthy()
	w.Snapshot.Hosts["cp-2"] = &state.Host{Name: "cp-2", Unreachable: true, Barrier: state.BarrierAgent, Error: "cp-2: gathering facts: it let Quorate in, and then did not answer within 30s"}
	for _, p := range status.Of(w.Cluster, w.Snapshot).Problems {
		if p.Kind != status.HostUnreachable {
			continue
		}
		if !strings.Contains(p.Hint, "dmesg") || strings.Contains(p.Hint, "switch it on") {
			t.Errorf("the hint: %s", p.Hint)
		}
		return
	}
	t.Error("the host is not told of")
}
