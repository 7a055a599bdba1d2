package members

import (
	"slices"
	"strings"
	"testing"
)

// etcdctl disarms all alarms at once: none is disarmed while one of them is of a
// member that is still there, or of nobody that etcd could name.
func TestCorruptStaysRaisedWhileItHolds(t *testing.T) {
	for _, test := range []struct {
		what string
		of   uint64
		want string
	}{
		{"of a member", 1<<63 + 5, "member 8000000000000005 has an alarm that still holds"},
		{"of nobody that is known", 0, "has an alarm that still holds"},
		{"of one that was removed", 4, ""},
	} {
		c := newClub(t)
		c.corrupt = test.of
		_, rt, _ := c.join()
		err := disarm{via: []string{"a"}, pki: "/pki"}.Apply(t.Context(), rt, func(string) {})
		disarmed := slices.Contains(c.did, "alarm disarm")
		if disarmed != (test.want == "") || (err == nil) != disarmed || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: disarmed %v with %v, want %q", test.what, disarmed, err, test.want)
		}
	}
}
