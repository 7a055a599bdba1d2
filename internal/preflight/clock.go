package preflight

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// How far the hosts' clocks may be apart. Certificates and leases break at the
// first; etcd complains from the second on.
const (
	maxClockSkew  = 30 * time.Second
	wantClockSkew = time.Second
)

// How far the operator's clock may be off theirs: new certificates are dated five
// minutes back, and the operator's programs judge them by their own clock.
const (
	maxOperatorSkew  = 4 * time.Minute
	wantOperatorSkew = 30 * time.Second
)

const synchronise = "synchronise the clocks (chrony or systemd-timesyncd): certificates and leases depend on them"

func clockChecks() []Check {
	return []Check{
		{Name: "clock-skew", About: "the hosts' clocks agree, within 1 s; 30 s apart is an error", Refuses: true, Cluster: judgeClocks},
		{
			Name: "operator-clock", About: "this machine's clock agrees with the hosts', within 30 s; 4 minutes apart is an error",
			Refuses: true, Cluster: judgeOperatorClock,
		},
		{Name: "clock-sync", About: "something keeps the host's clock right", Host: judgeClockSync},
	}
}

func judgeClocks(o *Observation) []Finding {
	var names, list []string
	var first, last *state.Host
	for i := range o.Cluster.Hosts {
		h := o.observed(&o.Cluster.Hosts[i])
		if h == nil || h.Facts == nil {
			continue
		}
		if first == nil || h.Clock < first.Clock {
			first = h
		}
		if last == nil || h.Clock > last.Clock {
			last = h
		}
		names = append(names, h.Name)
		list = append(list, fmt.Sprintf("%s %+ds", h.Name, int(h.Clock.Round(time.Second).Seconds())))
	}
	if len(names) < 2 {
		return skip("fewer than two hosts tell their time")
	}
	skew := last.Clock - first.Clock
	// Hosts that answer slowly tell their time less exactly.
	within := first.ClockWithin + last.ClockWithin
	found := Finding{Status: OK, Summary: fmt.Sprintf("the hosts' clocks are %s apart, give or take %s", skew.Round(time.Millisecond), within.Round(time.Millisecond))}
	switch {
	case skew > maxClockSkew:
		found = fail(synchronise, "the hosts' clocks are %s apart: %s", skew.Round(time.Second), strings.Join(list, ", "))
	case skew-within > wantClockSkew:
		found = warn(synchronise, "the hosts' clocks are %s apart: %s", skew.Round(100*time.Millisecond), strings.Join(list, ", "))
	}
	return []Finding{found.about(names...).measured("skewMillis", float64(skew.Milliseconds()))}
}

// judgeOperatorClock compares the operator's clock with that of the host which is
// nearest to it.
func judgeOperatorClock(o *Observation) []Finding {
	var nearest *state.Host
	for i := range o.Cluster.Hosts {
		h := o.observed(&o.Cluster.Hosts[i])
		if h != nil && h.Facts != nil && (nearest == nil || h.Clock.Abs() < nearest.Clock.Abs()) {
			nearest = h
		}
	}
	if nearest == nil {
		return skip("no host tells its time")
	}
	off := nearest.Clock.Abs()
	way := "behind"
	if nearest.Clock < 0 {
		way = "ahead of"
	}
	found := Finding{Status: OK, Summary: fmt.Sprintf("this machine's clock is %s off the hosts'", off.Round(time.Millisecond))}
	text := fmt.Sprintf("the clock of this machine, where quorate runs, is %s %s those of all hosts", off.Round(time.Second), way)
	const hint = "set it right (chrony or systemd-timesyncd): certificates and leases are judged by the clock of whoever looks at them"
	switch {
	case off-nearest.ClockWithin > maxOperatorSkew:
		found = fail(hint, "%s", text)
	case off-nearest.ClockWithin > wantOperatorSkew:
		found = warn(hint, "%s", text)
	}
	return []Finding{found.measured("skewMillis", float64(nearest.Clock.Milliseconds()))}
}

func judgeClockSync(o *Observation, h *cluster.Host) []Finding {
	switch synced := o.Snapshot.Facts(h.Name).NTPSynced; {
	case synced == nil:
		return skip("the kernel of %s does not tell whether its clock is kept right", h.Name)
	case !*synced:
		return []Finding{warn("run chrony or systemd-timesyncd on it", "nothing keeps the clock of %s right", h.Name)}
	}
	return nil
}
