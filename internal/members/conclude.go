package members

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
)

// Conclude ends the planning of members, once each host has its step: restarts
// follow one another, after all that only start; what the votes do not bear is
// refused before anything is changed; and alarms that are mended are disarmed.
func Conclude(in component.Input, m etcd.Membership, out *component.Output) {
	var intent etcd.Intent
	var before []plan.ID
	restarts := map[string]int{} // the step of a host, among all
	for i, s := range out.Steps {
		if subject, host, _ := strings.Cut(string(s.ID), "@"); subject != component.StepEtcdMember {
			continue
		} else if s.Impact == plan.ImpactRestart {
			restarts[host] = i
		} else if m.Situations[host] == etcd.Joining {
			intent.Adds = append(intent.Adds, host)
		} else {
			intent.Starts = append(intent.Starts, host)
			before = append(before, s.ID)
		}
	}
	starts := slices.Clone(before)
	for _, h := range in.Cluster.EtcdHosts() {
		i, ok := restarts[h.Name]
		if !ok {
			continue
		}
		s := &out.Steps[i]
		s.Needs = append(slices.Clone(s.Needs), before...)
		before = append(before, s.ID)
		intent.Restarts = append(intent.Restarts, h.Name)
	}
	for _, f := range m.Faults(in.Cluster, intent) {
		if f.Refuses {
			out.Refuse(f.Hint, "%s", f.Why)
		} else {
			out.Warn(f.Hint, "%s", f.Why)
		}
	}
	planAlarm(in, m, starts, out)
}
