package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
)

// planAlarm plans to disarm alarms that nothing stands behind any more, since etcd
// never does so by itself and takes no write until then: NOSPACE where the database
// has room again, because the quota is raised by this plan or was, or because it was
// compacted and defragmented; CORRUPT where whose data it was is no member any more.
// etcdctl disarms all or none. Starts are the steps that start members: without a
// quorum no alarm is disarmed.
func planAlarm(in component.Input, m etcd.Membership, starts []plan.ID, out *component.Output) {
	full, most, known := etcd.FullMembers(in.Snapshot)
	corrupt, outlived := m.CorruptRaised()
	quota := in.Cluster.Etcd.QuotaBackendBytes
	step := plan.Step{ID: component.StepEtcdAlarm, Needs: starts}
	var names, why []string
	if full != nil {
		if !known || most > etcd.RoomBelow(quota) {
			out.Warn(etcd.MakeRoom(in.Cluster), "etcd takes no write: its database reached the quota (alarm NOSPACE), %s", etcd.Fills(most, quota))
			return
		}
		names, why = append(names, "NOSPACE"), append(why, etcd.Fills(most, quota))
		step.Needs = component.Each(component.StepEtcdMember, in.Cluster.EtcdHosts())
	}
	switch {
	case corrupt && !outlived:
		return // told as a fault
	case corrupt:
		names, why = append(names, "CORRUPT"), append(why, "whose data it was is no member any more")
	case full == nil:
		return
	}
	var via []string
	for _, h := range in.Cluster.EtcdHosts() {
		via = append(via, h.Name)
	}
	for _, name := range names {
		step.Changes = append(step.Changes, plan.Change{What: "etcd alarm " + name, Action: "remove"})
	}
	step.Title = "disarm etcd's alarm " + strings.Join(names, " and ") + ", so that writes are taken again"
	step.Why = strings.Join(why, "; ")
	out.Add(step, disarm{via: via, pki: etcd.PKI(in.Cluster)})
}

// disarm is the work of disarming alarms.
type disarm struct {
	via []string
	pki string
}

// Check implements component.Checker.
func (o disarm) Check(ctx context.Context, rt *component.Runtime, _ func(string)) (bool, error) {
	alarms, err := o.alarms(ctx, rt)
	return err == nil && len(alarms) == 0, err
}

// Apply implements component.Op. What was raised since the plan was made may be of
// a member whose data stands in the way.
func (o disarm) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	alarms, err := o.alarms(ctx, rt)
	if err != nil {
		return err
	}
	var members []Member
	err = tryEach(rt, o.via, o.pki, func(c Client) (err error) {
		members, err = c.Members(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range alarms {
		member := slices.ContainsFunc(members, func(m Member) bool { return m.ID == a.MemberID })
		if a.Alarm != alarmNoSpace && (a.Alarm != alarmCorrupt || a.MemberID == 0 || member) {
			return &refused{
				fmt.Sprintf("member %x has an alarm that still holds, and etcdctl would disarm it, too", a.MemberID),
				"`quorate status` says which, and what to do about it",
			}
		}
	}
	return tryEach(rt, o.via, o.pki, func(c Client) error { return c.Disarm(ctx) })
}

// Verify implements component.Verifier.
func (o disarm) Verify(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	alarms, err := o.alarms(ctx, rt)
	if err == nil && len(alarms) > 0 {
		err = errors.New("etcd raised an alarm again at once")
	}
	return err
}

func (o disarm) alarms(ctx context.Context, rt *component.Runtime) (alarms []Alarm, err error) {
	err = tryEach(rt, o.via, o.pki, func(c Client) (err error) {
		alarms, err = c.Alarms(ctx)
		return err
	})
	return alarms, err
}
