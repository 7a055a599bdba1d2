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

// hostDepth is how deep hosts' groups are: quorate-lab/LAB/HOST.
const hostDepth = 2

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
		for depth, part := range strings.Split(g.path, "/") {
			parent := dir
			dir = filepath.Join(dir, part)
			if g.layout.pureV2() && depth <= hostDepth { // below, systemd in the host decides
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

// createAndEnter makes a group in a host that runs, and moves the calling
// process into it. The host's systemd removes groups that are empty, so one that
// was just made may be gone before somebody is in it.
func (g cgroup) createAndEnter() error {
	const tries = 100
	var err error
	for range tries {
		if err = g.create(); err != nil && ignoreMissing(err) != nil {
			return err
		}
		if err == nil {
			err = g.enter()
		}
		if err == nil || ignoreMissing(err) != nil {
			return err
		}
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// weigh gives the group so many times the processor time that its neighbours
// get when all are busy. It must have been created.
func (g cgroup) weigh(times int) error {
	for _, h := range g.layout.hierarchies {
		file, usual := "cpu.shares", 1024
		switch {
		case g.layout.pureV2():
			file, usual = "cpu.weight", 100
		case !h.holds("cpu"):
			continue
		}
		err := writeFile(filepath.Join(h.mount, g.path, file), strconv.Itoa(times*usual))
		// Under v2, a group whose parent could not hand the controller down has
		// no such file.
		if err := ignoreMissing(err); err != nil {
			return fmt.Errorf("weighing cgroup %s: %w", g.path, err)
		}
	}
	return nil
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
