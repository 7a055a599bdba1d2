package etcd

import (
	"slices"

	"github.com/quorate/quorate/internal/cluster"
)

// Quorum is how the votes stand.
type Quorum struct {
	Voters  int // members that vote, by etcd's own list
	Healthy int // of them, those that are healthy
	Needed  int // that a write takes
	// Tolerated is how many more of the healthy may fail.
	Tolerated int
}

// Holds reports whether writes are taken.
func (q Quorum) Holds() bool { return q.Healthy >= q.Needed }

// QuorumOf counts what a number of voters and of healthy ones comes to.
func QuorumOf(voters, healthy int) Quorum {
	needed := cluster.Quorum(voters)
	return Quorum{Voters: voters, Healthy: healthy, Needed: needed, Tolerated: max(0, healthy-needed)}
}

// Change is what would become of the members.
type Change struct {
	Add    int      // voters that are new: they count as not healthy
	Remove []string // members by ID
	Down   []string // members by ID, which keep their votes
}

// After projects how the votes stand after a change, counted by etcd's own
// list: whoever is listed votes, whether the cluster file has a host for it or
// not, and whether it ever started or not.
func (m Membership) After(c Change) Quorum {
	voters, healthy := c.Add, 0
	for _, p := range m.Members {
		if p.Learner || slices.Contains(c.Remove, p.ID) {
			continue
		}
		voters++
		if p.Healthy() && !slices.Contains(c.Down, p.ID) {
			healthy++
		}
	}
	return QuorumOf(voters, healthy)
}
