package members

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// A restart is refused by etcd's own list of voters, not by the cluster file, and
// it is said who is not healthy and why.
func TestGuardQuorum(t *testing.T) {
	third := Member{ID: 3, Name: "n", PeerURLs: []string{urlN}, ClientURLs: []string{"https://10.0.0.9:2379"}}
	ghost := Member{ID: 0xab, PeerURLs: []string{"https://10.0.0.7:2380"}}
	for _, tt := range []struct {
		name       string
		before     func(*club)
		want, hint string
	}{
		{"three that are well", func(*club) {}, "", ""},
		{"a voter that never started beside three", func(c *club) { c.members = append(c.members, ghost) },
			"restarting the etcd member of a would stop all writes: 2 of the 4 voters would be healthy, and 3 are needed; not healthy: 10.0.0.7 never started", "member remove ab`"},
		{"one is down", func(c *club) { c.down["b"] = true },
			"1 of the 3 voters would be healthy, and 2 are needed; not healthy: b does not answer (connection refused)", "on b, look at journalctl -u etcd"},
		{"one was restarted a moment ago", func(c *club) { c.away["b"] = 3 }, "", ""},
		{"the database is full", func(c *club) { c.full = true }, "", ""},
		{"another member's data is corrupt", func(c *club) { c.corrupt = 1<<63 + 5 },
			"no etcd member is started on a now, for it may not come up, or take the wrong data: the data of b is not that of the other members, and etcd takes no write (alarm CORRUPT)", "on b, `systemctl stop etcd`"},
		{"its own data is corrupt", func(c *club) { c.corrupt = 1 }, "the data of a is not that of the other members", "mv /var/lib/etcd/member /var/lib/etcd/member.aside"},
		{"whose data was corrupt is no member any more", func(c *club) { c.corrupt = 4 }, "", ""},
		{"two of two", func(c *club) { c.members = c.members[:2] }, "1 of the 2 voters would be healthy, and 2 are needed", "two tolerate no failure"},
		{"the only one", func(c *club) { c.members = c.members[:1] }, "", ""},
		{"nobody answers, and nobody ever did", func(c *club) { c.young, c.down["a"], c.down["b"], c.down["n"] = true, true, true, true }, "", ""},
		{"nobody answers", func(c *club) { c.down["a"], c.down["b"], c.down["n"] = true, true, true }, "no member tells who the others are", "bring the other members back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClub(t)
				c.members = append(c.members, third)
				tt.before(c)
				_, rt, _ := c.join()
				err := GuardQuorum(t.Context(), rt, "a", func(string) {})
				if tt.want == "" {
					if err != nil {
						t.Errorf("refused: %v", err)
					}
					return
				}
				r, ok := errors.AsType[*refused](err)
				if !ok || !strings.Contains(err.Error(), tt.want) || !strings.Contains(r.Hint(), tt.hint) {
					t.Errorf("it says %v, want %q and %q", err, tt.want, tt.hint)
				}
			})
		})
	}
}
