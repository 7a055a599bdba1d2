package etcd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

var alarmedMember = regexp.MustCompile(`\bmemberID:(\S+)`)

// corrupted are the IDs of the members that the alarm CORRUPT names, as each
// member tells of all. An empty one is etcd's word for members that differ, of
// which none is in the majority.
func corrupted(snap *state.Snapshot, hosts []string) []string {
	var out []string
	for _, host := range hosts {
		for _, e := range snap.Etcd[host].Errors {
			if !strings.Contains(e, "CORRUPT") {
				continue
			}
			id := ""
			if found := alarmedMember.FindStringSubmatch(e); found != nil && found[1] != "0" {
				id = found[1]
			}
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Corrupted are the members of which etcd says that their data is not the others'
// (alarm CORRUPT); unsure tells that it says so and does not know of which.
func (m Membership) Corrupted() (members []Member, unsure bool) {
	for _, p := range m.Members {
		if p.ID != "" && slices.Contains(m.corrupt, p.ID) {
			members = append(members, p)
		}
	}
	return members, slices.Contains(m.corrupt, "")
}

// CorruptRaised reports whether the alarm CORRUPT is raised, so that etcd takes no
// write; outlived tells that all whom it names are members no more, so that what is
// left is the copy that the others agreed on, and nothing is in the way of writes
// but the alarm.
func (m Membership) CorruptRaised() (raised, outlived bool) {
	members, unsure := m.Corrupted()
	return len(m.corrupt) > 0, len(m.corrupt) > 0 && len(members) == 0 && !unsure
}

// Corruption tells that members' data differ, and how to come out of it without
// losing the right copy; both are empty where they do not, as far as etcd knows.
func (m Membership) Corruption(c *cluster.Cluster) (why, hint string) {
	members, unsure := m.Corrupted()
	switch {
	case unsure:
		why = "the members' data differ, no majority of them is known to agree, and etcd takes no write (alarm CORRUPT)"
		if cures := m.cures(c); cures != nil {
			return why, "keep all copies, and bring the others back first, for theirs may decide: " + sentences(cures)
		}
		return why, fmt.Sprintf("nobody but you knows which copy is to stay: keep all. On each etcd host `%s` tells who agrees with whom. For each copy that is not to stay, one after another: on another host `%s`, and then on its own: %s. When all that is left agrees: `%s`; `quorate apply` then adds the others anew",
			Command(c, "endpoint hashkv"), Command(c, "member remove ID"), SetAside(c), Command(c, "alarm disarm"))
	case len(members) == 0:
		return "", ""
	}
	var names []string
	aside := true
	for _, p := range members {
		names = append(names, p.Label())
		aside = aside && m.Situations[p.Host] == Lost
	}
	if aside {
		_, hint := m.Refusal(c, c.Host(members[0].Host))
		return fmt.Sprintf("etcd takes no write before %s, whose data was not that of the other members, is removed (alarm CORRUPT)", and(names)), hint
	}
	hint = fmt.Sprintf("give it the others' data: on %s, %s; `quorate plan` then says what comes next", and(names), SetAside(c))
	if !m.After(Change{}).Holds() {
		hint = "bring the others back first, for without them there is no quorum to give it theirs: " + sentences(m.cures(c)) + ". Then " + hint
	}
	return fmt.Sprintf("the data of %s is not that of the other members, and etcd takes no write (alarm CORRUPT)", and(names)), hint
}

// cures say what to do about the members that are not healthy, but for those that the
// alarm names.
func (m Membership) cures(c *cluster.Cluster) []string {
	var cures []string
	for _, p := range m.unwell() {
		if !slices.Contains(m.corrupt, p.ID) && !m.follows(p) {
			cures = append(cures, m.cure(c, p))
		}
	}
	return cures
}
