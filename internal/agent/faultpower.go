package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// bootFault reboots the host, or switches it off and on again.
type bootFault struct{ *protocol.BootFault }

func (bootFault) check() error { return nil }

func (f bootFault) able(_ context.Context, a *Agent) error {
	if f.Off {
		return a.canWake()
	}
	return nil
}

func (f bootFault) atOnce(ctx context.Context, a *Agent, lasts time.Duration) (protocol.FaultReply, bool, error) {
	if f.Off {
		return protocol.FaultReply{}, true, a.powerOff(lasts)
	}
	return protocol.FaultReply{}, true, a.boot(ctx, f.Hard)
}

func (bootFault) prepare(context.Context, faultPlace) (func() (begun, error), error) {
	return nil, errors.New("a fault of no kind that lasts")
}

func (bootFault) undo(context.Context, faultPlace) error { return nil }

// boot reboots the host. The answer is on its way before the host is down.
func (a *Agent) boot(ctx context.Context, hard bool) error {
	args := []string{"reboot", "--no-block"}
	if hard {
		args = []string{"reboot", "--force", "--force"}
	}
	failure, err := a.systemctl(ctx, args...)
	if err == nil && failure != "" {
		err = protocol.Failure(protocol.KindOther, "systemctl reboot: %s", failure)
	}
	return err
}

// firstPIDs is the namespace of processes that the kernel begins with.
const firstPIDs = "pid:[4026531836]"

// ownKernel refuses what is the whole machine's where this host is only a part
// of one: a container, or a host of a lab.
func (a *Agent) ownKernel(what string) error {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return err
	}
	if namespace != firstPIDs {
		return protocol.Failure(protocol.KindInvalid, "this host shares its kernel with others, and %s is theirs, too", what)
	}
	return nil
}

// wakeAlarm is what sets the time at which the machine's own clock switches it on,
// and ownTime what that clock says, both in seconds: it may keep another time than
// the system's. Sysrq is where the kernel takes orders from.
const (
	wakeAlarm = "/sys/class/rtc/rtc0/wakealarm"
	ownTime   = "/sys/class/rtc/rtc0/since_epoch"
	sysrq     = "/proc/sysrq-trigger"
)

// shortestSleep is how long a machine is off at least: the alarm must not be
// over before it is.
const shortestSleep = 30 * time.Second

// canWake tells why this host could not switch itself on again.
func (a *Agent) canWake() error {
	if err := a.ownKernel("its power"); err != nil {
		return err
	}
	return a.wakes()
}

// wakes looks for a clock that can switch the machine on.
func (a *Agent) wakes() error {
	path, err := a.path(wakeAlarm)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return protocol.Failure(protocol.KindNotExist, "this machine has no clock that could switch it on again (%s is not there), so it is not switched off", wakeAlarm)
	}
	return nil
}

// powerOff switches the machine off, once its clock is set to switch it on.
func (a *Agent) powerOff(lasts time.Duration) error {
	if err := a.canWake(); err != nil {
		return err
	}
	if err := a.armWake(lasts); err != nil {
		return err
	}
	path, err := a.path(sysrq)
	if err != nil {
		return err
	}
	// The answer is on its way before the machine is off.
	time.AfterFunc(networkDelay, func() { _ = os.WriteFile(path, []byte("o"), 0) })
	return nil
}

// armWake sets the machine's alarm, and reads it back.
func (a *Agent) armWake(lasts time.Duration) error {
	own, err := a.path(ownTime)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(own)
	if err != nil {
		return fmt.Errorf("reading the clock that switches the machine on again: %w", err)
	}
	now, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("reading the clock that switches the machine on again: %w", err)
	}
	path, err := a.path(wakeAlarm)
	if err != nil {
		return err
	}
	at := strconv.FormatInt(now+int64(max(lasts, shortestSleep).Seconds()), 10)
	// One that is set already must be taken off before.
	for _, value := range []string{"0", at} {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("setting the clock that switches the machine on again: %w", err)
		}
	}
	text, err = os.ReadFile(path)
	if got := strings.TrimSpace(string(text)); err == nil && got != at {
		err = protocol.Failure(protocol.KindOther, "the clock that switches the machine on again holds %q, not %s", got, at)
	}
	return err
}
