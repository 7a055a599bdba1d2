package etcd

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/members"
)

// member is the work of running a member: the service, and the proof that
// the member takes part in a quorum.
type member struct {
	component.Service
	restarts bool // it runs, and is taken down
}

// formTimeout bounds the forming of a quorum. Members start within seconds of
// one another, but a slow host may still be receiving its binaries.
const formTimeout = 5 * time.Minute

// Apply implements component.Op.
func (m member) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(m.Host)
	if err != nil {
		return err
	}
	if m.restarts {
		if err := members.GuardQuorum(ctx, rt, m.Host, say); err != nil {
			return err
		}
	}
	if err := h.Mkdir(ctx, rt.Cluster.Etcd.DataDir, 0o700); err != nil {
		return err
	}
	return m.Service.Apply(ctx, rt, say)
}

// Verify implements component.Verifier.
func (m member) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := members.WaitHealthy(ctx, rt, m.Host, formTimeout, unit, say); err != nil {
		return fmt.Errorf("%w (see `journalctl -u %s` on %s)", err, unit, m.Host)
	}
	return nil
}

// startJoining starts a host's member with the membership that it joins.
func startJoining(in component.Input, h *cluster.Host) func(context.Context, *component.Runtime, string) error {
	return func(ctx context.Context, rt *component.Runtime, initialCluster string) error {
		// One that was a member before, was removed and comes back has no data, and
		// with the mark of the first time its unit would not start.
		handle, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		if err := handle.Remove(ctx, etcd.FormedMarker); err != nil {
			return err
		}
		return member{Service: newService(in, h, initialCluster, "existing")}.Apply(ctx, rt, func(string) {})
	}
}
