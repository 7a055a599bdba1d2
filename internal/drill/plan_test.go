package drill

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
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
		got, err := Targets(c, d, x.rule, l, rand.New(rand.NewPCG(1, 1)))
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
	d, _ := Find("etcd-majority-cut")
	got, err := Targets(c, d, "cp-3", l, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(got) != 2 || !slices.Contains(got, "cp-3") {
		t.Errorf("a majority: %v, %v", got, err)
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
		"fine":                   {"etcd-killed", []string{"cp-1"}, nil, Allowed{}, ""},
		"not healthy":            {"kubelet-killed", []string{"cp-1"}, func(w *statustest.World) { delete(w.Snapshot.API.Nodes, "worker-1") }, Allowed{}, "not healthy"},
		"quorum":                 {"etcd-killed", []string{"cp-1", "cp-2"}, nil, Allowed{}, "a quorum is 2"},
		"quorum by host":         {"host-off", []string{"cp-1", "cp-2"}, nil, Allowed{Lab: true}, "a quorum is 2"},
		"majority":               {"etcd-majority-cut", []string{"cp-1", "cp-2"}, nil, Allowed{}, "--break-quorum"},
		"majority allowed":       {"etcd-majority-cut", []string{"cp-1", "cp-2"}, nil, Allowed{BreakQuorum: true}, ""},
		"workers are no members": {"host-rebooted", []string{"worker-1", "worker-2"}, nil, Allowed{}, ""},
		"lab only":               {"host-frozen", []string{"worker-1"}, nil, Allowed{}, "lab hosts only"},
		"lab":                    {"host-frozen", []string{"worker-1"}, nil, Allowed{Lab: true}, ""},
		"hard":                   {"host-reset", []string{"worker-1"}, nil, Allowed{}, "--hard"},
		"hard allowed":           {"host-reset", []string{"worker-1"}, nil, Allowed{Hard: true}, ""},
		"the lab's one disk":     {"disk-full", []string{"cp-1"}, nil, Allowed{Lab: true}, "this machine's own"},
		"the last that serves":   {"apiserver-killed", []string{"cp-1", "cp-2", "cp-3"}, nil, Allowed{}, "no control-plane host that serves"},
		"one balancer of two":    {"haproxy-killed", []string{"lb-1"}, func(w *statustest.World) { managed(w.Cluster) }, Allowed{}, "ignore health"},
		"both balancers":         {"haproxy-killed", []string{"lb-1", "lb-2"}, func(w *statustest.World) { managed(w.Cluster) }, Allowed{}, "no load balancer"},
		"this machine":           {"network-cut", []string{"cp-1"}, func(w *statustest.World) { w.Cluster.Host("cp-1").SSH.Local = true }, Allowed{}, "the machine that this runs on"},
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
	if got := OwnBudget(local, d).Of(probe.Read); got <= d.Hold {
		t.Errorf("a proxy without a stand-in must be quicker back than it is away: %s", got)
	}
	if got := OwnBudget(balanced, d).Of(probe.Read); got != 2*time.Second {
		t.Errorf("one of two load balancers may cost %s", got)
	}
	d, _ = Find("host-frozen")
	own := OwnBudget(balanced, d)
	if own.For(probe.Watch, true) != unbalancedFor || own.For(probe.Watch, false) != 8*time.Second || own.For(probe.Read, true) != 8*time.Second {
		t.Errorf("%+v", own)
	}
	if over, _ := ParseBudget("gap=1s"); own.With(over).For(probe.Watch, true) != time.Second {
		t.Error("the user's budget does not hold for everybody")
	}
	if d, _ = Find("apiserver-killed"); OwnBudget(local, d).For(probe.Watch, true) != 2*time.Second {
		t.Error("a killed server's connections are noticed at once")
	}
	for _, bad := range []string{"", "2s", "gap=", "gap=-1s", "gaps=1s"} {
		if _, err := ParseBudget(bad); err == nil {
			t.Errorf("%q is a budget", bad)
		}
	}
}
