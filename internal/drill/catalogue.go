package drill

import (
	"slices"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
)

// Action is what is done to a target.
type Action string

// The actions.
const (
	Nothing  Action = "nothing" // the measurement alone
	Kill     Action = "kill"    // the program's processes, with SIGKILL
	Hang     Action = "hang"    // the program's processes, with SIGSTOP
	Stop     Action = "stop"    // the unit
	Reboot   Action = "reboot"  // the host, in good order
	Reset    Action = "reset"   // the host, at once
	PowerOff Action = "off"     // the host's plug is pulled (lab)
	Freeze   Action = "freeze"  // the host stands still (lab)
	Drop     Action = "drop"    // packets on the host's interface
	Fill     Action = "fill"    // the disk of etcd's data
)

// Where says which hosts a drill can be done on.
type Where string

// Where drills can be done.
const (
	OnControlPlanes Where = "control-plane"
	OnEtcd          Where = "etcd"
	OnNodes         Where = "node"
	OnProxies       Where = "proxy" // hosts with Quorate's HAProxy
	OnVIP           Where = "vip"   // hosts with keepalived
	OnHosts         Where = "host"
)

// Rule says which of the possible targets is taken.
type Rule string

// The rules. Any other word is a host's name.
const (
	Leader    Rule = "leader"
	VIPHolder Rule = "vip-holder"
	Random    Rule = "random"
)

// Peers says whose packets a Drop drops.
type Peers string

// Whose packets.
const (
	Everybody Peers = ""      // the operator's, too
	Cluster   Peers = "peers" // the cluster's other hosts' only
)

// Drill is one fault, as the catalogue has it.
type Drill struct {
	Name  string `json:"name"`
	About string `json:"about"`
	On    Where  `json:"on"`
	// Target is the rule where the user names none.
	Target Rule   `json:"target"`
	Action Action `json:"action"`
	// Program is whose processes are hit, Unit the unit that is stopped.
	Program string `json:"program,omitempty"`
	Unit    string `json:"unit,omitempty"`
	// Peers, In, Out and Loss are a Drop's.
	Peers   Peers `json:"peers,omitempty"`
	In, Out bool  `json:"-"`
	Loss    int   `json:"lossPercent,omitempty"`
	// Hold is how long the fault lasts; for one that needs no undoing, how long
	// it is watched.
	Hold   time.Duration `json:"hold"`
	Budget Budget        `json:"budget"`
	// Lab marks what only lab hosts can do, Hard what must be allowed by name
	// on others: no process gets time to end.
	Lab  bool `json:"lab,omitempty"`
	Hard bool `json:"hard,omitempty"`
	// Majority takes so many etcd members that writes must stop.
	Majority bool `json:"majority,omitempty"`
}

// TakesHost reports whether the fault takes the whole host from its peers, so
// that nothing on it can be asked or counted on.
func (d Drill) TakesHost() bool {
	switch d.Action {
	case Reboot, Reset, PowerOff, Freeze:
		return true
	case Drop:
		return d.Loss == 0
	}
	return false
}

// Silences reports whether connections to the target stay and nothing answers
// on them any more.
func (d Drill) Silences() bool {
	switch d.Action {
	case Hang, Reset, PowerOff, Freeze, Drop:
		return true
	}
	return false
}

// Undone reports whether the fault is ended by somebody, not by itself.
func (d Drill) Undone() bool { return d.Action != Kill && d.Action != Nothing }

// Baseline is the drill that does nothing: it tells what the measurement
// itself sees.
const Baseline = "nothing"

// How long faults last. A host that is cut off for longer than the operators' lock
// lasts without a renewal loses its agent, and the run its way in.
const short, long = 12 * time.Second, 20 * time.Second

// within makes a budget of one gap for all kinds, and a time to be healthy in.
func within(gap, recovery time.Duration) Budget {
	return Budget{Gap: map[probe.Kind]time.Duration{AnyKind: gap}, Disturbed: gap + calmer, Recovery: recovery}
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
		Drill{Name: "host-off", About: "the host's plug is pulled, and put in again", On: OnHosts, Target: Random, Action: PowerOff, Hold: long, Lab: true, Budget: within(8*second, 5*minute)},
		Drill{Name: "host-frozen", About: "the host stands still, as a hung or paused machine does", On: OnHosts, Target: Random, Action: Freeze, Hold: long, Lab: true, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut", About: "the host is cut off from everybody, the operator too", On: OnHosts, Target: Random, Action: Drop, In: true, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-peers", About: "the host is cut off from the cluster's other hosts", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-in", About: "nothing of the cluster's other hosts arrives at the host", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-cut-out", About: "nothing of the host arrives at the cluster's other hosts", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, Out: true, Hold: long, Budget: within(8*second, 5*minute)},
		Drill{Name: "network-lossy", About: "a fifth of the packets between the host and the cluster's others are lost", On: OnHosts, Target: Random, Action: Drop, Peers: Cluster, In: true, Out: true, Loss: 20, Hold: long, Budget: within(10*second, 5*minute)},
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
			fits = runsEtcd(c, h.Name) && !(d.Action == Stop && c.Etcd.Mode == cluster.EtcdStacked)
		case OnNodes:
			fits = h.IsNode()
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

func runsEtcd(c *cluster.Cluster, host string) bool {
	return slices.ContainsFunc(c.EtcdHosts(), func(h *cluster.Host) bool { return h.Name == host })
}
