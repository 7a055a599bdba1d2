package drill

import (
	"slices"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
)

// Baseline is the drill that does nothing: it tells what the measurement
// itself sees.
const Baseline = "nothing"

// How long faults last.
const short, long = 12 * time.Second, 20 * time.Second

// within makes a budget of one gap for all kinds, and a time to be healthy in.
func within(gap, recovery time.Duration) Budget {
	return Budget{Gap: map[probe.Kind]time.Duration{AnyKind: gap}, Disturbed: gap + calmer, Recovery: recovery}
}

// moving adds a time for pods to be ready elsewhere.
func moving(b Budget, moved time.Duration) Budget {
	b.Moved = moved
	return b
}

// Catalogue is every drill, in the order in which it is shown.
func Catalogue() []Drill {
	second, minute := time.Second, time.Minute
	list := []Drill{{
		Name: Baseline, About: "no fault: what the measurement itself sees", On: OnHosts, Target: Random,
		Action: Nothing, Hold: short, Budget: within(100*time.Millisecond, minute),
	}}
	program := func(name, program string, on Where, target Rule, killed, hung time.Duration, recovery time.Duration) {
		list = append(list,
			Drill{Name: name + "-killed", About: program + " is killed", On: on, Target: target, Action: Kill, Program: program, Hold: short, Budget: within(killed, recovery)},
			Drill{Name: name + "-hung", About: program + " hangs: it runs and does nothing", On: on, Target: target, Action: Hang, Program: program, Hold: long, Budget: within(hung, recovery)})
	}
	unit := func(name, unit string, on Where, target Rule, gap, recovery time.Duration) {
		list = append(list, Drill{Name: name + "-stopped", About: unit + " is stopped", On: on, Target: target, Action: Stop, Unit: unit, Hold: short, Budget: within(gap, recovery)})
	}
	program("apiserver", "kube-apiserver", OnControlPlanes, Random, 2*second, 5*second, 5*minute)
	program("scheduler", "kube-scheduler", OnControlPlanes, Leader, second, second, 5*minute)
	program("controller-manager", "kube-controller-manager", OnControlPlanes, Leader, second, second, 5*minute)
	program("etcd", "etcd", OnEtcd, Leader, 5*second, 8*second, 5*minute)
	unit("etcd", "etcd.service", OnEtcd, Leader, 5*second, 2*minute)
	program("kubelet", "kubelet", OnNodes, Random, second, second, 2*minute)
	unit("kubelet", "kubelet.service", OnNodes, Random, second, 2*minute)
	program("containerd", "containerd", OnNodes, Random, second, second, 2*minute)
	unit("containerd", "containerd.service", OnNodes, Random, second, 2*minute)
	program("haproxy", "haproxy", OnProxies, Random, 4*second, 5*second, minute)
	unit("haproxy", "quorate-haproxy.service", OnProxies, VIPHolder, 2*second, minute)
	program("keepalived", "keepalived", OnVIP, VIPHolder, 2*second, 5*second, minute)
	unit("keepalived", "quorate-keepalived.service", OnVIP, VIPHolder, 2*second, minute)
	return append(list,
		Drill{Name: "host-rebooted", About: "the host reboots in good order", On: OnHosts, Target: Random, Action: Reboot, Hold: short, Budget: within(6*second, 5*minute)},
		Drill{Name: "host-reset", About: "the host is reset at once: no process is asked", On: OnHosts, Target: Random, Action: Reset, Hold: short, Hard: true, Budget: within(8*second, 5*minute)},
		Drill{Name: "host-off", About: "the host loses its power, and gets it again", On: OnHosts, Target: Random, Action: PowerOff, Hold: long, Lab: true, Budget: within(8*second, 5*minute)},
		Drill{Name: "host-frozen", About: "the host stands still, as a hung or paused machine does", On: OnHosts, Target: Random, Action: Freeze, Hold: long, Lab: true, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut", About: "the host is cut off from everybody, the operator too", On: OnHosts, Target: Random, Action: Drop, In: true, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-peers", About: "the host is cut off from the cluster's other hosts", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-in", About: "nothing of the cluster's other hosts arrives at the host", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-out", About: "nothing of the host arrives at the cluster's other hosts", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-lossy", About: "a fifth of the packets between the host and the cluster's others are lost", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Loss: 20, Hold: long, Budget: within(10*second, 5*minute)},
		Drill{Name: "network-slow", About: "no more than 64 KiB a second get through between the host and the cluster's others", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Rate: 64 << 10, Hold: long, Budget: within(10*second, 5*minute)},
		Drill{Name: "network-delayed", About: "all that the host sends arrives 200 ms later", On: OnHosts, Target: Random, Action: Drop, Out: true, Delay: 200 * time.Millisecond, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "node-lost", About: "a worker is cut off until a pod of it is ready on another", On: OnWorkers, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Hold: 2 * minute, Moves: true, Budget: moving(within(8*second, 5*minute), 90*second)},
		Drill{Name: "etcd-data-lost", About: "a member's disk is lost: it must not start without its data", On: OnEtcd, Target: Random, Action: Lose, Unit: "etcd.service", Hold: long, Budget: within(5*second, 2*minute)},
		Drill{Name: "certificate-expired", About: "an API server starts with a certificate that has expired", On: OnControlPlanes, Target: Random, Action: Expire, Program: "kube-apiserver", Hold: long, Lab: true, Budget: within(5*second, 5*minute)},
		Drill{Name: "clock-ahead", About: "the host's clock is ten minutes ahead", On: OnHosts, Target: Random, Action: Shift, By: 10 * minute, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "clock-behind", About: "the host's clock is ten minutes behind", On: OnHosts, Target: Random, Action: Shift, By: -10 * minute, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "etcd-majority-cut", About: "most etcd members are cut off: writes must stop, and go on afterwards", On: OnEtcd, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Hold: long, Majority: true, Budget: within(55*second, 5*minute)},
		Drill{Name: "disk-full", About: "the file system of etcd's data is full", On: OnEtcd, Target: Random, Action: Fill, Hold: short, Budget: within(8*second, 5*minute)},
	)
}

// Find finds a drill of the catalogue by name.
func Find(name string) (Drill, bool) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(d Drill) bool { return d.Name == name })
	if i < 0 {
		return Drill{}, false
	}
	return all[i], true
}

// Candidates are the hosts that a drill can be done on, in the file's order.
func Candidates(c *cluster.Cluster, d Drill) []string {
	var out []string
	b := c.Endpoint.LoadBalancer
	for i := range c.Hosts {
		h := &c.Hosts[i]
		localProxy := b.Mode == cluster.BalancerLocalhost && b.Type != "nginx" && h.IsNode() && !h.Has(cluster.RoleControlPlane)
		balancer := slices.ContainsFunc(c.Balancers(), func(b *cluster.Host) bool { return b.Name == h.Name })
		fits := false
		switch d.On {
		case OnControlPlanes:
			fits = h.Has(cluster.RoleControlPlane)
		case OnEtcd:
			fits = runsEtcd(c, h.Name) && !besideStacked(c, d)
		case OnNodes:
			fits = h.IsNode()
		case OnWorkers:
			fits = h.IsNode() && !h.Has(cluster.RoleControlPlane)
		case OnProxies:
			fits = localProxy || balancer
		case OnVIP:
			fits = balancer
		case OnHosts:
			fits = h.IsNode() || runsEtcd(c, h.Name) || balancer
		}
		if fits {
			out = append(out, h.Name)
		}
	}
	return out
}

// besideStacked reports whether a drill is one of etcd's unit, where the kubelet
// runs etcd.
func besideStacked(c *cluster.Cluster, d Drill) bool {
	return d.On == OnEtcd && (d.Action == Stop || d.Action == Lose) && c.Etcd.Mode == cluster.EtcdStacked
}

func runsEtcd(c *cluster.Cluster, host string) bool {
	return slices.ContainsFunc(c.EtcdHosts(), func(h *cluster.Host) bool { return h.Name == host })
}
