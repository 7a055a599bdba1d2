package preflight

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/etcd"
)

// wantFsync is what etcd's own guide wants of 99 of 100 synced writes
// (etcd.io, Hardware recommendations and FAQ).
const wantFsync = 10 * time.Millisecond

// electionRounds is how many round trips an election must outlast (etcd.io,
// Tuning).
const electionRounds = 10

func etcdDiskChecks() []Check {
	return []Check{{
		Name: "etcd-fsync", Applies: isMember, Host: judgeFsync,
		About: "99 of 100 synced writes to etcd's disk take less than 10 ms; longer than a heartbeat is an error",
	}}
}

func membershipChecks() []Check {
	return []Check{{
		Name: "etcd-members", Refuses: true, Vital: true, Cluster: judgeMembers,
		About: "etcd's members are in one etcd cluster, and the cluster file has the hosts that vote",
	}}
}

func judgeMembers(o *Observation) []Finding {
	var out []Finding
	for _, f := range etcd.Assess(o.Cluster, o.Snapshot).Faults(o.Cluster, etcd.Intent{}) {
		if f.Refuses {
			out = append(out, fail(f.Hint, "%s", f.Why))
		} else {
			out = append(out, warn(f.Hint, "%s", f.Why))
		}
	}
	return out
}

func etcdPathChecks() []Check {
	return []Check{{
		Name: "etcd-rtt", Cluster: judgeRoundTrips,
		About: "etcd's timings fit the round trips between its members: heartbeat above one, election above ten",
	}}
}

func isMember(c *cluster.Cluster, h *cluster.Host) bool { return slices.Contains(c.EtcdHosts(), h) }

func judgeFsync(o *Observation, h *cluster.Host) []Finding {
	p := o.probed(h).Fsync
	switch {
	case p == nil:
		return skip("the disk of %s was not measured", h.Name)
	case p.Error != "":
		return []Finding{warn("", "the disk of %s could not be measured: %s", h.Name, p.Error)}
	}
	summary := fmt.Sprintf("synced writes at %s of %s: p99 %s, p50 %s, longest %s, of %d",
		o.Cluster.Etcd.DataDir, h.Name, millis(p.P99), millis(p.P50), millis(p.Max), p.Writes)
	found := Finding{Status: OK, Summary: summary}
	switch {
	case p.P99 > o.Cluster.Etcd.Heartbeat:
		found = fail("give etcd a faster disk of its own (an SSD, not shared): members would miss heartbeats and lose their leader",
			"%s; that is longer than a heartbeat (%s)", summary, o.Cluster.Etcd.Heartbeat)
	case p.P99 > wantFsync:
		found = warn("give etcd a faster disk of its own (an SSD, not shared)", "%s; p99 below %s is wanted", summary, wantFsync)
	}
	return []Finding{found.measured("p50Millis", p.P50.Seconds()*1e3).measured("p99Millis", p.P99.Seconds()*1e3).measured("maxMillis", p.Max.Seconds()*1e3)}
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }

func judgeRoundTrips(o *Observation) []Finding {
	if len(o.Cluster.EtcdHosts()) < 2 {
		return skip("etcd has one member")
	}
	if o.Probes == nil || len(o.Probes.RoundTrips) == 0 {
		return skip("no two etcd hosts could connect to one another")
	}
	worst := slices.MaxFunc(o.Probes.RoundTrips, func(a, b RoundTrip) int { return int(a.Took - b.Took) })
	e, text := o.Cluster.Etcd, fmt.Sprintf("the longest round trip between etcd's hosts is %s (%s to %s)", millis(worst.Took), worst.From, worst.To)
	heartbeat, election := suits(worst.Took)
	hint := fmt.Sprintf("set etcd.heartbeat: %s and etcd.election: %s, or bring the members closer together", heartbeat, election)
	found := Finding{Status: OK, Summary: fmt.Sprintf("%s; heartbeat %s and election %s suit it", text, e.Heartbeat, e.Election)}
	switch {
	case worst.Took*electionRounds > e.Election:
		found = fail(hint, "%s; the election timeout %s is less than ten of them: leaders would be lost for nothing", text, e.Election)
	case worst.Took > e.Heartbeat:
		found = warn(hint, "%s; the heartbeat %s is shorter", text, e.Heartbeat)
	}
	return []Finding{found.about(worst.From, worst.To).measured("rttMillis", worst.Took.Seconds()*1e3)}
}

// suits are the timings for a round trip: a heartbeat of one and a half, never
// below etcd's default, and an election of ten heartbeats, rounded up.
func suits(rtt time.Duration) (heartbeat, election time.Duration) {
	const step = 50 * time.Millisecond
	heartbeat = max(100*time.Millisecond, (rtt*3/2+step-1)/step*step)
	return heartbeat, 10 * heartbeat
}
