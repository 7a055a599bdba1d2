package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
)

// Machines switches lab hosts. What undoes a switch is arranged before it, so
// that it is undone though this process is killed.
type Machines interface {
	// Off pulls a host's plug and Freeze stops it; each is undone at the latest
	// after the time, also when nobody calls undo.
	Off(ctx context.Context, host string, lasts time.Duration) (undo func(context.Context) error, err error)
	Freeze(ctx context.Context, host string, lasts time.Duration) (undo func(context.Context) error, err error)
}

// undoMargin is how much later than the run itself a host ends a fault by
// itself.
const undoMargin = 10 * time.Second

// controlPlanePKI is where kubeadm keeps a control plane's certificates.
const controlPlanePKI = "/etc/kubernetes/pki/"

// leaveOnDisk is what a filled disk has left, in bytes: the kernel's and
// journald's little needs.
const leaveOnDisk = 1 << 20

// faultRequest is what a host's agent is asked to do.
func faultRequest(c *cluster.Cluster, d Drill, target, id string) protocol.FaultRequest {
	request := protocol.FaultRequest{ID: id, LastsMillis: (d.Hold + undoMargin).Milliseconds()}
	switch d.Action {
	case Kill, Hang:
		request.Process = &protocol.ProcessFault{Program: d.Program, Hang: d.Action == Hang}
	case Stop:
		request.Unit = &protocol.UnitFault{Name: d.Unit}
	case Reboot, Reset:
		request.Boot = &protocol.BootFault{Hard: d.Action == Reset}
	case PowerOff:
		request.Boot = &protocol.BootFault{Off: true}
		request.LastsMillis = d.Hold.Milliseconds()
	case Shift:
		request.Clock = &protocol.ClockFault{ShiftMillis: d.By.Milliseconds()}
	case Expire:
		request.Certificate = &protocol.CertificateFault{
			File: controlPlanePKI + "apiserver.crt", Authority: controlPlanePKI + "ca.crt", AuthorityKey: controlPlanePKI + "ca.key", Program: d.Program,
		}
	case Lose:
		request.Data = &protocol.DataFault{Unit: d.Unit, Dir: c.Etcd.DataDir, Holds: "member"}
	case Fill:
		request.Disk = &protocol.DiskFault{Dir: c.Etcd.DataDir, LeaveBytes: leaveOnDisk}
	case Drop:
		h := c.Host(target)
		n := &protocol.NetworkFault{
			Address: h.InternalAddress.String(), In: d.In, Out: d.Out, LossPercent: d.Loss,
			BytesPerSecond: d.Rate, DelayMillis: d.Delay.Milliseconds(),
		}
		if d.Peers == Cluster {
			for i := range c.Hosts {
				if other := &c.Hosts[i]; other.Name != target {
					n.Peers = append(n.Peers, other.InternalAddress.String())
				}
			}
			// Some of them answer at an address that they share.
			if vip := c.Endpoint.LoadBalancer.VIP; vip.IsValid() {
				n.Peers = append(n.Peers, vip.String())
			}
		} else if !d.Slows() {
			// Nobody can ask the host to end it, so it ends when it is to.
			request.LastsMillis = d.Hold.Milliseconds()
		}
		request.Network = n
	}
	return request
}

// How long a host is waited for: for longer than it takes itself, else a fault that
// was slow to be done or undone would be taken for one that was not.
const (
	askTimeout = 20 * time.Second // whether it could do a fault
	armTimeout = protocol.FaultArmTime + 20*time.Second
	endTimeout = protocol.FaultEndTime + 20*time.Second
)

// inject does the fault on one target. The undo it returns is never nil once
// something may have been done.
func (r *Runner) inject(ctx context.Context, d Drill, target, id string) (undo func(context.Context) error, err error) {
	nothing := func(context.Context) error { return nil }
	switch d.Action {
	case Nothing:
		return nothing, nil
	case PowerOff:
		if r.Machines != nil {
			return r.Machines.Off(ctx, target, d.Hold+undoMargin)
		}
	case Freeze:
		return r.Machines.Freeze(ctx, target, d.Hold+undoMargin)
	}
	h, err := r.Host(ctx, target)
	if err != nil {
		return nothing, err
	}
	ctx, cancel := context.WithTimeout(ctx, armTimeout)
	defer cancel()
	undo = nothing
	if d.Undone() && d.Action != Reboot && d.Action != Reset && d.Action != PowerOff {
		undo = func(ctx context.Context) error { return r.endOn(ctx, target, id) }
	}
	reply, err := h.Fault(ctx, faultRequest(r.Cluster, d, target, id))
	if err == nil && reply.BeginsMillis > 0 {
		begins := time.NewTimer(time.Duration(reply.BeginsMillis) * time.Millisecond)
		defer begins.Stop()
		select {
		case <-begins.C:
		case <-ctx.Done():
		}
	}
	if errors.Is(err, host.ErrUnreachable) && d.TakesHost() {
		err = nil // it took the connection along
	}
	return undo, err
}

// undoTimeout bounds the time in which a host must be reached to end a fault.
const undoTimeout = 90 * time.Second

// LeftError says that a fault is not known to be over.
type LeftError struct {
	Host string
	Err  error
}

// Error says what ends it: the host itself, of whom nothing is known, but not where it
// says that it could not.
func (e *LeftError) Error() string {
	if errors.Is(e.Err, host.ErrUnreachable) {
		return fmt.Sprintf("the fault on %s could not be ended: %v; the host ends it by itself when its time is over, and `quorate drill end` sees to it", e.Host, e.Err)
	}
	return fmt.Sprintf("the fault on %s could not be ended: %v", e.Host, e.Err)
}

func (e *LeftError) Unwrap() error { return e.Err }

// endOn ends a fault on its host, as soon as the host can be reached again.
func (r *Runner) endOn(ctx context.Context, target, id string) error {
	reaching, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	err := poll(reaching, func() error {
		h, err := r.Host(reaching, target)
		if err != nil {
			return err
		}
		try, cancel := context.WithTimeout(ctx, endTimeout)
		defer cancel()
		_, err = h.Undo(try, id)
		return err
	})
	if err != nil {
		return &LeftError{Host: target, Err: err}
	}
	return nil
}

// Unable asks a target whether it can do a drill, and gives the reason if not.
func (r *Runner) Unable(ctx context.Context, d Drill, target string) error {
	switch d.Action {
	case Nothing, Freeze, Reboot, Reset:
		return nil
	case PowerOff:
		if r.Machines != nil {
			return nil
		}
	}
	h, err := r.Host(ctx, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request := faultRequest(r.Cluster, d, target, "try")
	request.Try = true
	_, err = h.Fault(ctx, request)
	return err
}
