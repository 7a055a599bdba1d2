package lab

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mountHost builds the host's view of its file systems and makes it the root.
func mountHost(d disk, layout cgroupLayout) error {
	root := d.root()
	in := func(path string) string { return filepath.Join(root, path) }
	const (
		quiet  = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
		runDir = unix.MS_NOSUID | unix.MS_NODEV
	)
	overlay := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", d.base, d.upper(), d.work())
	var m mounter
	m.mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	m.mount("overlay", root, "overlay", 0, overlay)
	for _, dir := range dataDirs {
		m.directory(in(dir), 0o755)
		m.mount(d.data(dir), in(dir), "", unix.MS_BIND, "")
	}
	for _, dir := range []string{"proc", "sys", "dev", "run", "tmp"} {
		m.directory(in(dir), 0o755)
	}
	m.mount("proc", in("proc"), "proc", quiet, "")
	m.mount("sysfs", in("sys"), "sysfs", quiet, "")
	m.mount("tmpfs", in("run"), "tmpfs", runDir, "mode=755")
	m.devices(in("dev"))
	m.cgroups(in("sys/fs/cgroup"), layout)
	m.kernelFiles(root)
	m.identity(root)
	m.pivot(root)
	return m.err
}

// mounter does one thing after the other until one fails.
type mounter struct{ err error }

func (m *mounter) do(what string, fn func() error) {
	if m.err == nil {
		if err := fn(); err != nil {
			m.err = fmt.Errorf("%s: %w", what, err)
		}
	}
}

func (m *mounter) mount(source, target, fsType string, flags uintptr, options string) {
	m.do(fmt.Sprintf("mounting %s %s on %s", fsType, source, target), func() error {
		return unix.Mount(source, target, fsType, flags, options)
	})
}

func (m *mounter) directory(path string, mode os.FileMode) {
	m.do("creating a mount point", func() error { return os.MkdirAll(path, mode) })
}

// devices makes a private /dev with what systemd and a container runtime need.
func (m *mounter) devices(dev string) {
	m.mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755")
	for _, dir := range []string{"pts", "shm", "mqueue", "net", "hugepages"} {
		m.directory(filepath.Join(dev, dir), 0o755)
	}
	m.mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
	m.mount("tmpfs", filepath.Join(dev, "shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	m.mount("mqueue", filepath.Join(dev, "mqueue"), "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	for _, link := range [][2]string{
		{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"}, {"fd/2", "stderr"},
	} {
		m.do("creating /dev/"+link[1], func() error { return os.Symlink(link[0], filepath.Join(dev, link[1])) })
	}
	for _, node := range []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"kmsg", 1, 11},
		{"tty", 5, 0}, {"fuse", 10, 229}, {"net/tun", 10, 200},
	} {
		m.do("creating /dev/"+node.name, func() error {
			path := filepath.Join(dev, node.name)
			if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(node.major, node.minor))); err != nil {
				return err
			}
			return os.Chmod(path, 0o666) // whatever the umask
		})
	}
}

// cgroups mounts the machine's hierarchies, of which the host sees its own group as the root.
func (m *mounter) cgroups(dir string, layout cgroupLayout) {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if layout.pureV2() {
		m.mount("cgroup2", dir, "cgroup2", flags, "")
		return
	}
	m.mount("tmpfs", dir, "tmpfs", flags, "mode=755")
	for _, h := range layout.hierarchies {
		target := filepath.Join(dir, filepath.Base(h.mount))
		m.directory(target, 0o755)
		if h.v2 {
			m.mount("cgroup2", target, "cgroup2", flags, "")
		} else {
			m.mount("cgroup", target, "cgroup", flags, h.options)
		}
	}
}

// kernelFiles shows the host the files of the kernel it shares with the machine.
func (m *mounter) kernelFiles(root string) {
	var uname unix.Utsname
	m.do("asking for the kernel's release", func() error { return unix.Uname(&uname) })
	release := unix.ByteSliceToString(uname.Release[:])
	if _, err := os.Stat(filepath.Join("/lib/modules", release, "kernel")); err == nil {
		target := filepath.Join(root, "lib/modules")
		m.directory(target, 0o755)
		m.readOnly("/lib/modules", target)
	}
	config := "/boot/config-" + release
	if _, err := os.Stat(config); err == nil {
		target := filepath.Join(root, config)
		m.directory(filepath.Dir(target), 0o755)
		m.do("creating "+config, func() error { return os.WriteFile(target, nil, 0o644) })
		m.readOnly(config, target)
	}
}

func (m *mounter) readOnly(source, target string) {
	m.mount(source, target, "", unix.MS_BIND, "")
	m.mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// identity gives the host its own answers where the kernel would give the machine's.
func (m *mounter) identity(root string) {
	machineID, err := os.ReadFile(filepath.Join(root, "etc/machine-id"))
	m.do("reading the host's machine id", func() error { return err })
	m.cover(root, "proc/sys/kernel/random/boot_id", uuid([]byte(rand.Text())))
	m.cover(root, "sys/devices/virtual/dmi/id/product_uuid", uuid(machineID))
	// The swap areas are the machine's, and a host that prepares itself for
	// Kubernetes would switch them off.
	m.cover(root, "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
}

// cover lays a file with the content over one of the kernel's, if it is there.
func (m *mounter) cover(root, path, content string) {
	target := filepath.Join(root, path)
	if _, err := os.Stat(target); err != nil {
		return
	}
	source := filepath.Join(root, "run", ".lab-"+filepath.Base(path))
	m.do("covering /"+path, func() error { return os.WriteFile(source, []byte(content), 0o444) })
	m.readOnly(source, target)
}

// uuid makes one out of a seed, as the kernel writes them.
func uuid(seed []byte) string {
	sum := sha256.Sum256(seed)
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80 // version 4, variant 1
	return fmt.Sprintf("%x-%x-%x-%x-%x\n", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// pivot makes root the root, lets go of the old one, and shares mounts from
// here on, as Kubernetes' volumes need it.
func (m *mounter) pivot(root string) {
	m.do("changing to the new root", func() error { return unix.Chdir(root) })
	// The old root ends up on top of the new one, and is taken off: that needs
	// no directory for it in the host.
	m.do("changing the root", func() error { return unix.PivotRoot(".", ".") })
	m.do("letting go of the old root", func() error { return unix.Unmount(".", unix.MNT_DETACH) })
	m.do("changing to the new root", func() error { return unix.Chdir("/") })
	m.mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// mountsBelow lists the mount points below dir in a mountinfo table, innermost first.
func mountsBelow(mountinfo, dir string) []string {
	var found []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			found = append([]string{fields[4]}, found...)
		}
	}
	return found
}

// removeTree deletes a folder of ours, after unmounting whatever an
// interrupted run left mounted in it: what is behind a mount is not ours.
func removeTree(dir string) error {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, mount := range mountsBelow(string(mountinfo), dir) {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", mount, err)
		}
	}
	return os.RemoveAll(dir)
}
