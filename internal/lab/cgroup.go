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

// cgroupParent is the group below which every lab's groups are, in every hierarchy.
const cgroupParent = "quorate-lab"

// readCgroupLayout finds out how this machine's cgroups are mounted.
func readCgroupLayout() (cgroupLayout, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return cgroupLayout{}, fmt.Errorf("reading the mount table: %w", err)
	}
	return parseCgroupLayout(string(mountinfo))
}

// cgroup is one group, present in every hierarchy under the same path.
type cgroup struct {
	layout cgroupLayout
	path   string // relative to each hierarchy's mount: quorate-lab/LAB/HOST
}

func labCgroup(layout cgroupLayout, lab string) cgroup {
	return cgroup{layout, filepath.Join(cgroupParent, lab)}
}

func (g cgroup) child(name string) cgroup { return cgroup{g.layout, filepath.Join(g.path, name)} }

// dirs lists the group's directories, one in each hierarchy.
func (g cgroup) dirs() []string {
	dirs := make([]string, len(g.layout.hierarchies))
	for i, h := range g.layout.hierarchies {
		dirs[i] = filepath.Join(h.mount, g.path)
	}
	return dirs
}

// create makes the group and its parents in every hierarchy, ready to take
// processes. Under cgroup v2 it hands every controller down.
func (g cgroup) create() error {
	for _, h := range g.layout.hierarchies {
		dir := h.mount
		for part := range strings.SplitSeq(g.path, "/") {
			parent := dir
			dir = filepath.Join(dir, part)
			if g.layout.pureV2() {
				if err := delegateControllers(parent); err != nil {
					return err
				}
			}
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("creating cgroup: %w", err)
			}
			if err := prepareV1(h, parent, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareV1 gives a new v1 group what its controllers do not inherit: a
// cpuset starts out empty and refuses processes until it has CPUs and memory.
func prepareV1(h hierarchy, parent, dir string) error {
	if !h.holds("cpuset") {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return fmt.Errorf("preparing cgroup: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return fmt.Errorf("preparing cgroup: %w", err)
		}
	}
	return nil
}

// delegateControllers enables in a v2 group all controllers it has for its children.
func delegateControllers(dir string) error {
	missing, err := undelegated(dir)
	if err != nil {
		return err
	}
	for _, controller := range missing {
		if err := writeFile(filepath.Join(dir, "cgroup.subtree_control"), "+"+controller); err != nil {
			// Some controllers cannot be delegated by design (e.g. cpu while
			// real-time tasks run); what Kubernetes needs, preflight checks.
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
				continue
			}
			return fmt.Errorf("enabling cgroup controller %s: %w", controller, err)
		}
	}
	return nil
}

// undelegated lists the controllers that a v2 group has and does not hand down.
func undelegated(dir string) ([]string, error) {
	has, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("reading cgroup controllers: %w", err)
	}
	down, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil, fmt.Errorf("reading cgroup controllers: %w", err)
	}
	handed := map[string]bool{}
	for _, controller := range strings.Fields(string(down)) {
		handed[controller] = true
	}
	var missing []string
	for _, controller := range strings.Fields(string(has)) {
		if !handed[controller] {
			missing = append(missing, controller)
		}
	}
	return missing, nil
}

// enter moves the calling process into the group, in every hierarchy.
func (g cgroup) enter() error {
	for _, dir := range g.dirs() {
		if err := writeFile(filepath.Join(dir, "cgroup.procs"), "0"); err != nil {
			return fmt.Errorf("entering cgroup: %w", err)
		}
	}
	return nil
}

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

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
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

// remove deletes the group and all below it, which must hold no process.
func (g cgroup) remove(ctx context.Context) error {
	for _, dir := range g.dirs() {
		err := poll(ctx, 5*time.Millisecond, func() error { return removeGroup(dir) })
		if err != nil {
			return fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
	}
	return nil
}

func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroup(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	// The kernel lets go of a group's last process a moment after it died:
	// rmdir says EBUSY until then, and the caller asks again.
	return ignoreMissing(unix.Rmdir(dir))
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

// writeFile writes to a file of the kernel: no creation, one write.
func writeFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}
