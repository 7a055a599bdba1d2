package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// The least that a host must have. The figures are kubeadm's for a
// control-plane host (2 CPUs, 1700 MB); a worker may be smaller, but below
// this it has no room for pods.
const (
	minControlPlaneCPUs   = 2
	minControlPlaneMemory = 1700 << 20
	minWorkerMemory       = 700 << 20
)

// Kernels: the oldest that Kubernetes supports (kubeadm's SystemVerification),
// and the oldest on which kube-proxy's nftables mode starts.
var (
	oldestKernel         = release{4, 19}
	oldestNFTablesKernel = release{5, 13}
)

func machineChecks() []Check {
	return []Check{
		{Name: "os", About: "a distribution that Quorate supports: Debian, Ubuntu or of the RHEL family", Refuses: true, Host: judgeOS},
		{Name: "arch", About: "the architecture is the file's and the bundle's", Refuses: true, Vital: true, Host: judgeArch},
		{Name: "kernel", Refuses: true, OfNew: true, About: "the kernel is new enough for Kubernetes and for the proxy mode", Applies: isNode, Host: judgeKernel},
		{Name: "modules", Refuses: true, OfNew: true, About: "the kernel has the modules that containers and the network need", Applies: isNode, Host: judgeModules},
		{Name: "cgroup", Refuses: true, OfNew: true, About: "control groups: version 2 is wanted, with the controllers that the kubelet needs", Applies: isNode, Host: judgeCgroup},
		{Name: "cpu", About: "at least 2 CPUs on control-plane hosts", Refuses: true, Host: judgeCPU},
		{Name: "memory", About: "at least 1700 MB of memory on control-plane hosts", Refuses: true, Host: judgeMemory},
	}
}

func isNode(_ *cluster.Cluster, h *cluster.Host) bool { return h.IsNode() }

func judgeOS(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	if f.OS.Family() == "" {
		return []Finding{fail("use Debian, Ubuntu or a distribution of the RHEL family", "%s runs %s, which is not supported", h.Name, f.OS.PrettyName)}
	}
	return fine("%s runs %s", h.Name, f.OS.PrettyName)
}

func judgeArch(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var out []Finding
	if h.Arch != "" && h.Arch != f.Arch {
		out = append(out, fail("correct the host's arch in the cluster file", "%s is %s, but the cluster file says %s", h.Name, f.Arch, h.Arch))
	}
	if o.Artefacts != nil && o.Artefacts.Arch != f.Arch {
		out = append(out, fail(fmt.Sprintf("build one with `quorate bundle build --kubernetes %s --arch %s`", o.Cluster.Kubernetes.Version, f.Arch),
			"%s is %s, but the bundle is for %s", h.Name, f.Arch, o.Artefacts.Arch))
	}
	if out == nil {
		return fine("%s is %s", h.Name, f.Arch)
	}
	return out
}

// release is a kernel's version as far as it counts.
type release struct{ major, minor int }

func (r release) String() string { return fmt.Sprintf("%d.%d", r.major, r.minor) }

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// parseRelease reads the beginning of what uname -r says.
func parseRelease(s string) (release, bool) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return release{}, false
	}
	digits := func(s string) string {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			return s[:i]
		}
		return s
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return release{}, false
	}
	minor, err := strconv.Atoi(digits(parts[1]))
	return release{major, minor}, err == nil
}

func judgeKernel(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	kernel, known := parseRelease(f.Kernel)
	switch {
	case !known:
		return []Finding{warn("", "the kernel %q of %s is of no known form", f.Kernel, h.Name)}
	case kernel.before(oldestKernel):
		return []Finding{fail("use a newer release of the distribution", "the kernel %s of %s is too old: Kubernetes needs %s", f.Kernel, h.Name, oldestKernel)}
	case o.Cluster.Kubernetes.ProxyMode == "nftables" && kernel.before(oldestNFTablesKernel):
		return []Finding{fail("set kubernetes.proxyMode: iptables, or use a newer kernel",
			"the kernel %s of %s is too old for kube-proxy's nftables mode, which needs %s", f.Kernel, h.Name, oldestNFTablesKernel)}
	}
	return fine("%s runs Linux %s", h.Name, f.Kernel)
}

// modulesOf are the modules that a node needs, with what for.
func modulesOf(c *cluster.Cluster) map[string]string {
	needs := map[string]string{"overlay": "containerd's file systems", "br_netfilter": "services reached from pods of the same host"}
	if c.Network.Plugin == "flannel" && c.Network.Flannel.Backend == "vxlan" {
		needs["vxlan"] = "flannel's network between hosts"
	}
	return needs
}

func judgeModules(o *Observation, h *cluster.Host) []Finding {
	f, p := o.Snapshot.Facts(h.Name), o.probed(h)
	var out []Finding
	needs := modulesOf(o.Cluster)
	for _, name := range sortedKeys(needs) {
		switch loadable, asked := p.Loadable[name]; {
		case f.Modules[name] || loadable:
		case !asked:
			return skip("whether %s can load modules is not known", h.Name)
		case name == "vxlan":
			// A kernel that has it built in need not say so.
			out = append(out, warn("install the kernel's modules package, or set network.flannel.backend: host-gw where all hosts share a subnet",
				"%s shows no module vxlan, which %s needs", h.Name, needs[name]))
		default:
			out = append(out, fail("install the kernel's modules package (linux-modules-extra, kernel-modules), or reboot into the kernel that is installed",
				"%s has no module %s for its kernel %s; it is needed for %s", h.Name, name, f.Kernel, needs[name]))
		}
	}
	return out
}

func judgeCgroup(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var enabled []string
	if f.Cgroup == "v2" {
		enabled = strings.Fields(f.Files[cgroupControllers].Content)
	} else {
		enabled = controllersV1(f.Files[procCgroups].Content)
	}
	var missing []string
	for _, name := range []string{"cpu", "cpuset", "memory", "pids"} {
		if len(enabled) > 0 && !slices.Contains(enabled, name) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return []Finding{fail("switch them on on the kernel's command line (cgroup_enable=memory, or remove cgroup_disable), and reboot",
			"the kernel of %s has the control group controllers %s switched off", h.Name, strings.Join(missing, ", "))}
	}
	if f.Cgroup != "v2" {
		return []Finding{warn("boot with systemd.unified_cgroup_hierarchy=1; until then the kubelet is told to accept it",
			"%s has control groups of version 1 (%s), which Kubernetes is about to drop", h.Name, f.Cgroup)}
	}
	return fine("%s has control groups of version 2", h.Name)
}

// controllersV1 are the controllers that /proc/cgroups shows as enabled.
func controllersV1(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 4 && !strings.HasPrefix(f[0], "#") && f[3] == "1" {
			out = append(out, f[0])
		}
	}
	return out
}

func judgeCPU(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	if h.Has(cluster.RoleControlPlane) && f.CPUs < minControlPlaneCPUs {
		return []Finding{fail("give the host more CPUs", "%s has %d CPU; a control-plane host needs %d", h.Name, f.CPUs, minControlPlaneCPUs).
			measured("cpus", float64(f.CPUs))}
	}
	return []Finding{Finding{Status: OK, Summary: fmt.Sprintf("%s has %d CPUs", h.Name, f.CPUs)}.measured("cpus", float64(f.CPUs))}
}

func judgeMemory(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	found := Finding{Status: OK, Summary: fmt.Sprintf("%s has %d MB of memory", h.Name, f.MemoryBytes>>20)}
	switch {
	case h.Has(cluster.RoleControlPlane) && f.MemoryBytes < minControlPlaneMemory:
		found = fail("give the host more memory", "%s has %d MB of memory; a control-plane host needs %d MB", h.Name, f.MemoryBytes>>20, minControlPlaneMemory>>20)
	case h.IsNode() && f.MemoryBytes < minWorkerMemory:
		found = warn("give the host more memory", "%s has %d MB of memory, which leaves little for pods", h.Name, f.MemoryBytes>>20)
	}
	return []Finding{found.measured("memoryBytes", float64(f.MemoryBytes))}
}
