package lab

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// hierarchy is one mounted cgroup tree of the machine.
type hierarchy struct {
	mount   string // where it is mounted, e.g. /sys/fs/cgroup/memory
	options string // the mount options that select it, for v1: "cpu,cpuacct", "none,name=systemd"
	v2      bool
}

// holds reports whether a v1 hierarchy has the controller.
func (h hierarchy) holds(controller string) bool {
	return !h.v2 && slices.Contains(strings.Split(h.options, ","), controller)
}

// cgroupLayout is how the machine's cgroups are mounted. A lab host gets a
// group of its own in every hierarchy and sees it as the root.
type cgroupLayout struct {
	root        string // the common mount point, normally /sys/fs/cgroup
	hierarchies []hierarchy
}

// unified is the cgroup v2 tree: alone in pure v2, beside the v1 trees in
// hybrid mode, absent in pure v1.
func (l cgroupLayout) unified() (hierarchy, bool) {
	for _, h := range l.hierarchies {
		if h.v2 {
			return h, true
		}
	}
	return hierarchy{}, false
}

// pureV2 reports whether cgroup v2 is all there is, and so has the controllers.
func (l cgroupLayout) pureV2() bool { return len(l.hierarchies) == 1 && l.hierarchies[0].v2 }

// mode names the layout as systemd does.
func (l cgroupLayout) mode() string {
	_, hasV2 := l.unified()
	switch {
	case l.pureV2():
		return "unified"
	case hasV2:
		return "hybrid"
	}
	return "legacy"
}

// systemdOptions are the kernel options (a container's systemd takes them as
// arguments) that make a host's systemd use the hierarchies it is given. Where
// the machine has mounted v1 alone, it would otherwise mount the v2 tree of
// the whole machine, in which the host has no group of its own.
func (l cgroupLayout) systemdOptions() []string {
	switch l.mode() {
	case "legacy":
		return []string{"systemd.unified_cgroup_hierarchy=0", "systemd.legacy_systemd_cgroup_controller=1"}
	case "hybrid":
		return []string{"systemd.unified_cgroup_hierarchy=0"}
	}
	return nil
}

// parseCgroupLayout reads the layout out of /proc/self/mountinfo.
func parseCgroupLayout(mountinfo string) (cgroupLayout, error) {
	layout := cgroupLayout{root: "/sys/fs/cgroup"}
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		fields, super := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 5 || len(super) < 3 {
			continue
		}
		mount, fsType := fields[4], super[0]
		if mount != layout.root && path.Dir(mount) != layout.root || seen[mount] {
			continue
		}
		switch fsType {
		case "cgroup2":
			layout.hierarchies = append(layout.hierarchies, hierarchy{mount: mount, v2: true})
		case "cgroup":
			layout.hierarchies = append(layout.hierarchies, hierarchy{mount: mount, options: selectingOptions(super[2])})
		default:
			continue
		}
		seen[mount] = true
	}
	if len(layout.hierarchies) == 0 {
		return layout, errors.New("no cgroup file system is mounted on /sys/fs/cgroup")
	}
	return layout, nil
}

// selectingOptions keeps of a v1 hierarchy's super options those that say
// which controllers it has; mounting with the same ones gives the same tree.
func selectingOptions(super string) string {
	var kept []string
	for option := range strings.SplitSeq(super, ",") {
		switch {
		case slices.Contains([]string{"rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode"}, option),
			strings.HasPrefix(option, "release_agent="):
		case strings.HasPrefix(option, "name="):
			kept = append(kept, "none", option)
		default:
			kept = append(kept, option)
		}
	}
	return strings.Join(kept, ",")
}
