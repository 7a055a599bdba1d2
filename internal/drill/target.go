package drill

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/status"
)

// Leaders are the hosts that hold what only one holds at a time; empty where
// nobody was seen to.
type Leaders struct {
	Etcd              string `json:"etcd,omitempty"`
	Scheduler         string `json:"scheduler,omitempty"`
	ControllerManager string `json:"controllerManager,omitempty"`
	VIP               string `json:"vip,omitempty"`
}

// LeadersOf reads who leads from a report; who carries the VIP is not in it.
func LeadersOf(r status.Report) Leaders {
	var l Leaders
	for _, m := range r.Etcd.Members {
		if m.Leader {
			l.Etcd = m.Host
		}
	}
	for _, cp := range r.ControlPlanes {
		if cp.Scheduler {
			l.Scheduler = cp.Host
		}
		if cp.ControllerManager {
			l.ControllerManager = cp.Host
		}
	}
	return l
}

// noHost is why a cluster has no host that a drill can be done on.
func noHost(c *cluster.Cluster, d Drill) string {
	switch {
	case !besideStacked(c, d):
		return fmt.Sprintf("this cluster has no host for it (%s)", d.On)
	case d.Action == Lose:
		return "stacked etcd is the kubelet's, which would start a member without its data, too"
	}
	return "stacked etcd is no unit that could be stopped; kill it, or let it hang"
}

// LeftOut says of each drill that a cluster with stacked etcd cannot do why that is:
// who does all others is not to believe that these were among them.
func LeftOut(c *cluster.Cluster) []string {
	var out []string
	for _, d := range Catalogue() {
		if besideStacked(c, d) {
			out = append(out, d.Name+" is left out: "+noHost(c, d))
		}
	}
	return out
}

// Targets are the hosts that a drill hits: most often one, for a majority of
// etcd's members as many as leave no quorum by etcd's own list. The rule is the
// drill's own where it is empty. The same source of randomness gives the same hosts.
func Targets(c *cluster.Cluster, r status.Report, d Drill, rule Rule, l Leaders, random *rand.Rand) ([]string, error) {
	candidates := Candidates(c, d)
	if len(candidates) == 0 {
		return nil, fmt.Errorf("%s: %s", d.Name, noHost(c, d))
	}
	if d.Action == Nothing {
		return nil, nil
	}
	if rule == "" {
		rule = d.Target
		if rule == VIPHolder && l.VIP == "" {
			rule = Random // the cluster has no VIP
		}
	}
	one := ""
	switch rule {
	case Random:
		one = candidates[random.IntN(len(candidates))]
	case Leader:
		switch d.Program {
		case "kube-scheduler":
			one = l.Scheduler
		case "kube-controller-manager":
			one = l.ControllerManager
		default:
			one = l.Etcd
		}
	case VIPHolder:
		one = l.VIP
	default:
		one = string(rule)
	}
	switch {
	case one == "":
		return nil, fmt.Errorf("%s: nobody is the %s; name a host: %s", d.Name, rule, strings.Join(candidates, ", "))
	case !slices.Contains(candidates, one):
		return nil, fmt.Errorf("%s cannot be done on %s; it can on %s", d.Name, one, strings.Join(candidates, ", "))
	case !d.Majority:
		return []string{one}, nil
	}
	return majority(r, d, one, candidates, random)
}

// majority are hosts, with one among them, whose members take a quorum along.
func majority(r status.Report, d Drill, one string, candidates []string, random *rand.Rand) ([]string, error) {
	var targets []string
	add := func(host string) {
		if len(votesOf(r, host)) > 0 && quorumWithout(r, targets).Holds() {
			targets = append(targets, host)
		}
	}
	add(one)
	if targets == nil {
		return nil, fmt.Errorf("%s: %s has no healthy member that votes", d.Name, one)
	}
	for _, i := range random.Perm(len(candidates)) {
		if candidates[i] != one {
			add(candidates[i])
		}
	}
	if q := quorumWithout(r, targets); q.Holds() {
		return nil, fmt.Errorf("%s: etcd has %d voters and needs %d, and members that are not in the cluster file would go on without all of its hosts", d.Name, q.Voters, q.Needed)
	}
	slices.Sort(targets)
	return targets, nil
}

// votesOf are the healthy voters on hosts, by etcd's own list.
func votesOf(r status.Report, hosts ...string) []status.Member {
	return slices.DeleteFunc(slices.Clone(r.Etcd.Members), func(m status.Member) bool {
		return m.Learner || !m.Healthy || !slices.Contains(hosts, m.Host)
	})
}

// quorumWithout is how the votes stand without the members of hosts.
func quorumWithout(r status.Report, hosts []string) etcd.Quorum {
	return etcd.QuorumOf(r.Etcd.Voters, r.Etcd.HealthyVoters-len(votesOf(r, hosts...)))
}
