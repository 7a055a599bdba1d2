package drill

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/status"
)

// Allowed is what the user and the surroundings allow.
type Allowed struct {
	// Lab tells that the hosts are a lab's.
	Lab bool
	// Hard allows resetting servers that are no lab's.
	Hard bool
	// PowerOff allows switching servers off that are no lab's.
	PowerOff bool
	// BreakQuorum allows stopping all writes for a while.
	BreakQuorum bool
}

// Refuse gives every reason not to do a drill on its targets; none means that
// the cluster, as it was observed, stands it.
func Refuse(c *cluster.Cluster, r status.Report, d Drill, targets []string, a Allowed) []string {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	if !r.Healthy {
		say("the cluster is not healthy (%s); a drill on top would prove nothing and could end it", r.Summary)
	}
	if d.Action == PowerOff && !a.Lab && !a.PowerOff {
		say("%s switches %s off at once, and only its own clock switches it on again; allow it with --power-off", d.Name, strings.Join(targets, ", "))
	} else if d.Lab && !a.Lab && d.Action != PowerOff {
		say("%s can be done to lab hosts only", d.Name)
	}
	if d.Hard && !a.Lab && !a.Hard {
		say("%s gives no process time to end on %s; allow it with --hard", d.Name, strings.Join(targets, ", "))
	}
	if d.Action == Fill && a.Lab {
		say("%s: the disks of all lab hosts are one, this machine's own; do it on servers", d.Name)
	}
	if d.Action == Shift && a.Lab {
		say("%s: the clocks of all lab hosts are one, this machine's own; do it on servers", d.Name)
	}
	if d.Moves && !slices.ContainsFunc(Candidates(c, d), func(name string) bool { return !slices.Contains(targets, name) }) {
		say("%s: there is no other worker for pods to go to", d.Name)
	}
	why = append(why, isolated(c, d, targets)...)
	why = append(why, quorum(r, d, targets, a)...)
	return append(why, serving(c, r, d, targets)...)
}

// isolated refuses to cut the way on which other hosts, or this tool itself,
// are reached.
func isolated(c *cluster.Cluster, d Drill, targets []string) []string {
	if !d.TakesHost() && d.Action != Drop {
		return nil
	}
	var why []string
	for _, name := range targets {
		target := c.Host(name)
		if target == nil {
			continue
		}
		if target.SSH.Local {
			why = append(why, fmt.Sprintf("%s is the machine that this runs on; run the drill from another", name))
		}
		for i := range c.Hosts {
			h := &c.Hosts[i]
			for b := h.SSH.Bastion; b != nil; b = b.SSH.Bastion {
				if h.Name != name && (b.Address == target.Address || b.Address == target.InternalAddress.String()) {
					why = append(why, fmt.Sprintf("%s is the bastion through which %s is reached", name, h.Name))
				}
			}
		}
	}
	return why
}

// quorum refuses to take more etcd members than may be lost.
func quorum(r status.Report, d Drill, targets []string, a Allowed) []string {
	if !d.TakesHost() && d.Action != Drop && d.Program != "etcd" && d.Unit != "etcd.service" && d.Action != Fill && d.Action != Shift {
		return nil
	}
	left := quorumWithout(r, targets)
	if len(votesOf(r, targets...)) == 0 || left.Holds() {
		return nil
	}
	if d.Majority && a.BreakQuorum && left.Voters > 1 {
		return nil
	}
	text := fmt.Sprintf("%s would leave %d of %d etcd members, and a quorum is %d: all writes would stop", d.Name, left.Healthy, left.Voters, left.Needed)
	if d.Majority {
		text += "; that is what it is for, so allow it with --break-quorum"
	}
	return []string{text}
}

// serving refuses to take the last of what the cluster needs one of.
func serving(c *cluster.Cluster, r status.Report, d Drill, targets []string) []string {
	if d.Majority || d.Action == Nothing {
		return nil
	}
	ready := 0
	for _, cp := range r.ControlPlanes {
		if cp.Ready && !slices.Contains(targets, cp.Host) {
			ready++
		}
	}
	var why []string
	onControlPlane := slices.ContainsFunc(targets, func(name string) bool {
		h := c.Host(name)
		return h != nil && h.Has(cluster.RoleControlPlane)
	})
	takesControlPlane := d.TakesHost() || d.Action == Drop || d.Action == Shift || d.On == OnControlPlanes ||
		(d.On == OnEtcd && c.Etcd.Mode == cluster.EtcdStacked) || d.On == OnEtcd && onControlPlane
	if onControlPlane && takesControlPlane && ready == 0 {
		why = append(why, fmt.Sprintf("%s would leave no control-plane host that serves", d.Name))
	}
	balancers := c.Balancers()
	takesBalancer := d.TakesHost() || d.Action == Drop || d.Action == Shift || d.On == OnProxies || d.On == OnVIP
	if len(balancers) > 0 && takesBalancer && !slices.ContainsFunc(balancers, func(h *cluster.Host) bool { return !slices.Contains(targets, h.Name) }) {
		why = append(why, fmt.Sprintf("%s would leave no load balancer", d.Name))
	}
	return why
}
