package etcd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/state"
)

// The quorum is counted by etcd's own list: members that the cluster file does
// not have vote, and so do those that never started.
func TestAfter(t *testing.T) {
	well := func(ids ...string) []Member {
		var out []Member
		for _, id := range ids {
			out = append(out, Member{EtcdPeer: state.EtcdPeer{ID: id, Name: id}})
		}
		return out
	}
	ghost := Member{EtcdPeer: state.EtcdPeer{ID: "x"}, Why: "never started"}
	learner := Member{EtcdPeer: state.EtcdPeer{ID: "l", Learner: true}}
	for _, tt := range []struct {
		name    string
		members []Member
		change  Change
		want    Quorum
	}{
		{"three", well("a", "b", "c"), Change{}, Quorum{3, 3, 2, 1}},
		{"one is restarted", well("a", "b", "c"), Change{Down: []string{"a"}}, Quorum{3, 2, 2, 0}},
		{"one is restarted beside a ghost", append(well("a", "b", "c"), ghost), Change{Down: []string{"a"}}, Quorum{4, 2, 3, 0}},
		{"the ghost is removed", append(well("a", "b", "c"), ghost), Change{Remove: []string{"x"}}, Quorum{3, 3, 2, 1}},
		{"one is added", well("a", "b", "c"), Change{Add: 1}, Quorum{4, 3, 3, 0}},
		{"one is added beside a ghost", append(well("a", "b"), ghost), Change{Add: 1}, Quorum{4, 2, 3, 0}},
		{"the only one is restarted", well("a"), Change{Down: []string{"a"}}, Quorum{1, 0, 1, 0}},
		{"a learner has no vote", append(well("a", "b", "c"), learner), Change{Down: []string{"a"}}, Quorum{3, 2, 2, 0}},
		{"one that is down already is restarted", append(well("a", "b"), ghost), Change{Down: []string{"x"}}, Quorum{3, 2, 2, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Membership{Members: tt.members}.After(tt.change)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A removal is agreed to by the quorum of now: one of two is none, though the one that is
// left would be one.
func TestRemovalIsAgreedToByTheQuorumOfNow(t *testing.T) {
	lost := Member{EtcdPeer: state.EtcdPeer{ID: "x", Name: "x"}, Why: "does not answer"}
	for voters, want := range map[string]bool{"a": false, "ab": true, "abc": true} {
		var members []Member
		for _, id := range voters {
			members = append(members, Member{EtcdPeer: state.EtcdPeer{ID: string(id), Name: string(id)}})
		}
		m := Membership{Members: append(members, lost)}
		if got := m.bearsRemoval(lost); got != want {
			t.Errorf("%s beside one that is lost: %v, want %v", voters, got, want)
		}
	}
}
