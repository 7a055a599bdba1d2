package etcd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// FullMembers are the hosts whose members say that a database reached its quota;
// most is how large the largest database is, as far as all told.
func FullMembers(snap *state.Snapshot) (hosts []string, most int64, known bool) {
	known = true
	for host, said := range snap.Etcd {
		if said.Error != "" {
			known = false
			continue
		}
		if Full(said) {
			hosts = append(hosts, host)
		}
		most = max(most, said.DBBytes)
	}
	slices.Sort(hosts)
	return hosts, most, known
}

// RoomBelow is how large a database may be that is not full any more: the alarm
// would be back at once where it is hardly smaller than its quota.
func RoomBelow(quota int64) int64 { return quota / 10 * 9 }

// Fills words how much of its quota a database fills.
func Fills(bytes, quota int64) string {
	if quota <= 0 {
		return fmt.Sprintf("the database has %d MB", bytes>>20)
	}
	return fmt.Sprintf("the database fills %d %% of the quota of %d MB", bytes*100/quota, quota>>20)
}

// MakeRoom is how a full database is given room. Both ways end with an apply,
// which disarms the alarm once there is room.
func MakeRoom(c *cluster.Cluster) string {
	return fmt.Sprintf("raise etcd.quotaBackendBytes in the cluster file and run `quorate apply`, which disarms the alarm, too; or drop old revisions: on one etcd host `%s` (`endpoint status -w json` in place of the last two words shows the revision), then on each etcd host, one after another, `%s`, and run `quorate apply`",
		Command(c, "compact REVISION"), "etcdctl --command-timeout 60s"+strings.TrimPrefix(Command(c, "defrag"), "etcdctl"))
}
