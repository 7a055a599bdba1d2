package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processes lists the processes in the group and all below it. Every process
// has one place in every hierarchy, so looking at one is enough.
func (g cgroup) processes() ([]int, error) {
	h, ok := g.layout.unified()
	if !ok {
		h = g.layout.hierarchies[0]
	}
	var pids []int
	err := filepath.WalkDir(filepath.Join(h.mount, g.path), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return ignoreMissing(err) // groups come and go while we walk
		}
		list, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) { // a threaded group lists no processes
			return ignoreMissing(err)
		}
		for field := range strings.FieldsSeq(string(list)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0: outside our pid namespace
				pids = append(pids, pid)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the processes of a cgroup: %w", err)
	}
	return pids, nil
}

// kill ends every process in the group with SIGKILL and waits until none is left.
func (g cgroup) kill(ctx context.Context) error {
	if err := g.setFrozen(false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // a frozen v1 group would not die
	}
	return poll(ctx, 5*time.Millisecond, func() error {
		pids, err := g.processes()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		if h, ok := g.layout.unified(); !ok || writeFile(filepath.Join(h.mount, g.path, "cgroup.kill"), "1") != nil {
			for _, pid := range pids {
				if err := g.signal(pid, unix.SIGKILL); err != nil {
					return err
				}
			}
		}
		return fmt.Errorf("%d processes are still alive in %s", len(pids), g.path)
	})
}

// signal signals one process if it (still) belongs to the group: a process id
// may have been given to another process since it was listed. A process that
// is gone is no error.
func (g cgroup) signal(pid int, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || !inGroup(string(groups), g.path) {
		return ignoreMissing(err)
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signalling process %d: %w", pid, err)
	}
	return nil
}

// inGroup reports whether /proc/PID/cgroup places a process in the group or below it.
func inGroup(memberships, group string) bool {
	for line := range strings.Lines(memberships) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 &&
			strings.HasPrefix(fields[2]+"/", "/"+group+"/") {
			return true
		}
	}
	return false
}

// setFrozen stops or continues every process of the group.
func (g cgroup) setFrozen(frozen bool) error {
	path, stop, run, err := g.freezerFile()
	if err != nil {
		return err
	}
	if frozen {
		return writeFile(path, stop)
	}
	return writeFile(path, run)
}

// frozen reports whether the group was told to stop.
func (g cgroup) frozen() bool {
	path, stop, _, err := g.freezerFile()
	if err != nil {
		return false
	}
	state, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	now := strings.TrimSpace(string(state))
	return now == stop || now == "FREEZING"
}

// freezerFile is the file that freezes the group and its two values. Every
// process has a place in the v2 tree even in hybrid mode, so that is preferred.
func (g cgroup) freezerFile() (path, stop, run string, err error) {
	if h, ok := g.layout.unified(); ok {
		return filepath.Join(h.mount, g.path, "cgroup.freeze"), "1", "0", nil
	}
	for _, h := range g.layout.hierarchies {
		if h.holds("freezer") {
			return filepath.Join(h.mount, g.path, "freezer.state"), "FROZEN", "THAWED", nil
		}
	}
	return "", "", "", errors.New("this machine has neither cgroup v2 nor the freezer controller")
}

// findInit picks a host's first process out of the host's processes: the one
// that is number 1 in a pid namespace directly below ours. 0 means none.
func findInit(pids []int) int {
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && isHostInit(string(status), pid) {
			return pid
		}
	}
	return 0
}

// isHostInit judges by /proc/PID/status: its NSpid line lists the process's
// ids from our namespace inwards, so a host's init has two and the last is 1;
// the init of a container in the host has three.
func isHostInit(status string, pid int) bool {
	for line := range strings.Lines(status) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) == 2 && fields[0] == strconv.Itoa(pid) && fields[1] == "1"
		}
	}
	return false
}
