package members

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
)

// unitEvery is how many looks at the health make one at the unit, which costs
// the host more.
const unitEvery = 8

// WaitHealthy waits until the member of a host takes part in a quorum, and
// notes on the host that it did. Unit is what runs the member; it gives up when
// that keeps failing.
func WaitHealthy(ctx context.Context, rt *component.Runtime, hostName string, timeout time.Duration, unit string, say func(string)) error {
	h, err := rt.Host(hostName)
	if err != nil {
		return err
	}
	looks, crash := 0, component.CrashWatch{Unit: unit}
	err = component.Until(ctx, timeout, "the etcd member of "+hostName, say, func(ctx context.Context) error {
		request := protocol.FactsRequest{Brief: true, LocalHTTP: []protocol.HTTPQuery{etcd.HealthQuery()}}
		if looks++; looks%unitEvery == 0 {
			request.Units = []string{unit}
		}
		facts, err := h.Facts(ctx, request)
		if err != nil {
			return err
		}
		health := etcd.HealthOf(facts.LocalHTTP[0])
		if health == nil {
			return running(ctx, h, unit)
		}
		if request.Units != nil {
			if err := crash.Look(ctx, h, facts.Units[unit]); err != nil {
				return err
			}
		}
		return health
	})
	if err != nil {
		return err
	}
	return MarkFormed(ctx, rt, hostName)
}

// running makes sure that a healthy answer is not the last of a member that is
// being stopped: a restart that was asked for without waiting stops it first,
// and until it has ended it answers as ever.
func running(ctx context.Context, h *host.Host, unit string) error {
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Units: []string{unit}})
	if err != nil {
		return err
	}
	if u := facts.Units[unit]; !u.Running() {
		return fmt.Errorf("%s is %s", unit, u.Active)
	}
	return nil
}
