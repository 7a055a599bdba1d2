package agent

import (
	"context"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// longestFault bounds how long a fault may last: an hour without a node is a
// decision, not a drill. Clocks and delays have bounds of their own.
const (
	longestFault = time.Hour
	longestShift = 24 * time.Hour
	longestDelay = 10 * time.Second
)

// faultID keeps an ID one word in a unit's name and one element of a path.
var faultID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// checkFault refuses what is not well-formed.
func checkFault(request protocol.FaultRequest) error {
	invalid := func(format string, args ...any) error {
		return protocol.Failure(protocol.KindInvalid, format, args...)
	}
	kinds := 0
	if p := request.Process; p != nil {
		kinds++
		if p.Program == "" || strings.ContainsAny(p.Program, "/\x00") {
			return invalid("%q is not a program's base name", p.Program)
		}
	}
	if u := request.Unit; u != nil {
		kinds++
		if err := checkUnitRequest(protocol.UnitRequest{Name: u.Name, Verb: "stop"}); err != nil {
			return err
		}
	}
	if n := request.Network; n != nil {
		kinds++
		for _, address := range append([]string{n.Address}, n.Peers...) {
			if _, err := netip.ParseAddr(address); err != nil {
				return invalid("a network fault: %v", err)
			}
		}
		if !n.In && !n.Out && n.DelayMillis == 0 || n.LossPercent < 0 || n.LossPercent > 100 {
			return invalid("a network fault that drops nothing")
		}
		if n.BytesPerSecond < 0 || n.DelayMillis < 0 || n.DelayMillis > longestDelay.Milliseconds() {
			return invalid("a network is slowed to more than nothing, and by up to %s", longestDelay)
		}
	}
	if d := request.Disk; d != nil {
		kinds++
		if err := checkPath(d.Dir); err != nil {
			return err
		}
		if d.LeaveBytes < 0 {
			return invalid("a disk cannot be left less than nothing")
		}
	}
	if request.Boot != nil {
		kinds++
	}
	if c := request.Clock; c != nil {
		kinds++
		if shift := time.Duration(c.ShiftMillis) * time.Millisecond; shift == 0 || shift.Abs() > longestShift {
			return invalid("a clock is set by up to %s, not by %s", longestShift, shift)
		}
	}
	if c := request.Certificate; c != nil {
		kinds++
		for _, path := range []string{c.File, c.Authority, c.AuthorityKey} {
			if err := checkPath(path); err != nil {
				return err
			}
		}
		if c.Program == "" || strings.ContainsAny(c.Program, "/\x00") {
			return invalid("%q is not a program's base name", c.Program)
		}
	}
	if d := request.Data; d != nil {
		kinds++
		if err := checkUnitRequest(protocol.UnitRequest{Name: d.Unit, Verb: "stop"}); err != nil {
			return err
		}
		if err := checkPath(d.Dir); err != nil {
			return err
		}
		if d.Holds == "" || strings.ContainsAny(d.Holds, "/\x00") {
			return invalid("%q is not the name of a file in %s", d.Holds, d.Dir)
		}
	}
	lasts := time.Duration(request.LastsMillis) * time.Millisecond
	switch {
	case kinds != 1:
		return invalid("%d kinds of faults in one request", kinds)
	case !faultID.MatchString(request.ID):
		return invalid("%q is not a fault's ID", request.ID)
	case lasts <= 0 || lasts > longestFault:
		return invalid("a fault lasts up to %s, not %s", longestFault, lasts)
	}
	return nil
}

// canFault tells why this host cannot do a well-formed fault, as far as that can
// be told without doing it.
func (a *Agent) canFault(ctx context.Context, request protocol.FaultRequest) error {
	switch {
	case request.Network != nil && request.Network.DelayMillis > 0:
		return a.canDelay(ctx)
	case request.Network != nil && request.Try:
		if _, err := exec.LookPath("nft"); err != nil {
			return protocol.Failure(protocol.KindNotExist, "packets are dropped by nft, which is not installed here (package nftables)")
		}
	case request.Clock != nil:
		return a.ownKernel("its clock")
	case request.Boot != nil && request.Boot.Off:
		return a.canWake()
	case request.Certificate != nil:
		_, err := expiredLike(*request.Certificate, time.Now())
		return err
	case request.Data != nil:
		return a.guarded(ctx, *request.Data)
	}
	return nil
}
