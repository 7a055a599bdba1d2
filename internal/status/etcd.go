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

// etcd judges the members, by the member list that is believed.
func (a assessment) etcd() {
	hosts := a.c.EtcdHosts()
	members := etcd.Assess(a.c, a.s)
	a.Etcd.Voters = len(hosts)
	if members.Members != nil {
		a.Etcd.Voters = members.After(etcd.Change{}).Voters
	}
	a.Etcd.QuorumSize = cluster.Quorum(a.Etcd.Voters)
	for _, h := range hosts {
		said, asked := a.s.Etcd[h.Name]
		peer, listed := members.Of(h.Name)
		m := Member{
			Host: h.Name, Name: peer.Name, Learner: said.Learner || peer.Learner, Version: said.Version, DBBytes: said.DBBytes,
			Leader: said.ID != "" && said.ID == said.Leader,
		}
		switch {
		case !a.reached(h.Name):
			m.Detail = "host does not answer"
		case members.Members != nil && !listed:
			m.Detail = "not a member"
		case !asked:
			m.Detail = "was not asked"
		case said.Error != "":
			m.Detail = "does not answer"
		case !etcd.HasLeader(said):
			m.Detail = "has no leader"
		case etcd.Corrupt(said):
			m.Detail = "its data is corrupt"
		default:
			m.Healthy = true
		}
		a.Etcd.HasQuorum = a.Etcd.HasQuorum || (asked && etcd.HasLeader(said))
		if m.Healthy && !m.Learner {
			a.Etcd.HealthyVoters++
		}
		a.Etcd.Members = append(a.Etcd.Members, m)
	}
	for _, p := range members.Strangers() {
		a.Etcd.Members = append(a.Etcd.Members, Member{Name: cmp.Or(p.Name, strings.Join(p.PeerURLs, ",")), Learner: p.Learner, Detail: "not in the file"})
	}
	a.Etcd.ToleratedByDesign = cluster.Tolerated(len(hosts))
	if a.Etcd.HasQuorum {
		a.Etcd.ToleratedFailures = max(0, a.Etcd.HealthyVoters-a.Etcd.QuorumSize)
	}
	a.etcdProblems(members)
}

func (a assessment) etcdProblems(members etcd.Membership) {
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
	for _, m := range a.Etcd.Members {
		if m.Host == "" {
			a.warn(EtcdUnknownMember, "etcd", fmt.Sprintf("member %s is none of the cluster file's hosts", m.Name),
				"add its host to the file, or remove the member: etcdctl member remove")
			continue
		}
		a.memberProblems(m, members)
	}
	a.etcdVersions()
	a.even()
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

// unable lists the hosts whose member does not answer.
func (a assessment) unable() []string {
	var out []string
	for _, m := range a.Etcd.Members {
		if said, ok := a.s.Etcd[m.Host]; m.Host != "" && (!ok || said.Error != "") {
			out = append(out, m.Host)
		}
	}
	return out
}

func (a assessment) memberProblems(m Member, members etcd.Membership) {
	if !a.reached(m.Host) {
		return // the host is the problem
	}
	said := a.s.Etcd[m.Host]
	service := "journalctl -u etcd"
	if a.c.Etcd.Mode == cluster.EtcdStacked {
		service = "/var/log/pods/kube-system_etcd-*"
	}
	_, listed := members.Of(m.Host)
	switch {
	case members.Members != nil && !listed:
		a.error(EtcdNotMember, m.Host, "the file gives it an etcd member, and etcd does not list one", "quorate apply makes it a member")
		return
	case said.Error != "":
		a.add(Problem{
			Kind: EtcdMemberDown, Severity: diag.SeverityError, Subject: m.Host, Summary: "its etcd member does not answer", Detail: said.Error,
			Hint: fmt.Sprintf("on %s, look at %s", m.Host, service),
		})
		return
	case m.Learner:
		a.error(EtcdLearner, m.Host, "its etcd member is a learner and does not count towards the quorum", "quorate apply promotes it once it has caught up")
	}
	switch {
	case a.Etcd.HasQuorum && !etcd.HasLeader(said):
		a.error(EtcdMemberDown, m.Host, "its etcd member runs and is cut off from the others, which have a leader",
			fmt.Sprintf("check that %s reaches the other members on port 2380", m.Host))
	case etcd.Corrupt(said):
		a.error(EtcdAlarm, m.Host, "etcd's alarm CORRUPT: its data differs from the other members'", "remove the member and add it anew with an empty data folder")
	case etcd.Full(said):
		a.error(EtcdAlarm, m.Host, "etcd's alarm NOSPACE: its database reached the quota, only reads and deletions are taken",
			"compact and defragment (etcdctl compact, etcdctl defrag) or raise etcd.quotaBackendBytes, then etcdctl alarm disarm")
	case a.c.Etcd.QuotaBackendBytes > 0 && float64(said.DBBytes) > nearlyFull*float64(a.c.Etcd.QuotaBackendBytes):
		a.warn(EtcdNearlyFull, m.Host, fmt.Sprintf("etcd's database fills %d %% of its quota; at 100 %% writes stop", said.DBBytes*100/a.c.Etcd.QuotaBackendBytes),
			"compact and defragment (etcdctl compact, etcdctl defrag), or raise etcd.quotaBackendBytes")
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
