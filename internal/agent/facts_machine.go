package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// describeMachine fills in what is always reported of the machine itself.
func (a *Agent) describeMachine(facts *protocol.Facts) {
	facts.Hostname, _ = os.Hostname()
	facts.MachineID = a.line("/etc/machine-id")
	facts.ProductUUID = strings.ToLower(firstLine("/sys/class/dmi/id/product_uuid"))
	facts.BootID = firstLine("/proc/sys/kernel/random/boot_id")
	facts.Kernel = firstLine("/proc/sys/kernel/osrelease")
	facts.Arch = runtime.GOARCH
	facts.CPUs = runtime.NumCPU()
	facts.MemoryBytes = parseMemTotal(text("/proc/meminfo"))
	facts.Cgroup = cgroupVersion("/sys/fs/cgroup")
	facts.Capabilities = parseCapBnd(text("/proc/self/status"))
	facts.Swap = parseSwaps(text("/proc/swaps"))
	facts.UID = os.Getuid()
	facts.NTPSynced = clockSynced()
	osRelease := a.text("/etc/os-release")
	if osRelease == "" {
		osRelease = a.text("/usr/lib/os-release")
	}
	facts.OS = parseOSRelease(osRelease)
	facts.Resolv = parseResolv(a.text("/etc/resolv.conf"))
	facts.SELinux = seLinux()
	facts.PackageTool = a.packageToolName()
}

// seLinux is enforcing, permissive, or empty where the kernel has none.
func seLinux() string {
	switch firstLine("/sys/fs/selinux/enforce") {
	case "1":
		return "enforcing"
	case "0":
		return "permissive"
	}
	return ""
}

// packageToolName is apt, dnf or empty.
func (a *Agent) packageToolName() string {
	switch {
	case a.exists("/usr/bin/apt-get"):
		return "apt"
	case a.exists("/usr/bin/dnf"):
		return "dnf"
	}
	return ""
}

// text is a file of the host's root, empty when it cannot be read.
func (a *Agent) text(name string) string { return text(filepath.Join("/", a.root, name)) }
func (a *Agent) line(name string) string { return firstLine(filepath.Join("/", a.root, name)) }

func (a *Agent) exists(name string) bool {
	_, err := os.Stat(filepath.Join("/", a.root, name))
	return err == nil
}

func text(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

func firstLine(path string) string {
	line, _, _ := strings.Cut(text(path), "\n")
	return strings.TrimSpace(line)
}

// parseOSRelease reads the shell-like assignments of os-release(5).
func parseOSRelease(text string) protocol.OS {
	var os protocol.OS
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		value = unquoteShell(value)
		switch key {
		case "ID":
			os.ID = value
		case "VERSION_ID":
			os.Version = value
		case "ID_LIKE":
			os.IDLike = strings.Fields(value)
		case "PRETTY_NAME":
			os.PrettyName = value
		}
	}
	return os
}

// unquoteShell undoes the quoting that os-release(5) allows.
func unquoteShell(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseMemTotal reads the first figure of /proc/meminfo, in bytes.
func parseMemTotal(text string) int64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

func parseCapBnd(text string) uint64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			mask, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return mask
		}
	}
	return 0
}

// parseSwaps lists the devices of /proc/swaps.
func parseSwaps(text string) []string {
	var devices []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 5 && fields[0] != "Filename" {
			devices = append(devices, unescapeOctal(fields[0]))
		}
	}
	return devices
}

// parseResolv lists the nameservers of resolv.conf(5).
func parseResolv(text string) []string {
	var servers []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "nameserver" {
			servers = append(servers, fields[1])
		}
	}
	return servers
}

// cgroupVersion tells which cgroup hierarchy a machine uses, as systemd would
// name it.
func cgroupVersion(mountPoint string) string {
	const cgroup2Magic = 0x63677270
	var stat syscall.Statfs_t
	if err := syscall.Statfs(mountPoint, &stat); err == nil && uint32(stat.Type) == cgroup2Magic {
		return "v2"
	}
	if err := syscall.Statfs(filepath.Join(mountPoint, "unified"), &stat); err == nil && uint32(stat.Type) == cgroup2Magic {
		return "hybrid"
	}
	return "v1"
}

// clockSynced tells whether the kernel's clock is disciplined, by the rule
// that systemd uses, or nil when the kernel does not say.
func clockSynced() *bool {
	const maxErrorMicros = 16_000_000
	var timex syscall.Timex
	if _, err := syscall.Adjtimex(&timex); err != nil {
		return nil
	}
	synced := int64(timex.Maxerror) < maxErrorMicros
	return &synced
}

// readSysctls maps each dotted name that exists to its value.
func readSysctls(names []string) map[string]string {
	values := map[string]string{}
	for _, name := range names {
		path, ok := sysctlPath(name)
		if !ok {
			continue
		}
		if content, err := os.ReadFile(path); err == nil {
			values[name] = strings.TrimSpace(string(content))
		}
	}
	return values
}

// sysctlPath follows sysctl(8): dots separate, and a slash inside a name that
// is written with dots stands for a dot (net.ipv4.conf.eth0/1.forwarding).
func sysctlPath(name string) (string, bool) {
	first := strings.IndexAny(name, "./")
	if first >= 0 && name[first] == '.' {
		name = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, name)
	}
	path := "/proc/sys/" + name
	return path, name != "" && filepath.Clean(path) == path
}

// knownModules tells which kernel modules are loaded or built in.
func knownModules(names []string) map[string]bool {
	if len(names) == 0 {
		return nil
	}
	builtin := text("/lib/modules/" + firstLine("/proc/sys/kernel/osrelease") + "/modules.builtin")
	filesystems := strings.Fields(text("/proc/filesystems"))
	known := map[string]bool{}
	for _, name := range names {
		canonical := strings.ReplaceAll(name, "-", "_")
		known[name] = hasModule(canonical, builtin, filesystems)
	}
	return known
}

func hasModule(name, builtin string, filesystems []string) bool {
	if name == "" || strings.ContainsAny(name, "/.") {
		return false
	}
	if _, err := os.Stat("/sys/module/" + name); err == nil {
		return true
	}
	for line := range strings.Lines(builtin) {
		base := strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko")
		if strings.ReplaceAll(base, "-", "_") == name {
			return true
		}
	}
	// A kernel without module files shows a built-in only by what it provides.
	for _, filesystem := range filesystems {
		if filesystem == name {
			return true
		}
	}
	if name == "br_netfilter" {
		_, err := os.Stat("/proc/sys/net/bridge")
		return err == nil
	}
	return false
}
