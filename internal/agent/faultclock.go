package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// longestShift bounds by how much a clock is set.
const longestShift = 24 * time.Hour

// clockFault sets the clock forward or back.
type clockFault struct{ *protocol.ClockFault }

func (f clockFault) check() error {
	if shift := time.Duration(f.ShiftMillis) * time.Millisecond; shift == 0 || shift.Abs() > longestShift {
		return malformed("a clock is set by up to %s, not by %s", longestShift, shift)
	}
	return nil
}

func (clockFault) able(_ context.Context, a *Agent) error { return a.ownKernel("its clock") }

func (f clockFault) prepare(_ context.Context, in faultPlace) (func() (begun, error), error) {
	return func() (begun, error) {
		return begun{}, shiftClock(kernelClock{}, in.file(clockFile), *f.ClockFault)
	}, nil
}

func (clockFault) undo(_ context.Context, in faultPlace) error {
	return unshiftClock(kernelClock{}, in.file(clockFile))
}

// clock is a host's clock and how long the host has been up since which start,
// which no setting of the clock changes.
type clock interface {
	now() time.Time
	uptime() (up time.Duration, boot string, err error)
	set(time.Time) error
}

// clockState is where the clock stood when it was shifted, as the time of the
// host's start by it, and which start that was.
type clockState struct {
	Start time.Time     `json:"start"`
	Boot  string        `json:"boot"`
	Shift time.Duration `json:"shift"`
}

// stillShifted is how near to the shift a clock must be to be put right: what is
// further off was set by somebody else.
const stillShifted = time.Minute

// shiftClock sets the clock forward or back, and notes in a file before where
// it stood.
func shiftClock(c clock, file string, fault protocol.ClockFault) error {
	up, boot, err := c.uptime()
	if err != nil {
		return err
	}
	now := c.now()
	state := clockState{Start: now.Add(-up), Boot: boot, Shift: time.Duration(fault.ShiftMillis) * time.Millisecond}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	if err := c.set(now.Add(state.Shift)); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

// unshiftClock sets the clock to where it would stand by now. One that somebody
// else has put right, as a time service does, is let alone.
func unshiftClock(c clock, file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was not shifted
	}
	if err != nil {
		return err
	}
	var state clockState
	if err := json.Unmarshal(text, &state); err != nil {
		return err
	}
	up, boot, err := c.uptime()
	if err != nil {
		return err
	}
	right := state.Start.Add(up)
	if off := c.now().Sub(right); boot != state.Boot || (off-state.Shift).Abs() > min(stillShifted, state.Shift.Abs()/2) {
		return nil // the host was started anew, or somebody else has set the clock
	}
	return c.set(right)
}

// kernelClock is the machine's own clock.
type kernelClock struct{}

func (kernelClock) now() time.Time { return time.Now().Round(0) } // the clock alone

func (kernelClock) uptime() (time.Duration, string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0, "", err
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, "", err
	}
	first, _, _ := strings.Cut(string(text), " ")
	up, err := time.ParseDuration(first + "s")
	return up, strings.TrimSpace(string(boot)), err
}

func (kernelClock) set(t time.Time) error {
	value := syscall.NsecToTimeval(t.UnixNano())
	return syscall.Settimeofday(&value)
}
