package etcd

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/state"
)

// Whose data differs is told by the alarm alone; what to do about it never takes the
// quorum from the copies that agree.
func TestCorruption(t *testing.T) {
	told := func(errors ...string) func(m state.EtcdMember) state.EtcdMember {
		return func(m state.EtcdMember) state.EtcdMember { m.Errors = errors; return m }
	}
	for _, tt := range []struct {
		name      string
		alarm     func(state.EtcdMember) state.EtcdMember
		down      bool // c
		why, hint string
		outlived  bool
	}{
		{"none", told(), false, "", "", false},
		{"NOSPACE", told("memberID:1 alarm:NOSPACE "), false, "", "", false},
		{"of a member", told("memberID:" + all()[1].ID + "  alarm:CORRUPT"), false, "the data of b is not that of the other members", "give it the others' data: on b, ", false},
		{"of a member, and another is down", told("memberID:" + all()[1].ID + " alarm:CORRUPT "), true, "the data of b", "bring the others back first, for without them there is no quorum to give it theirs: bring the etcd member of c back", false},
		{"of nobody that is known", told("alarm:CORRUPT "), false, "no majority of them is known to agree", "nobody but you knows which copy is to stay: keep all", false},
		{"of nobody that is known, and one is down: its copy may decide", told("alarm:CORRUPT "), true, "no majority of them is known to agree", "keep all copies, and bring the others back first, for theirs may decide: bring the etcd member of c back", false},
		{"of one that is gone", told("memberID:4242 alarm:CORRUPT "), false, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said := map[string]state.EtcdMember{}
			for _, name := range []string{"a", "b", "c"} {
				said[name] = tt.alarm(says(name, "1", "a", 5, all()...))
			}
			if tt.down {
				said["c"] = state.EtcdMember{Error: "refused"}
			}
			m := Assess(trio(), seen(map[string]string{"a": "df", "b": "df", "c": "df"}, said))
			why, hint := m.Corruption(trio())
			if (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) || !strings.Contains(hint, tt.hint) {
				t.Errorf("got %q, %q; want %q, %q", why, hint, tt.why, tt.hint)
			}
			if _, outlived := m.CorruptRaised(); outlived != tt.outlived {
				t.Errorf("outlived: %v, want %v", outlived, tt.outlived)
			}
		})
	}
}
