package etcd

import (
	"cmp"
	"strconv"

	"github.com/quorate/quorate/internal/cluster"
)

// snapshotCount is kubeadm's figure, and that of newer versions of etcd: a member
// replays so much log at most when it starts.
const snapshotCount = 10000

// Gates are the feature gates of every member: one whose data is not that of the others
// does not start, and at each compaction the members' data are compared: the alarm
// CORRUPT then names the member that a majority disagrees with. Comparing by time
// (corrupt-check-time) would name a follower although it is the leader that is wrong.
const Gates = "CompactHashCheck=true,InitialCorruptCheck=true"

// Tuning are the settings of members that are the same on all of them and may
// change in a member's life, under the names that they have as flags and in
// etcd's settings file. What the cluster file leaves to etcd is left out.
func Tuning(e cluster.Etcd) []cluster.Arg {
	out := []cluster.Arg{
		{Name: "heartbeat-interval", Value: strconv.FormatInt(e.Heartbeat.Milliseconds(), 10)},
		{Name: "election-timeout", Value: strconv.FormatInt(e.Election.Milliseconds(), 10)},
	}
	number := func(name string, n int64) {
		if n != 0 {
			out = append(out, cluster.Arg{Name: name, Value: strconv.FormatInt(n, 10)})
		}
	}
	text := func(name, value string) {
		if value != "" {
			out = append(out, cluster.Arg{Name: name, Value: value})
		}
	}
	number("quota-backend-bytes", e.QuotaBackendBytes)
	number("snapshot-count", cmp.Or(e.SnapshotCount, snapshotCount))
	number("max-request-bytes", e.MaxRequestBytes)
	number("max-snapshots", int64(e.MaxSnapshots))
	number("max-wals", int64(e.MaxWALs))
	if e.AutoCompactionRetention != 0 {
		text("auto-compaction-mode", "periodic")
		text("auto-compaction-retention", e.AutoCompactionRetention.String())
	}
	text("metrics", e.Metrics)
	text("log-level", e.LogLevel)
	return out
}
