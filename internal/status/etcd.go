package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/etcd"
)

// nearlyFull is the part of its quota at which etcd's database is worth a
// look: at the whole of it, etcd stops taking writes.
const nearlyFull = 0.8

// etcd judges the members, by the member list that is believed: whoever is in it
// and votes counts, whether the cluster file has a host for it or not.
func (a assessment) etcd() {
	hosts, members := a.c.EtcdHosts(), a.members
	votes := etcd.QuorumOf(len(hosts), 0)
	if members.Members != nil {
		votes = members.After(etcd.Change{})
		a.Etcd.HasQuorum = members.Clusters[0].Leader != ""
	}
	a.Etcd.Voters, a.Etcd.HealthyVoters, a.Etcd.QuorumSize = votes.Voters, votes.Healthy, votes.Needed
	for _, h := range hosts {
		said, asked := a.s.Etcd[h.Name]
		peer, listed := members.Of(h.Name)
		m := Member{
			Host: h.Name, Name: peer.Name, Learner: said.Learner || peer.Learner, Version: said.Version, DBBytes: said.DBBytes,
			Leader: peer.Leader, Detail: peer.Why, Healthy: listed && peer.Healthy(),
		}
		switch {
		case listed:
		case !a.reached(h.Name):
			m.Detail = "host does not answer"
		case members.Situations[h.Name] == etcd.Apart:
			m.Detail = "of another etcd cluster"
		case members.Members != nil:
			m.Detail = "not a member"
		case !asked:
			m.Detail = "was not asked"
		case said.Error != "":
			m.Detail = "does not answer"
		default:
			m.Detail = "lists no members"
		}
		a.Etcd.Members = append(a.Etcd.Members, m)
	}
	for _, p := range members.Strangers() {
		said := a.s.EtcdOthers[p.ID]
		m := Member{
			Name: p.Name, Address: p.Address(), Healthy: p.Healthy(), Leader: p.Leader, Learner: p.Learner,
			Version: said.Version, DBBytes: said.DBBytes, Detail: "not in the file",
		}
		if !p.Healthy() {
			m.Detail += ", " + p.Why
		}
		a.Etcd.Members = append(a.Etcd.Members, m)
	}
	a.Etcd.ToleratedByDesign = cluster.Tolerated(len(hosts))
	if a.Etcd.HasQuorum {
		a.Etcd.ToleratedFailures = votes.Tolerated
	}
	a.etcdProblems()
}

func (a assessment) etcdProblems() {
	if why, hint := a.members.Divided(a.c); why != "" {
		a.error(EtcdDivided, "etcd", why, hint)
	}
	asked := false // at least one member could be asked
	for _, h := range a.c.EtcdHosts() {
		asked = asked || a.reached(h.Name)
	}
	if asked && !a.Etcd.HasQuorum {
		need := a.Etcd.QuorumSize - a.able()
		p := Problem{Kind: EtcdNoQuorum, Severity: diag.SeverityError, Subject: "etcd"}
		if need > 0 {
			p.Summary = fmt.Sprintf("no quorum: %d of %d members run, %d are needed; all writes are stopped", a.able(), a.Etcd.Voters, a.Etcd.QuorumSize)
			p.Hint = fmt.Sprintf("bring %d of %s back; nothing that was written is lost", need, andList(a.unable()))
		} else {
			p.Kind = EtcdNoLeader
			p.Summary = fmt.Sprintf("%d of %d members run and they have no leader; all writes are stopped", a.able(), a.Etcd.Voters)
			p.Hint = "an election takes seconds; if it does not end, check that the members reach each other on port 2380"
		}
		a.add(p)
	}
	for _, h := range a.c.EtcdHosts() {
		a.memberProblems(h)
	}
	for _, p := range a.members.Strangers() {
		why, hint := a.members.Stranger(a.c, p)
		if p.Learner || p.Healthy() || p.Unknown() {
			a.warn(EtcdUnknownMember, "etcd", why, hint)
		} else {
			a.error(EtcdUnknownMember, "etcd", why, hint)
		}
	}
	a.space()
	a.corruption()
	a.etcdVersions()
	a.even()
}

// space tells of a database that reached its quota, or is about to.
func (a assessment) space() {
	quota := a.c.Etcd.QuotaBackendBytes
	full, most, known := etcd.FullMembers(a.s)
	switch {
	case full == nil:
		for _, h := range a.c.EtcdHosts() {
			if bytes := a.s.Etcd[h.Name].DBBytes; quota > 0 && float64(bytes) > nearlyFull*float64(quota) {
				a.warn(EtcdNearlyFull, h.Name, fmt.Sprintf("etcd's database fills %d %% of its quota; at 100 %% writes stop", bytes*100/quota), etcd.MakeRoom(a.c))
			}
		}
	case known && most <= etcd.RoomBelow(quota):
		a.error(EtcdAlarm, "etcd", "no write is taken: the alarm NOSPACE is raised, though its database has room again ("+etcd.Fills(most, quota)+")", "quorate apply disarms it")
	default:
		a.error(EtcdAlarm, "etcd", "no write is taken: its database reached the quota (alarm NOSPACE); "+etcd.Fills(most, quota), etcd.MakeRoom(a.c))
	}
}

// corruption tells of members whose data are not the same.
func (a assessment) corruption() {
	if why, hint := a.members.Corruption(a.c); why != "" {
		a.error(EtcdAlarm, "etcd", why, hint)
	} else if raised, _ := a.members.CorruptRaised(); raised {
		a.error(EtcdAlarm, "etcd", "no write is taken: the alarm CORRUPT is raised, though whose data it was is no member any more", "quorate apply disarms it")
	}
}

// able counts the voters whose member answers, with a leader or without.
func (a assessment) able() int {
	n := 0
	for _, m := range a.Etcd.Members {
		if said, ok := a.s.Etcd[m.Host]; ok && said.Error == "" && !m.Learner {
			n++
		}
	}
	return n
}

// unable lists the voters that do not answer.
func (a assessment) unable() []string {
	var out []string
	for _, m := range a.Etcd.Members {
		said, ok := a.s.Etcd[m.Host]
		if m.Host == "" && !m.Learner && !m.Healthy {
			out = append(out, cmp.Or(m.Name, m.Address))
		} else if m.Host != "" && (!ok || said.Error != "") {
			out = append(out, m.Host)
		}
	}
	return out
}

func (a assessment) memberProblems(h *cluster.Host) {
	if !a.reached(h.Name) {
		return // the host is the problem
	}
	said := a.s.Etcd[h.Name]
	p, listed := a.members.Of(h.Name)
	situation := a.members.Situations[h.Name]
	why, hint := a.members.Refusal(a.c, h)
	switch {
	case len(a.members.Clusters) > 1 && why != "":
		return // told of all together
	case situation == etcd.Joining && !listed:
		why, hint = "the file gives it an etcd member, and etcd does not list one", "quorate apply makes it a member"
		if not, first := a.members.MayAdd(a.c, h.Name); not != "" {
			why, hint = why+"; "+not, first
		}
		a.error(EtcdNotMember, h.Name, why, hint)
		return
	case why != "":
		a.error(EtcdNotMember, h.Name, why, hint)
		return
	case listed && !p.Started() && said.Error != "":
		a.error(EtcdMemberDown, h.Name, "etcd lists its member, which never started", "quorate apply starts it")
		return
	case said.Error != "":
		a.add(Problem{
			Kind: EtcdMemberDown, Severity: diag.SeverityError, Subject: h.Name, Summary: "its etcd member does not answer", Detail: said.Error,
			Hint: fmt.Sprintf("on %s, look at %s", h.Name, etcd.Log(a.c)),
		})
		return
	case said.Learner || p.Learner:
		a.error(EtcdLearner, h.Name, "its etcd member is a learner and does not count towards the quorum", "quorate apply promotes it once it has caught up")
	}
	if a.Etcd.HasQuorum && !etcd.HasLeader(said) {
		a.error(EtcdMemberDown, h.Name, "its etcd member runs and is cut off from the others, which have a leader",
			fmt.Sprintf("check that %s reaches the other members on port 2380", h.Name))
	}
}

// etcdVersions warns of members of different versions, which is for the
// length of an upgrade only.
func (a assessment) etcdVersions() {
	var versions, words []string
	for _, m := range a.Etcd.Members {
		if m.Version == "" {
			continue
		}
		if !slices.Contains(versions, m.Version) {
			versions = append(versions, m.Version)
		}
		words = append(words, m.Host+" "+m.Version)
	}
	if len(versions) > 1 {
		a.warn(EtcdVersions, "etcd", "its members are of different versions: "+strings.Join(words, ", "), "finish the upgrade: quorate apply")
	}
}

// andList words a list: "cp-1", "cp-1 and cp-2", "cp-1, cp-2 and cp-3".
func andList(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
