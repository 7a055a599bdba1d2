package preflight

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/cluster"
)

// How far the hosts' clocks may be apart. Certificates and leases break at the
// first; etcd complains from the second on.
const (
	maxClockSkew  = 30 * time.Second
	wantClockSkew = time.Second
)

const synchronise = "synchronise the clocks (chrony or systemd-timesyncd): certificates and leases depend on them"

func clockChecks() []Check {
	return []Check{
		{Name: "clock-skew", About: "the hosts' clocks agree, within 1 s; 30 s apart is an error", Refuses: true, Cluster: judgeClocks},
		{Name: "clock-sync", About: "something keeps the host's clock right", Host: judgeClockSync},
	}
}

func judgeClocks(o *Observation) []Finding {
	var clocks []time.Duration
	list := ""
	var names []string
	for i := range o.Cluster.Hosts {
		name := o.Cluster.Hosts[i].Name
		h := o.Snapshot.Hosts[name]
		if h == nil || h.Facts == nil {
			continue
		}
		clocks, names = append(clocks, h.Clock), append(names, name)
		if list != "" {
			list += ", "
		}
		list += fmt.Sprintf("%s %+ds", name, int(h.Clock.Round(time.Second).Seconds()))
	}
	if len(clocks) < 2 {
		return skip("fewer than two hosts tell their time")
	}
	skew := slices.Max(clocks) - slices.Min(clocks)
	found := Finding{Status: OK, Summary: fmt.Sprintf("the hosts' clocks are %s apart", skew.Round(time.Millisecond))}
	switch {
	case skew > maxClockSkew:
		found = fail(synchronise, "the hosts' clocks are %s apart: %s", skew.Round(time.Second), list)
	case skew > wantClockSkew:
		found = warn(synchronise, "the hosts' clocks are %s apart: %s", skew.Round(100*time.Millisecond), list)
	}
	return []Finding{found.about(names...).measured("skewMillis", float64(skew.Milliseconds()))}
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
