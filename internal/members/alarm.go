package members

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/plan"
)

// planAlarm plans to disarm the alarm NOSPACE where the database has room again,
// because the quota is raised by this plan or was, or because it was compacted and
// defragmented. etcd never does so by itself, and takes no write until then.
func planAlarm(in component.Input, out *component.Output) {
	full, most, known := etcd.FullMembers(in.Snapshot)
	if full == nil {
		return
	}
	quota := in.Cluster.Etcd.QuotaBackendBytes
	if !known || most > etcd.RoomBelow(quota) {
		out.Warn(etcd.MakeRoom(in.Cluster), "etcd takes no write: its database reached the quota (alarm NOSPACE), %s", etcd.Fills(most, quota))
		return
	}
	var via []string
	for _, h := range in.Cluster.EtcdHosts() {
		via = append(via, h.Name)
	}
	out.Add(plan.Step{
		ID: component.StepEtcdAlarm, Title: "disarm etcd's alarm NOSPACE, so that writes are taken again",
		Why: etcd.Fills(most, quota), Needs: component.Each(component.StepEtcdMember, in.Cluster.EtcdHosts()),
		Changes: []plan.Change{{What: "etcd alarm NOSPACE", Action: "remove"}},
	}, disarm{via: via, pki: etcd.PKI(in.Cluster)})
}

// disarm is the work of disarming NOSPACE.
type disarm struct {
	via []string
	pki string
}

// Check implements component.Op.
func (o disarm) Check(ctx context.Context, rt *component.Runtime) (bool, error) {
	alarms, err := o.alarms(ctx, rt)
	return err == nil && len(alarms) == 0, err
}

// Apply implements component.Op. etcdctl disarms all alarms or none, and CORRUPT is
// not to be disarmed for a database that was full.
func (o disarm) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	alarms, err := o.alarms(ctx, rt)
	if err != nil {
		return err
	}
	for _, a := range alarms {
		if a.Alarm != alarmNoSpace {
			return &refused{
				fmt.Sprintf("member %x has raised another alarm than NOSPACE, too, and etcdctl would disarm both", a.MemberID),
				"replace the member whose data is corrupt first",
			}
		}
	}
	return tryEach(rt, o.via, o.pki, func(c Client) error { return c.Disarm(ctx) })
}

// Verify implements component.Op.
func (o disarm) Verify(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	alarms, err := o.alarms(ctx, rt)
	if err == nil && len(alarms) > 0 {
		err = errors.New("etcd raised the alarm again at once: its database has no room yet")
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
