package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupervisorCommand is the hidden subcommand of `quorate lab` that keeps one
// host running: `host-supervisor LABFOLDER HOST`.
const SupervisorCommand = "host-supervisor"

// killTimeout is how long the kernel may take to end a host's processes.
const killTimeout = 20 * time.Second

// supervisorsGroup is the cgroup of a lab's supervisors, beside those of its hosts.
const supervisorsGroup = "supervisors"

// SuperviseHost boots a host and stays until the host is off: it boots it
// again when it reboots, and switches it off when ctx ends or the supervisor
// gets SIGTERM. If the supervisor itself is killed, the kernel ends the host
// with it. Only one supervisor of a host can exist.
func SuperviseHost(ctx context.Context, dir, name string) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM)
	defer stop()
	// The parent-death signal of the host's init comes when the thread that
	// started it ends, so it must be one that lasts.
	runtime.LockOSThread()
	l, err := openFolder(dir)
	if err != nil {
		return err
	}
	host, err := l.spec(name)
	if err != nil {
		return err
	}
	layout, err := readCgroupLayout()
	if err != nil {
		return err
	}
	lock, err := holdRecordLock(l.supervisorLock(name))
	if err != nil {
		return fmt.Errorf("host %s has a supervisor already: %w", name, err)
	}
	defer lock.Close()
	// Out of whatever group `lab up` was run in, so as not to end with a login
	// session or a service.
	own := labCgroup(layout, l.Name()).child(supervisorsGroup)
	if err := errors.Join(own.create(), own.enter()); err != nil {
		return err
	}
	s := supervisor{lab: l, host: host, group: l.hostCgroup(layout, name)}
	for {
		again, err := s.boot(ctx)
		if err != nil || !again {
			return err
		}
		s.log("rebooting")
	}
}

// supervisor is what the supervising process of one host knows.
type supervisor struct {
	lab   *Lab
	host  HostSpec
	group cgroup
}

func (s supervisor) log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().UTC().Format(time.RFC3339), s.host.Name, fmt.Sprintf(format, args...))
}

// balancerWeight is how much more processor time a load balancer gets than other
// hosts when all are busy. It needs little, but at once: its adverts are due five
// times a second, and on servers it does not wait behind API servers.
const balancerWeight = 4

// boot runs the host once, from power-on to power-off, and reports whether it
// asked to be started again.
func (s supervisor) boot(ctx context.Context) (again bool, err error) {
	if err := s.clear(); err != nil { // what a killed supervisor left
		return false, err
	}
	if ctx.Err() != nil {
		return false, nil
	}
	if err := s.group.create(); err != nil {
		return false, err
	}
	if slices.Contains(s.host.Roles, LoadBalancer) {
		if err := s.group.weigh(balancerWeight); err != nil {
			return false, err
		}
	}
	init, err := s.start()
	if err != nil {
		return false, errors.Join(err, s.clear())
	}
	s.log("on, init is process %d", init.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- init.Wait() }()
	select {
	case <-ctx.Done():
		s.log("switched off")
		// The cable first: nothing of the host may answer while it dies.
		err = errors.Join(s.lab.network().disconnect(s.host.Name), s.killInit(init))
		<-ended
	case err := <-ended:
		again = rebooted(err)
		s.log("init ended: %v", describeEnd(err))
	}
	return again, errors.Join(err, s.clear())
}

// start launches the host's first process in new namespaces, connects its
// network and lets it go on.
func (s supervisor) start() (*exec.Cmd, error) {
	ready, release, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	defer release.Close()
	init := exec.Command("/proc/self/exe", "lab", InitCommand, s.lab.dir, s.host.Name)
	init.Stdout, init.Stderr = os.Stdout, os.Stderr
	init.ExtraFiles = []*os.File{ready}
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Setsid:     true,
	}
	if err := init.Start(); err != nil {
		return nil, fmt.Errorf("starting host %s: %w", s.host.Name, err)
	}
	err = s.lab.network().connect(s.host, init.Process.Pid, s.lab.isCut(s.host.Name))
	if err == nil {
		_, err = release.Write([]byte{1})
	}
	if err != nil {
		err = fmt.Errorf("starting host %s: %w", s.host.Name, err)
		return nil, errors.Join(err, init.Process.Kill(), waitKilled(init))
	}
	return init, nil
}

// killInit ends the host's first process, and by that every process in its
// pid namespace.
func (s supervisor) killInit(init *exec.Cmd) error {
	if err := s.group.setFrozen(false); err != nil { // a frozen v1 group would not die
		s.log("thawing: %v", err)
	}
	if err := init.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("switching %s off: %w", s.host.Name, err)
	}
	return nil
}

// clear removes what belongs to one boot: cable, processes, cgroup.
func (s supervisor) clear() error { return s.lab.clearBoot(s.host.Name, s.group) }

// clearBoot removes the cable, processes and cgroup of a host that is off or
// shall be.
func (l *Lab) clearBoot(host string, group cgroup) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), killTimeout,
		fmt.Errorf("host %s was still there after %s", host, killTimeout))
	defer cancel()
	err := l.network().disconnect(host)
	if err := group.kill(ctx); err != nil {
		return err
	}
	return errors.Join(err, group.remove(ctx))
}

// rebooted reports whether init's end means "start me again": the kernel ends
// the init of a pid namespace with SIGHUP for reboot(2)'s restart and with
// SIGINT for halt and power-off.
func rebooted(err error) bool {
	status, ok := exitStatus(err)
	return ok && status.Signaled() && status.Signal() == unix.SIGHUP
}

func describeEnd(err error) string {
	status, ok := exitStatus(err)
	switch {
	case !ok:
		return fmt.Sprint(err)
	case status.Signaled() && status.Signal() == unix.SIGHUP:
		return "reboot"
	case status.Signaled() && status.Signal() == unix.SIGINT:
		return "power-off"
	case status.Signaled():
		return status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

func exitStatus(err error) (syscall.WaitStatus, bool) {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, ok := exit.Sys().(syscall.WaitStatus)
		return status, ok
	}
	return 0, err == nil
}

func waitKilled(cmd *exec.Cmd) error {
	if err := cmd.Wait(); err != nil {
		if _, killed := exitStatus(err); !killed {
			return err
		}
	}
	return nil
}

// startSupervisor launches the supervisor of a host, detached from us: it
// survives our end and a closed terminal.
func (l *Lab) startSupervisor(name string) error {
	console, err := os.OpenFile(l.consolePath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("starting host %s: %w", name, err)
	}
	defer console.Close()
	// What our caller left open for us (the pipes of a shell or a test) must
	// not stay open for as long as the host runs.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("starting host %s: %w", name, err)
	}
	cmd := exec.Command(l.programPath(), "lab", SupervisorCommand, l.dir, name)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting host %s: %w", name, err)
	}
	go cmd.Wait() // reaps it if it ends before we do
	return nil
}

// copyProgram puts a copy of the running program into the lab, for the
// supervisors: the original can then be replaced or removed while hosts run.
func (l *Lab) copyProgram() error {
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	defer source.Close()
	if same, err := sameContent(source, l.programPath()); err != nil || same {
		return err
	}
	target, err := os.CreateTemp(l.dir, ".program.*")
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	defer os.Remove(target.Name()) // fails once it was renamed
	_, err = target.ReadFrom(source)
	if err := errors.Join(err, target.Chmod(0o700), target.Close()); err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	info, err := source.Stat()
	if err == nil {
		err = os.Chtimes(target.Name(), info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = os.Rename(target.Name(), l.programPath())
	}
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	return nil
}

// sameContent compares size and modification time, which a copy keeps.
func sameContent(source *os.File, copied string) (bool, error) {
	from, err := source.Stat()
	if err != nil {
		return false, err
	}
	to, err := os.Stat(copied)
	if err != nil {
		return false, ignoreMissing(err)
	}
	return from.Size() == to.Size() && from.ModTime().Equal(to.ModTime()), nil
}

func (l *Lab) programPath() string { return filepath.Join(l.dir, "quorate") }
