package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

func (l *Lab) supervisorLock(host string) string {
	return filepath.Join(l.hostDir(host), "supervisor.lock")
}

// Off pulls the host's plug: cable out, every process gone at once, nothing
// flushed. The disk stays. A host that is off stays off.
func (l *Lab) Off(ctx context.Context, host string) error {
	return l.operate(ctx, host, func(HostSpec) error { return l.stop(ctx, host) })
}

// On boots a host that is off and waits until SSH answers.
func (l *Lab) On(ctx context.Context, host string) error {
	return l.operate(ctx, host, func(spec HostSpec) error { return l.start(ctx, spec) })
}

// rebootPatience is how long an orderly shutdown may take. Units get 20 seconds to stop.
const rebootPatience = 30 * time.Second

// Reboot asks the host's systemd for an orderly reboot, as Ctrl-Alt-Del does,
// and waits until it has booted again. A host that has not gone down after 30
// seconds is reset.
func (l *Lab) Reboot(ctx context.Context, host string) error {
	return l.operate(ctx, host, func(spec HostSpec) error {
		before, err := l.Host(host)
		if err != nil {
			return err
		}
		if before.State == Off || before.State == Frozen {
			return fmt.Errorf("host %s is %s; it cannot reboot", host, before.State)
		}
		layout, err := readCgroupLayout()
		if err != nil {
			return err
		}
		// A systemd that is still starting might miss the signal.
		if err := l.awaitBoot(ctx, spec); err != nil {
			return err
		}
		if err := l.hostCgroup(layout, host).signal(before.Init, unix.SIGINT); err != nil {
			return fmt.Errorf("asking %s to reboot: %w", host, err)
		}
		patience, cancel := context.WithTimeout(ctx, rebootPatience)
		defer cancel()
		err = poll(patience, 20*time.Millisecond, func() error {
			now, err := l.Host(host)
			if err == nil && now.Init == before.Init {
				err = errors.New("it is still going down")
			}
			return err
		})
		if ctx.Err() != nil {
			return fmt.Errorf("rebooting %s: %w", host, err)
		}
		if err != nil {
			if err := l.stop(ctx, host); err != nil {
				return err
			}
		}
		return l.start(ctx, spec)
	})
}

// Freeze stops every process of the host in its tracks, as a hung machine or
// a paused virtual machine does. Its kernel goes on answering pings and
// completing TCP handshakes.
func (l *Lab) Freeze(ctx context.Context, host string) error { return l.setFrozen(ctx, host, true) }

// Thaw lets a frozen host go on.
func (l *Lab) Thaw(ctx context.Context, host string) error { return l.setFrozen(ctx, host, false) }

func (l *Lab) setFrozen(ctx context.Context, host string, frozen bool) error {
	return l.operate(ctx, host, func(HostSpec) error {
		now, err := l.Host(host)
		if err != nil {
			return err
		}
		if now.State == Off {
			return fmt.Errorf("host %s is off", host)
		}
		layout, err := readCgroupLayout()
		if err != nil {
			return err
		}
		if err := l.hostCgroup(layout, host).setFrozen(frozen); err != nil {
			return fmt.Errorf("changing the freezer of %s: %w", host, err)
		}
		return nil
	})
}

// Cut pulls the host's network cable. It stays cut over power-off until Heal.
func (l *Lab) Cut(ctx context.Context, host string) error {
	return l.operate(ctx, host, func(HostSpec) error {
		if err := l.setCut(host, true); err != nil {
			return fmt.Errorf("cutting the cable of %s: %w", host, err)
		}
		return l.network().cut(host)
	})
}

// Heal plugs the host's network cable in again.
func (l *Lab) Heal(ctx context.Context, host string) error {
	return l.operate(ctx, host, func(HostSpec) error {
		if err := l.setCut(host, false); err != nil {
			return fmt.Errorf("healing the cable of %s: %w", host, err)
		}
		return l.network().heal(host)
	})
}

// operate runs an operation on one host, alone: other hosts of the lab can be
// operated on at the same time.
func (l *Lab) operate(ctx context.Context, host string, operation func(HostSpec) error) error {
	spec, err := l.spec(host)
	if err != nil {
		return err
	}
	if err := requireRoot(); err != nil {
		return err
	}
	lockCtx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	lock, err := acquire(lockCtx, filepath.Join(l.hostDir(host), "operation.lock"))
	if err != nil {
		return err
	}
	defer lock.release()
	return operation(spec)
}

// start boots the host unless it runs, and waits until it has booted, except
// for one that is frozen.
func (l *Lab) start(ctx context.Context, spec HostSpec) error {
	if !l.network().isUp() {
		return fmt.Errorf("lab %s is not up; start it with: quorate lab up --name %[1]s --hosts-only", l.Name())
	}
	if err := l.stopUnwired(ctx, spec.Name); err != nil {
		return err
	}
	if recordLockHolder(l.supervisorLock(spec.Name)) == 0 {
		if err := l.startSupervisor(spec.Name); err != nil {
			return err
		}
	}
	if now, err := l.Host(spec.Name); err != nil || now.State == Frozen {
		return err
	}
	return l.awaitBoot(ctx, spec)
}

// stopUnwired switches a host off that runs without a cable, because somebody
// deleted the lab's switch under it. A host has its cable before it has an init.
func (l *Lab) stopUnwired(ctx context.Context, host string) error {
	now, err := l.Host(host)
	if err != nil || now.State != Cut {
		return err
	}
	wired, err := l.network().hasPort(host)
	if err != nil || wired {
		return err
	}
	return l.stop(ctx, host)
}

// stop switches the host off, through its supervisor if it has one.
func (l *Lab) stop(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*killTimeout, fmt.Errorf("host %s was still on after %s", host, 2*killTimeout))
	defer cancel()
	kill := time.Now().Add(killTimeout)
	err := poll(ctx, 5*time.Millisecond, func() error {
		pid := recordLockHolder(l.supervisorLock(host))
		if pid == 0 {
			return nil
		}
		// Asked again and again: a supervisor that just started may not listen yet.
		signal := unix.SIGTERM
		if time.Now().After(kill) {
			signal = unix.SIGKILL // and the kernel ends the host with it
		}
		if err := l.signalSupervisor(host, pid, signal); err != nil {
			return err
		}
		return errors.New("its supervisor is switching it off")
	})
	if err != nil {
		return err
	}
	layout, err := readCgroupLayout()
	if err != nil {
		return err
	}
	return l.clearBoot(host, l.hostCgroup(layout, host))
}

// signalSupervisor signals the process that holds the supervisor's lock, and
// no other that may have got its number since.
func (l *Lab) signalSupervisor(host string, pid int, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil // it has ended
	}
	defer unix.Close(fd)
	if recordLockHolder(l.supervisorLock(host)) != pid {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("switching %s off: %w", host, err)
	}
	return nil
}
