package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/state"
)

// conclude counts the failures that are tolerated and words the whole.
func (a assessment) conclude() {
	slices.SortStableFunc(a.Problems, func(x, y Problem) int { return rank(x) - rank(y) })
	ready := a.readyAPIServers()
	serves := ready > 0 && a.Etcd.HasQuorum && !a.takesNoWrite()
	if serves {
		// Without a scheduler or a controller manager, nothing is put in a lost host's place.
		a.ToleratedFailures = max(0, min(a.Etcd.ToleratedFailures, ready-1, a.standing(leaseScheduler)-1, a.standing(leaseControllerManager)-1))
	}
	switch {
	case a.State == Absent:
	case !slices.ContainsFunc(a.c.Hosts, func(h cluster.Host) bool { return a.reached(h.Name) }):
		a.State = Unreachable
	case !serves && a.seenServing():
		a.State = Degraded
	case !serves && len(a.misaddressed()) == 0 && a.seenDown():
		a.State = Down
	case !serves:
		a.State = Unknown
	case a.errors() > 0:
		a.State = Degraded
	default:
		a.State = Healthy
	}
	a.Healthy = a.State == Healthy
	a.Tolerance = a.tolerance(serves, ready)
	a.Summary = a.summary()
}

// rank puts errors before warnings, and among the errors those that stop the
// cluster first, then those of hosts.
func rank(p Problem) int {
	switch {
	case p.Severity == diag.SeverityWarning:
		return 3
	case p.Kind == EtcdNoQuorum, p.Kind == EtcdNoLeader, p.Kind == EtcdDivided, p.Kind == EtcdAlarm, p.Kind == NeverBuilt, p.Kind == AddressDiffers, p.Kind == HostMisplaced:
		return 0
	case p.Kind == HostUnreachable:
		return 1
	}
	return 2
}

// seenServing reports whether a node's proxy reaches an API server of a host
// that does not answer Quorate: then the cluster serves, unseen. What etcd
// itself says of its quorum weighs more: a proxy notices a loss seconds later.
func (a assessment) seenServing() bool {
	if len(a.s.Etcd) > 0 && !a.Etcd.HasQuorum || a.takesNoWrite() {
		return false
	}
	return slices.ContainsFunc(a.c.ControlPlanes(), func(h *cluster.Host) bool {
		return !a.reached(h.Name) && a.reachedByProxy(h.Name) != ""
	})
}

// seenDown reports whether somebody saw that the API does not serve: etcd's
// members, every control-plane host, or a node's proxy. A host that does not
// answer Quorate in time is no witness: it may be busy, or SSH alone be away.
func (a assessment) seenDown() bool {
	if len(a.s.Etcd) > 0 && !a.Etcd.HasQuorum || a.takesNoWrite() {
		return true
	}
	away := slices.ContainsFunc(a.c.ControlPlanes(), func(h *cluster.Host) bool { return !a.reached(h.Name) })
	return !away || slices.ContainsFunc(a.c.Hosts, func(h cluster.Host) bool {
		observed := a.s.Hosts[h.Name]
		return observed != nil && observed.Proxy != nil && observed.Proxy.Error == "" && len(observed.Proxy.Backends) > 0 &&
			!slices.ContainsFunc(observed.Proxy.Backends, func(b state.Backend) bool { return b.Up })
	})
}

// takesNoWrite reports whether etcd has raised an alarm that stops all writes.
func (a assessment) takesNoWrite() bool { return a.alarmed() != "" }

// alarmed words the alarm that stops all writes; empty where none does.
func (a assessment) alarmed() string {
	if raised, _ := a.members.CorruptRaised(); raised {
		return "etcd's members differ in their data (alarm CORRUPT)"
	}
	if full, _, _ := etcd.FullMembers(a.s); full != nil {
		return "etcd's database reached its quota (alarm NOSPACE)"
	}
	return ""
}

// awayControlPlanes are the control-plane hosts that were not observed.
func (a assessment) awayControlPlanes() []string {
	var out []string
	for _, h := range a.c.ControlPlanes() {
		if !a.reached(h.Name) {
			out = append(out, h.Name)
		}
	}
	return out
}

func (a assessment) errors() int {
	n := 0
	for _, p := range a.Problems {
		if p.Severity == diag.SeverityError {
			n++
		}
	}
	return n
}

// tolerance words how many more hosts may fail.
func (a assessment) tolerance(serves bool, ready int) string {
	total := len(a.c.ControlPlanes())
	now, design := a.ToleratedFailures, a.ToleratedByDesign
	switch {
	case total == 1 && (a.State == Absent || a.together()):
		return "the only control-plane host must not fail"
	case a.State == Absent:
		return fmt.Sprintf("by design, %d of %d control-plane hosts may fail", design, total)
	case a.State == Unknown, a.State == Degraded && !serves:
		return "how many failures are tolerated is not known"
	case !serves && a.takesNoWrite():
		return "no failure is tolerated: the cluster takes no write"
	case !serves:
		return "no failure is tolerated: the cluster does not serve"
	case !a.together():
		return fmt.Sprintf("%d of %d etcd members and %d of %d API servers may fail",
			a.Etcd.ToleratedFailures, a.Etcd.Voters, ready-1, total)
	case now < design && now == 0:
		return fmt.Sprintf("no further control-plane host may fail; by design, %d of %d may", design, total)
	case now < design:
		return fmt.Sprintf("%d more control-plane hosts may fail; by design, %d of %d may", now, design, total)
	}
	return fmt.Sprintf("%d of %d control-plane hosts may fail", now, total)
}

// together reports whether etcd runs on the control-plane hosts, so that a
// host that fails takes one of each along.
func (a assessment) together() bool {
	members, hosts := a.c.EtcdHosts(), a.c.ControlPlanes()
	return len(members) == len(hosts) && !slices.ContainsFunc(members, func(h *cluster.Host) bool { return !slices.Contains(hosts, h) })
}

// summary words the state in one line.
func (a assessment) summary() string {
	switch a.State {
	case Absent:
		return "no cluster here yet: run quorate apply"
	case Unreachable:
		return fmt.Sprintf("UNREACHABLE: none of the %d hosts answers", len(a.c.Hosts))
	case Unknown:
		if wrong := a.misaddressed(); len(wrong) > 0 {
			return fmt.Sprintf("UNKNOWN: the cluster file gives %s another address than the cluster knows", andList(wrong))
		}
		away := a.awayControlPlanes()
		return fmt.Sprintf("UNKNOWN: %s %s not answer, and nothing else tells whether the API serves", andList(away), map[bool]string{true: "does", false: "do"}[len(away) == 1])
	case Down:
		if a.takesNoWrite() {
			return "DOWN: no write is taken: " + a.alarmed()
		}
		if !a.Etcd.HasQuorum && len(a.s.Etcd) > 0 {
			return "DOWN: etcd has no quorum, writes are stopped"
		}
		return "DOWN: no API server is ready"
	}
	tolerates := "; tolerates " + failures(a.ToleratedFailures, a.ToleratedByDesign)
	if a.State == Healthy {
		if n := len(a.Problems); n > 0 {
			return fmt.Sprintf("healthy%s; %s", tolerates, plural(n, "warning"))
		}
		return "healthy" + tolerates
	}
	return "DEGRADED: " + a.mainProblems() + tolerates
}

// mainProblems names what is wrong in few words.
func (a assessment) mainProblems() string {
	var away []string
	var other []Problem
	for _, p := range a.Problems {
		switch {
		case p.Severity == diag.SeverityWarning:
		case p.Kind == HostUnreachable:
			away = append(away, p.Subject)
		default:
			other = append(other, p)
		}
	}
	var parts []string
	switch {
	case len(away) == 1:
		parts = append(parts, away[0]+" does not answer")
	case len(away) > 1:
		parts = append(parts, andList(away)+" do not answer")
	}
	if len(away) == 0 && len(other) > 0 {
		summary, _, _ := strings.Cut(strings.TrimSpace(other[0].Subject+": "+other[0].Summary), "; ")
		parts = append(parts, strings.TrimPrefix(summary, ": "))
		other = other[1:]
	}
	if len(other) > 0 {
		parts = append(parts, plural(len(other), "more problem"))
	}
	return strings.Join(parts, ", ")
}

// failures words a number of failures; further ones where some happened.
func failures(n, design int) string {
	further := ""
	if n < design {
		further = "further "
	}
	if n == 0 {
		return "no " + further + "failure"
	}
	return plural(n, further+"failure")
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
