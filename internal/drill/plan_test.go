package drill

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/state"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

func healthy() (*cluster.Cluster, status.Report) {
	w := statustest.Healthy()
	return w.Cluster, status.Of(w.Cluster, w.Snapshot)
}

// managed adds two load balancers with a VIP.
func managed(c *cluster.Cluster) {
	c.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr("10.0.0.10")}
	for _, name := range []string{"lb-1", "lb-2"} {
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleLoadBalancer}})
	}
}

func TestCatalogueIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, d := range Catalogue() {
		if names[d.Name] || d.About == "" || d.Hold <= 0 || d.Budget.Of(probe.Read) <= 0 || d.Budget.Recovery <= 0 {
			t.Errorf("%+v", d)
		}
		names[d.Name] = true
		if (d.Action == Kill || d.Action == Hang) && d.Program == "" || d.Action == Stop && d.Unit == "" || d.Action == Drop && !d.In && !d.Out {
			t.Errorf("%s has nothing to hit", d.Name)
		}
	}
}

// The names that a cluster file's budgets may have are the catalogue's.
func TestNamesOfBudgets(t *testing.T) {
	var names []string
	for _, d := range Catalogue() {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, cluster.DrillNames()) {
		t.Errorf("cluster.DrillNames has\n%v\nand the catalogue\n%v", cluster.DrillNames(), names)
	}
}

func TestBudgetsOfTheFile(t *testing.T) {
	c, _ := healthy()
	c.DrillBudgets = []cluster.DrillBudget{
		{Gap: 3 * time.Second, Recovery: time.Minute}, {Drill: "etcd-killed", Write: time.Second}, {Drill: "node-lost", Moved: time.Minute},
	}
	for name, want := range map[string]string{
		"etcd-killed": "gap=3s,write=1s,disturbed=9s,recovery=1m0s",
		"node-lost":   "gap=3s,disturbed=12s,recovery=1m0s,moved=1m0s",
		"host-off":    "gap=3s,disturbed=12s,recovery=1m0s",
	} {
		d, _ := Find(name)
		if got := OwnBudget(c, d, nil).With(FileBudget(c, d)).String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	d, _ := Find("host-off")
	if got := OwnBudget(c, d, nil).With(FileBudget(c, d)).For(probe.Watch, true); got != 3*time.Second {
		t.Errorf("a gap in the file does not hold for everybody: %s", got)
	}
	c.DrillBudgets = nil
	if got := OwnBudget(c, d, nil).With(FileBudget(c, d)).For(probe.Watch, true); got != unbalancedFor {
		t.Errorf("without a budget in the file: %s", got)
	}
}

// What is asked of a host's agent is the drill, and ends by itself.
func TestFaultRequests(t *testing.T) {
	c, _ := healthy()
	c.Etcd.DataDir = "/var/lib/etcd"
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	for _, x := range []struct {
		drill string
		want  protocol.FaultRequest
	}{
		{"etcd-data-lost", protocol.FaultRequest{LastsMillis: ms(long + undoMargin), Data: &protocol.DataFault{Unit: "etcd.service", Dir: "/var/lib/etcd", Holds: "member"}}},
		{"clock-behind", protocol.FaultRequest{LastsMillis: ms(long + undoMargin), Clock: &protocol.ClockFault{ShiftMillis: -600_000}}},
		{"host-off", protocol.FaultRequest{LastsMillis: ms(long), Boot: &protocol.BootFault{Off: true}}},
		{"network-delayed", protocol.FaultRequest{LastsMillis: ms(long + undoMargin), Network: &protocol.NetworkFault{Address: "10.0.0.11", Out: true, DelayMillis: 200}}},
		{"network-cut", protocol.FaultRequest{LastsMillis: ms(long), Network: &protocol.NetworkFault{Address: "10.0.0.11", In: true, Out: true}}},
		{"certificate-expired", protocol.FaultRequest{LastsMillis: ms(long + undoMargin), Certificate: &protocol.CertificateFault{
			File: "/etc/kubernetes/pki/apiserver.crt", Authority: "/etc/kubernetes/pki/ca.crt", AuthorityKey: "/etc/kubernetes/pki/ca.key", Program: "kube-apiserver"}}},
	} {
		d, _ := Find(x.drill)
		x.want.ID = "a"
		if diff := cmp.Diff(x.want, faultRequest(c, d, "cp-1", "a")); diff != "" {
			t.Errorf("%s: %s", x.drill, diff)
		}
	}
	d, _ := Find("network-slow")
	n := faultRequest(c, d, "cp-1", "a").Network
	if n.BytesPerSecond != 64<<10 || len(n.Peers) != len(c.Hosts)-1 || d.TakesHost() {
		t.Errorf("%+v", n)
	}
	// The address that load balancers share is theirs, too.
	c.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("10.0.0.100")
	if d, _ = Find("node-lost"); !slices.Contains(faultRequest(c, d, "worker-1", "a").Network.Peers, "10.0.0.100") {
		t.Errorf("a node that is lost still reaches the virtual address")
	}
}

func TestLasting(t *testing.T) {
	d, _ := Find("host-off")
	if d.Lasting(5*time.Second).Hold != 5*time.Second || d.Lasting(0).Hold != long {
		t.Error("another time is not taken")
	}
	if d, _ = Find("node-lost"); d.Lasting(5*time.Second).Hold <= time.Minute {
		t.Error("pods are not given the time to move")
	}
}

func TestPossible(t *testing.T) {
	c, _ := healthy()
	names := func(a Allowed) string {
		var out []string
		for _, d := range Possible(c, a) {
			out = append(out, d.Name)
		}
		return " " + strings.Join(out, " ") + " "
	}
	for word, in := range map[string][2]bool{ // on a lab, on servers
		"host-off": {true, false}, "host-frozen": {true, false}, "host-reset": {true, false}, "certificate-expired": {true, false},
		"clock-ahead": {false, true}, "disk-full": {false, true}, "node-lost": {true, true}, "etcd-majority-cut": {false, false},
		"haproxy-killed": {true, true}, "keepalived-killed": {false, false}, "nothing": {false, false},
	} {
		if got := strings.Contains(names(Allowed{Lab: true}), " "+word+" "); got != in[0] {
			t.Errorf("%s on a lab: %v", word, got)
		}
		if got := strings.Contains(names(Allowed{}), " "+word+" "); got != in[1] {
			t.Errorf("%s on servers: %v", word, got)
		}
	}
	if all := names(Allowed{PowerOff: true, Hard: true, BreakQuorum: true}); !strings.Contains(all, " host-off ") || !strings.Contains(all, " host-reset ") || !strings.Contains(all, " etcd-majority-cut ") {
		t.Errorf("what is allowed by name is left out: %s", all)
	}
}

func TestCandidates(t *testing.T) {
	local, _ := healthy()
	balanced, _ := healthy()
	managed(balanced)
	stacked, _ := healthy()
	stacked.Etcd.Mode = cluster.EtcdStacked
	nginx, _ := healthy()
	nginx.Endpoint.LoadBalancer.Type = "nginx"
	for _, c := range []struct {
		cluster *cluster.Cluster
		drill   string
		want    string
	}{
		{local, "apiserver-killed", "cp-1 cp-2 cp-3"},
		{local, "etcd-stopped", "cp-1 cp-2 cp-3"},
		{local, "etcd-data-lost", "cp-1 cp-2 cp-3"},
		{stacked, "etcd-data-lost", ""},
		{local, "node-lost", "worker-1 worker-2 worker-3"},
		{stacked, "etcd-stopped", ""},
		{stacked, "etcd-killed", "cp-1 cp-2 cp-3"},
		{local, "kubelet-killed", "cp-1 cp-2 cp-3 worker-1 worker-2 worker-3"},
		{local, "haproxy-killed", "worker-1 worker-2 worker-3"},
		{nginx, "haproxy-killed", ""},
		{local, "keepalived-killed", ""},
		{balanced, "haproxy-killed", "lb-1 lb-2"},
		{balanced, "keepalived-killed", "lb-1 lb-2"},
		{balanced, "network-cut", "cp-1 cp-2 cp-3 worker-1 worker-2 worker-3 lb-1 lb-2"},
	} {
		d, ok := Find(c.drill)
		if !ok {
			t.Fatalf("no drill %s", c.drill)
		}
		if got := strings.Join(Candidates(c.cluster, d), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.drill, got, c.want)
		}
	}
}

func TestTargets(t *testing.T) {
	c, r := healthy()
	l := LeadersOf(r)
	if (l != Leaders{Etcd: "cp-2", Scheduler: "cp-2", ControllerManager: "cp-3"}) {
		t.Fatalf("%+v", l)
	}
	for _, x := range []struct {
		drill string
		rule  Rule
		want  string
	}{
		{"etcd-killed", "", "cp-2"},
		{"scheduler-killed", "", "cp-2"},
		{"controller-manager-hung", Leader, "cp-3"},
		{"apiserver-killed", Leader, "cp-2"},
		{"apiserver-killed", "cp-1", "cp-1"},
		{"apiserver-killed", "worker-1", "!cannot be done on worker-1"},
		{"apiserver-killed", VIPHolder, "!nobody is the vip-holder"},
		{"keepalived-killed", "", "!no host for it"},
		{Baseline, "", ""},
	} {
		d, _ := Find(x.drill)
		got, err := Targets(c, r, d, x.rule, l, rand.New(rand.NewPCG(1, 1)))
		if want, ok := strings.CutPrefix(x.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v", x.drill, x.rule, err)
			}
			continue
		}
		if err != nil || strings.Join(got, " ") != x.want {
			t.Errorf("%s %s: %v, %v", x.drill, x.rule, got, err)
		}
	}
	stacked, _ := healthy()
	stacked.Etcd.Mode = cluster.EtcdStacked
	for name, want := range map[string]string{"etcd-data-lost": "without its data", "etcd-stopped": "no unit", "keepalived-hung": "no host for it"} {
		d, _ := Find(name)
		if _, err := Targets(stacked, r, d, "", l, rand.New(rand.NewPCG(1, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s with stacked etcd: %v", name, err)
		}
	}
	if left := strings.Join(LeftOut(stacked), "\n"); strings.Count(left, "left out") != 2 || !strings.Contains(left, "etcd-data-lost is left out") || LeftOut(c) != nil {
		t.Errorf("left out: %s, and with units %v", left, LeftOut(c))
	}
	d, _ := Find("etcd-majority-cut")
	got, err := Targets(c, r, d, "cp-3", l, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(got) != 2 || !slices.Contains(got, "cp-3") {
		t.Errorf("a majority: %v, %v", got, err)
	}
}

// A majority is one of the members that vote, by etcd's own list: with the file's
// hosts counted, writes went on, or a host without a vote was cut off for nothing.
func TestMajorityIsOfVoters(t *testing.T) {
	stranger := func(id string) state.EtcdPeer {
		address := "https://10.0.0.9" + id
		return state.EtcdPeer{ID: "90" + id, Name: "old-" + id, PeerURLs: []string{address + ":2380"}, ClientURLs: []string{address + ":2379"}}
	}
	for _, x := range []struct {
		name      string
		strangers int
		learner   string // a host whose member does not vote
		rule      Rule
		want      string
	}{
		{"all of the file", 0, "", "cp-1", "2 hosts"},
		{"a stranger votes, too", 1, "", "cp-1", "2 hosts"},
		{"two strangers vote, too", 2, "", "cp-1", "3 hosts"},
		{"more strangers than hosts", 4, "", "cp-1", "would go on without all of its hosts"},
		{"one learns", 0, "cp-3", "cp-1", "1 hosts"}, // two voters bear no loss of either
		{"the one that learns", 0, "cp-3", "cp-3", "cp-3 has no healthy member that votes"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := statustest.Healthy()
			w.Snapshot.EtcdOthers = map[string]state.EtcdMember{}
			peers := slices.Clone(w.Snapshot.Etcd["cp-1"].Members)
			for i := range peers {
				peers[i].Learner = peers[i].Name == x.learner
			}
			for i := range x.strangers {
				p := stranger(strconv.Itoa(i + 1))
				peers = append(peers, p)
				w.Snapshot.EtcdOthers[p.ID] = state.EtcdMember{ID: p.ID, Leader: "102"}
			}
			for name, m := range w.Snapshot.Etcd {
				m.Members = peers
				w.Snapshot.Etcd[name] = m
			}
			r := status.Of(w.Cluster, w.Snapshot)
			d, _ := Find("etcd-majority-cut")
			got, err := Targets(w.Cluster, r, d, x.rule, LeadersOf(r), rand.New(rand.NewPCG(1, 1)))
			text := fmt.Sprintf("%d hosts", len(got))
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, x.want) || slices.Contains(got, x.learner) {
				t.Errorf("got %s (%v), want %s", text, got, x.want)
			}
		})
	}
}

func TestSafety(t *testing.T) {
	for name, x := range map[string]struct {
		drill   string
		targets []string
		change  func(*statustest.World)
		allowed Allowed
		want    string // empty: not refused
	}{
		"fine":             {"etcd-killed", []string{"cp-1"}, nil, Allowed{}, ""},
		"not healthy":      {"kubelet-killed", []string{"cp-1"}, func(w *statustest.World) { delete(w.Snapshot.API.Nodes, "worker-1") }, Allowed{}, "not healthy"},
		"quorum":           {"etcd-killed", []string{"cp-1", "cp-2"}, nil, Allowed{}, "a quorum is 2"},
		"quorum by host":   {"host-off", []string{"cp-1", "cp-2"}, nil, Allowed{Lab: true}, "a quorum is 2"},
		"majority":         {"etcd-majority-cut", []string{"cp-1", "cp-2"}, nil, Allowed{}, "--break-quorum"},
		"majority allowed": {"etcd-majority-cut", []string{"cp-1", "cp-2"}, nil, Allowed{BreakQuorum: true}, ""},
		"a member that does not vote takes no quorum along": {"etcd-killed", []string{"cp-1", "cp-3"}, func(w *statustest.World) {
			for name, m := range w.Snapshot.Etcd {
				m.Members = slices.Clone(m.Members)
				m.Members[2].Learner = true
				m.Members = append(m.Members, state.EtcdPeer{ID: "901", Name: "old", PeerURLs: []string{"https://10.0.0.91:2380"}, ClientURLs: []string{"https://10.0.0.91:2379"}})
				w.Snapshot.Etcd[name] = m
			}
			w.Snapshot.EtcdOthers = map[string]state.EtcdMember{"901": {ID: "901", Leader: "102"}}
		}, Allowed{}, "ignore health"},
		"workers are no members": {"host-rebooted", []string{"worker-1", "worker-2"}, nil, Allowed{}, ""},
		"lab only":               {"host-frozen", []string{"worker-1"}, nil, Allowed{}, "lab hosts only"},
		"lab":                    {"host-frozen", []string{"worker-1"}, nil, Allowed{Lab: true}, ""},
		"power":                  {"host-off", []string{"worker-1"}, nil, Allowed{}, "--power-off"},
		"power allowed":          {"host-off", []string{"worker-1"}, nil, Allowed{PowerOff: true}, ""},
		"the lab's one clock":    {"clock-ahead", []string{"worker-1"}, nil, Allowed{Lab: true}, "one, this machine's own"},
		"clocks of a quorum":     {"clock-ahead", []string{"cp-1", "cp-2"}, nil, Allowed{}, "a quorum is 2"},
		"data of a quorum":       {"etcd-data-lost", []string{"cp-1", "cp-2"}, nil, Allowed{}, "a quorum is 2"},
		"nowhere to move": {"node-lost", []string{"worker-1"}, func(w *statustest.World) {
			for i := range w.Cluster.Hosts {
				if h := &w.Cluster.Hosts[i]; h.Name == "worker-2" || h.Name == "worker-3" {
					h.Roles = []cluster.Role{cluster.RoleLoadBalancer}
				}
			}
		}, Allowed{}, "no other worker"},
		"hard":                 {"host-reset", []string{"worker-1"}, nil, Allowed{}, "--hard"},
		"hard allowed":         {"host-reset", []string{"worker-1"}, nil, Allowed{Hard: true}, ""},
		"the lab's one disk":   {"disk-full", []string{"cp-1"}, nil, Allowed{Lab: true}, "this machine's own"},
		"the last that serves": {"apiserver-killed", []string{"cp-1", "cp-2", "cp-3"}, nil, Allowed{}, "no control-plane host that serves"},
		"one balancer of two":  {"haproxy-killed", []string{"lb-1"}, func(w *statustest.World) { managed(w.Cluster) }, Allowed{}, "ignore health"},
		"both balancers":       {"haproxy-killed", []string{"lb-1", "lb-2"}, func(w *statustest.World) { managed(w.Cluster) }, Allowed{}, "no load balancer"},
		"this machine":         {"network-cut", []string{"cp-1"}, func(w *statustest.World) { w.Cluster.Host("cp-1").SSH.Local = true }, Allowed{}, "the machine that this runs on"},
		"a bastion": {"network-cut-peers", []string{"worker-1"}, func(w *statustest.World) {
			w.Cluster.Host("cp-1").SSH.Bastion = &cluster.Bastion{Address: w.Cluster.Host("worker-1").Address}
		}, Allowed{}, "the bastion through which cp-1 is reached"},
	} {
		t.Run(name, func(t *testing.T) {
			w := statustest.Healthy()
			if x.change != nil {
				x.change(&w)
			}
			r := status.Of(w.Cluster, w.Snapshot)
			d, _ := Find(x.drill)
			why := Refuse(w.Cluster, r, d, x.targets, x.allowed)
			if x.want == "ignore health" { // the world has not observed what was added
				why = slices.DeleteFunc(why, func(s string) bool { return strings.Contains(s, "not healthy") })
				x.want = ""
			}
			got := strings.Join(why, "; ")
			if (x.want == "") != (got == "") || !strings.Contains(got, x.want) {
				t.Errorf("%q, want %q", got, x.want)
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	b, err := ParseBudget("gap=2s, write=3s,recovery=1m")
	if err != nil || b.Of(probe.Read) != 2*time.Second || b.Of(probe.Write) != 3*time.Second || b.Recovery != time.Minute {
		t.Fatal(b, err)
	}
	if got := b.String(); got != "gap=2s,write=3s,recovery=1m0s" {
		t.Error(got)
	}
	over, _ := ParseBudget("gap=1s")
	if got := b.With(over).String(); got != "gap=1s,recovery=1m0s" {
		t.Errorf("a gap for all kinds lets others stand: %s", got)
	}
	over, _ = ParseBudget("watch=9s")
	if got := b.With(over).String(); got != "gap=2s,write=3s,watch=9s,recovery=1m0s" {
		t.Error(got)
	}
	local, _ := healthy()
	balanced, _ := healthy()
	managed(balanced)
	d, _ := Find("haproxy-stopped")
	if got := OwnBudget(local, d, nil).Of(probe.Read); got <= d.Hold {
		t.Errorf("a proxy without a stand-in must be quicker back than it is away: %s", got)
	}
	if got := OwnBudget(balanced, d, nil).Of(probe.Read); got != 2*time.Second {
		t.Errorf("one of two load balancers may cost %s", got)
	}
	d, _ = Find("host-frozen")
	own := OwnBudget(balanced, d, nil)
	if own.For(probe.Watch, true) != unbalancedFor || own.For(probe.Watch, false) != 8*time.Second || own.For(probe.Read, true) != 8*time.Second {
		t.Errorf("%+v", own)
	}
	if own.Of(probe.Watch) != 8*time.Second || OwnBudget(balanced, d, []string{"lb-1"}).Of(probe.Watch) != unbalancedFor {
		t.Error("watches through a load balancer that fell silent hear of it late, others do not")
	}
	if over, _ := ParseBudget("gap=1s"); own.With(over).For(probe.Watch, true) != time.Second {
		t.Error("the user's budget does not hold for everybody")
	}
	if d, _ = Find("apiserver-killed"); OwnBudget(local, d, nil).For(probe.Watch, true) != 2*time.Second {
		t.Error("a killed server's connections are noticed at once")
	}
	killed := OwnBudget(local, d, nil)
	if killed.Disturbance(true) != behindFor || killed.Disturbance(false) != 6*time.Second {
		t.Errorf("a killed server is behind the service address for a while: %+v", killed)
	}
	if over, _ := ParseBudget("disturbed=5s"); killed.With(over).Disturbance(true) != 5*time.Second {
		t.Error("the user's disturbance does not hold for everybody")
	}
	thrice, err := ParseBudget("x3,recovery=1m")
	if err != nil {
		t.Fatal(err)
	}
	if got := own.With(thrice); got.String() != "gap=24s,disturbed=36s,recovery=1m0s" || got.For(probe.Watch, true) != 3*unbalancedFor {
		t.Errorf("three times %s: %s", own, got)
	}
	if own.Of(probe.Read) != 8*time.Second {
		t.Error("the budget itself was changed")
	}
	for _, bad := range []string{"", "2s", "gap=", "gap=-1s", "gaps=1s", "x", "x0", "x-1", "xNaN", "x3,x3", "x1000"} {
		if _, err := ParseBudget(bad); err == nil {
			t.Errorf("%q is a budget", bad)
		}
	}
}
