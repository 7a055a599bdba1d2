package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// EnterCommand is the hidden subcommand of `quorate lab` that runs a program
// inside a host: `host-enter LABFOLDER HOST PROGRAM [ARG]…`.
const EnterCommand = "host-enter"

// enteredGroup is the cgroup, below the host's, of what Command runs: under
// cgroup v2 the host's own group may hold no processes beside its children.
const enteredGroup = "quorate-exec"

// Command prepares a program to run inside a host without using its network:
// as root, in the host's namespaces and cgroup, in a bare environment. The
// caller sets stdin and outputs and runs it; the exit status is the program's.
func (l *Lab) Command(ctx context.Context, host string, argv ...string) (*exec.Cmd, error) {
	if _, err := l.spec(host); err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, errors.New("no program given")
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"lab", EnterCommand, l.dir, host}, argv...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it takes the program with it
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// EnterHost runs a program inside a host with this process's stdin and
// outputs, and returns its exit status.
func EnterHost(dir, name string, argv []string) (exitStatus int, err error) {
	runtime.LockOSThread() // never unlocked: the thread's namespaces stay the host's
	l, err := openFolder(dir)
	if err != nil {
		return 0, err
	}
	host, err := l.Host(name)
	if err != nil {
		return 0, err
	}
	if host.Init == 0 {
		return 0, fmt.Errorf("host %s is off; switch it on with: quorate lab on %[1]s --name %s", name, l.Name())
	}
	layout, err := readCgroupLayout()
	if err != nil {
		return 0, err
	}
	group := l.hostCgroup(layout, name).child(enteredGroup)
	if err := group.createAndEnter(); err != nil {
		return 0, err
	}
	if err := joinNamespaces(host.Init); err != nil {
		return 0, fmt.Errorf("entering %s: %w", name, err)
	}
	// env finds the program with the host's PATH.
	cmd := exec.Command("/usr/bin/env", append([]string{"--"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM")}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = runToEnd(cmd)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// runToEnd runs the command and kills it when this process is told to end. (A
// parent-death signal would do it without our help, but Go's cannot be used
// on a child in another pid namespace, which does not see its parent.)
func runToEnd(cmd *exec.Cmd) error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(end)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-end:
			_ = cmd.Process.Kill() // fails if it has just ended by itself
		case <-ended:
		}
	}()
	return cmd.Wait()
}

// joinNamespaces moves the calling thread into the namespaces of a process.
func joinNamespaces(pid int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // a thread that shares its root cannot change mount namespace
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const all = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS
	return unix.Setns(fd, all)
}
