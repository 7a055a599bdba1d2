package drill

import "time"

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
	Shift    Action = "shift"   // the host's clock
	Expire   Action = "expire"  // the API server's certificate
	Lose     Action = "lose"    // an etcd member's data
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
	OnWorkers       Where = "worker"
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
	// Rate, in bytes per second, and Delay make a Drop a slow network instead.
	Rate  int64         `json:"bytesPerSecond,omitempty"`
	Delay time.Duration `json:"delay,omitempty"`
	// By is how far a clock is shifted.
	By time.Duration `json:"by,omitempty"`
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
	// Moves looks for how long a pod of the target takes to be ready elsewhere;
	// the fault ends when it is.
	Moves bool `json:"moves,omitempty"`
}

// TakesHost reports whether the fault takes the whole host from its peers, so
// that nothing on it can be asked or counted on.
func (d Drill) TakesHost() bool {
	switch d.Action {
	case Reboot, Reset, PowerOff, Freeze:
		return true
	case Drop:
		return !d.Slows()
	}
	return false
}

// Slows reports whether the network is there, and slow or lossy.
func (d Drill) Slows() bool { return d.Loss > 0 || d.Rate > 0 || d.Delay > 0 }

// Asks reports whether it depends on the host's kernel and machine, not on what
// Quorate installs, whether the drill can be done.
func (d Drill) Asks() bool { return d.Delay > 0 || d.Action == Shift || d.Action == PowerOff }

// Silences reports whether connections to the target stay and nothing answers
// on them any more, or what answers is of no use: an API server is of none
// without the etcd member of its host.
func (d Drill) Silences() bool {
	if d.On == OnEtcd {
		return true
	}
	switch d.Action {
	case Hang, Reset, PowerOff, Freeze, Drop, Expire:
		return true
	}
	return false
}

// Undone reports whether the fault is ended by somebody, not by itself.
func (d Drill) Undone() bool { return d.Action != Kill && d.Action != Nothing }

// LongestHold is how long a fault may last: a host that is cut off for longer than
// the operators' lock lasts without a renewal loses its agent, and the run its
// way in.
const LongestHold = 25 * time.Second

// Lasting is the drill with another time to last; 0 leaves it its own. One that
// waits for pods to move lasts for as long as they take.
func (d Drill) Lasting(hold time.Duration) Drill {
	if hold > 0 && !d.Moves {
		d.Hold = hold
	}
	return d
}
