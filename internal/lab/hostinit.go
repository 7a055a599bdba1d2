package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// InitCommand is the hidden subcommand of `quorate lab` that becomes a host's
// first process: `host-init LABFOLDER HOST`.
const InitCommand = "host-init"

// readyFD is where the first process waits for its supervisor to have
// connected the network: the first of exec.Cmd's ExtraFiles.
const readyFD = 3

// InitHost is the first process of a new host, in new namespaces: it builds
// the machine that systemd will see and becomes systemd. It returns only with
// an error.
func InitHost(dir, name string) error {
	runtime.LockOSThread() // the cgroup namespace and the bounding set belong to the thread that will exec
	unix.Umask(0o022)
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
	if err := dieWithSupervisor(l.supervisorLock(name)); err != nil {
		return err
	}
	if err := awaitNetwork(); err != nil {
		return err
	}
	// Only now into the host's cgroup, and only this process: what stays
	// outside does not count as the host's, and v2 allows no process beside
	// delegated groups.
	if err := l.hostCgroup(layout, name).enter(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("making a cgroup namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(host.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := mountHost(l.disk(name), layout); err != nil {
		return err
	}
	if err := dropCapability(unix.CAP_SYS_TIME); err != nil {
		return err
	}
	err = unix.Exec("/sbin/init", append([]string{"/sbin/init"}, layout.systemdOptions()...), []string{
		"container=quorate-lab",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	})
	return fmt.Errorf("starting systemd: %w", err)
}

// awaitNetwork returns when the supervisor closes its end after writing a byte.
func awaitNetwork() error {
	ready := os.NewFile(readyFD, "ready")
	defer ready.Close()
	content, err := io.ReadAll(ready)
	if err != nil || len(content) == 0 {
		return errors.New("the supervisor gave up before the network was connected")
	}
	return nil
}

// dieWithSupervisor has the kernel kill the host when its supervisor ends. The
// signal belongs to the thread that will exec, which need not be the one that
// the supervisor's fork began with.
func dieWithSupervisor(lock string) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tying the host to its supervisor: %w", err)
	}
	if !recordLockHeld(lock) { // it ended before that
		return errors.New("the supervisor has ended")
	}
	return nil
}

// dropCapability takes a capability from the host for good. The clock is the
// machine's: no host may set it.
func dropCapability(capability uintptr) error {
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
		return fmt.Errorf("dropping capability %d: %w", capability, err)
	}
	return nil
}
