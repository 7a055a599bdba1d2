package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Problem is something that this machine lacks for having a lab.
type Problem struct {
	What string // e.g. "not root"
	Hint string // what to do about it
}

// minimumFreeBytes is what a lab of six hosts needs on disk with a cluster on it.
const minimumFreeBytes = 10 << 30

// tryPattern matches the folders in which Check tries overlays out.
const tryPattern = ".try-*"

// Check finds out what this machine lacks. It leaves nothing behind.
func (s Store) Check() []Problem {
	if err := requireRoot(); err != nil {
		return []Problem{{err.Error(), "run it with sudo"}} // and nothing else can be tried
	}
	var problems []Problem
	add := func(what, hint string) { problems = append(problems, Problem{what, hint}) }
	if _, err := readCgroupLayout(); err != nil {
		add(err.Error(), "mount the cgroup file system, or boot the machine with an init that does (systemd)")
	}
	if missing := missingCapabilities(); len(missing) > 0 {
		add("root lacks the capabilities "+strings.Join(missing, ", "),
			"run outside a container, or give the container these capabilities (e.g. --privileged)")
	}
	if problem, ok := checkStorage(s.Root); !ok {
		problems = append(problems, problem)
	}
	if len(problems) > 0 {
		return problems
	}
	if err := tryNamespaces(); err != nil {
		add(err.Error(), "use a kernel with network, mount, PID, UTS, IPC and cgroup namespaces, veth and bridge")
	}
	if err := tryOverlay(s.Root); err != nil {
		add(err.Error(), "use a kernel with overlayfs (modprobe overlay) and a file system under "+s.Root+" that it can write on")
	}
	if b, err := s.base(); err != nil {
		add(err.Error(), "use a Debian or Ubuntu machine")
	} else if path, err := b.path(); err == nil {
		if _, err := os.Stat(path); err != nil { // the first lab builds it
			for _, tool := range []string{"apt-get", "chroot"} {
				if _, err := exec.LookPath(tool); err != nil {
					add(tool+" is not installed", "use a Debian or Ubuntu machine: hosts are built from its packages")
				}
			}
		}
	}
	return problems
}

// problemsError puts all problems into one error, nil if there are none.
func problemsError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("- %s\n  hint: %s", p.What, p.Hint))
	}
	return fmt.Errorf("this machine cannot run a lab:\n%w", errors.Join(errs...))
}

func requireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("not root: namespaces, mounts and network interfaces need it")
	}
	return nil
}

// missingCapabilities names those that the lab itself uses and root does not
// have here; hosts make do with what there is beyond them.
func missingCapabilities() []string {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil // then trying will tell
	}
	effective := uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
	var missing []string
	for _, need := range []struct {
		name string
		bit  uint
	}{
		{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_SYS_CHROOT", unix.CAP_SYS_CHROOT},
		{"CAP_MKNOD", unix.CAP_MKNOD}, {"CAP_SETPCAP", unix.CAP_SETPCAP}, {"CAP_CHOWN", unix.CAP_CHOWN}, {"CAP_KILL", unix.CAP_KILL},
	} {
		if effective&(1<<need.bit) == 0 {
			missing = append(missing, need.name)
		}
	}
	return missing
}

// checkStorage judges the file system that the hosts' disks will be on.
func checkStorage(root string) (Problem, bool) {
	hint := "set QUORATE_LAB_ROOT to a folder on a local disk (ext4, xfs or btrfs) with " + sizeGiB(minimumFreeBytes) + " free"
	if !filepath.IsAbs(root) {
		return Problem{fmt.Sprintf("the labs' folder %q is not an absolute path", root), hint}, false
	}
	if strings.ContainsAny(root, ":,\\ \n") {
		return Problem{fmt.Sprintf("the labs' folder %q has a character in its path that mount options cannot carry", root), hint}, false
	}
	existing := root
	for {
		if _, err := os.Stat(existing); err == nil || existing == "/" {
			break
		}
		existing = filepath.Dir(existing)
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(existing, &stat); err != nil {
		return Problem{fmt.Sprintf("asking for the file system of %s: %v", existing, err), hint}, false
	}
	unfit := map[int64]string{
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs",
		unix.NFS_SUPER_MAGIC: "NFS", unix.FUSE_SUPER_MAGIC: "FUSE", unix.ECRYPTFS_SUPER_MAGIC: "eCryptfs",
	}
	if name, bad := unfit[int64(stat.Type)]; bad {
		return Problem{fmt.Sprintf("%s is on %s, where neither an overlay's upper layer nor etcd's data belong", root, name), hint}, false
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < minimumFreeBytes {
		return Problem{fmt.Sprintf("%s has %s free", root, sizeGiB(free)), hint}, false
	}
	return Problem{}, true
}

func sizeGiB(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

// tryNamespaces makes what a host needs on a thread that is thrown away.
func tryNamespaces() error {
	return onSpareThread(func() error {
		for _, kind := range []struct {
			name string
			flag int
		}{
			{"mount", unix.CLONE_NEWNS}, {"UTS", unix.CLONE_NEWUTS}, {"IPC", unix.CLONE_NEWIPC},
			{"network", unix.CLONE_NEWNET}, {"cgroup", unix.CLONE_NEWCGROUP}, {"PID", unix.CLONE_NEWPID},
		} {
			if err := unix.Unshare(kind.flag); err != nil {
				return fmt.Errorf("making a %s namespace: %w", kind.name, err)
			}
		}
		bridge, cable := netlink.NewLinkAttrs(), netlink.NewLinkAttrs()
		bridge.Name, cable.Name = "try-bridge", "try-cable"
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: bridge}); err != nil {
			return fmt.Errorf("making a network bridge: %w", err)
		}
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: cable, PeerName: "try-end"}); err != nil {
			return fmt.Errorf("making a veth pair: %w", err)
		}
		return nil
	})
}

// tryOverlay mounts a small overlay where the hosts' disks will be, in a mount
// namespace that is thrown away.
func tryOverlay(root string) error {
	existed := true
	if _, err := os.Stat(root); err != nil {
		existed = false
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("creating %s: %w", root, err)
	}
	dir, err := os.MkdirTemp(root, tryPattern)
	if err != nil {
		return fmt.Errorf("writing to %s: %w", root, err)
	}
	defer func() {
		os.RemoveAll(dir)
		if !existed {
			os.Remove(root)
		}
	}()
	for _, sub := range []string{"lower", "upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("writing to %s: %w", root, err)
		}
	}
	return onSpareThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("making a mount namespace: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("making mounts private: %w", err)
		}
		in := func(sub string) string { return filepath.Join(dir, sub) }
		options := "lowerdir=" + in("lower") + ",upperdir=" + in("upper") + ",workdir=" + in("work")
		if err := unix.Mount("overlay", in("root"), "overlay", 0, options); err != nil {
			return fmt.Errorf("mounting an overlay on %s: %w", root, err)
		}
		return unix.Unmount(in("root"), unix.MNT_DETACH)
	})
}
