// Package machine prepares the operating system of a host: kernel modules,
// sysctls, swap, the endpoint's name in /etc/hosts, and the distribution's
// packages that Kubernetes and the endpoint proxy need.
package machine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// The files that this part owns, and those that it edits.
const (
	modulesFile = "/etc/modules-load.d/quorate.conf"
	sysctlFile  = "/etc/sysctl.d/90-quorate.conf"
	fstabFile   = "/etc/fstab"
)

// modules are what containerd's overlayfs and bridged pod traffic need.
var modules = []string{"overlay", "br_netfilter"}

// sysctls are what Kubernetes' networking needs
// (kubernetes.io, Container Runtimes: forwarding IPv4, bridged traffic).
var sysctls = map[string]string{
	"net.bridge.bridge-nf-call-ip6tables": "1",
	"net.bridge.bridge-nf-call-iptables":  "1",
	"net.ipv4.ip_forward":                 "1",
}

// least are sysctls that must not be below a value. Each kubelet, kube-proxy and
// many a pod watches files, and a kernel's 128 for all of root's programs are soon
// used up: then they do not start.
var least = map[string]int{"fs.inotify.max_user_instances": 8192}

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	component.AskFiles(q, modulesFile, sysctlFile, component.HostsFile, component.WayRecord, fstabFile)
	q.Files = append(q.Files, protocol.FileQuery{Path: component.KubeletConfig})
	q.Modules = append(q.Modules, modules...)
	q.Sysctls = append(q.Sysctls, sysctlNames()...)
	q.Candidates = map[string][]string{}
	for family, tool := range map[string]string{"debian": "apt", "rhel": "dnf"} {
		q.Packages = append(q.Packages, packages(family, c, h)...)
		q.Candidates[tool] = packages(family, c, h)
	}
	q.Packages = slices.Compact(slices.Sorted(slices.Values(q.Packages)))
	component.AskOwnHAProxy(q)
}

// Plan makes the steps for every host.
func Plan(in component.Input, out *component.Output) {
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		planPackages(in, h, facts, out)
		planSettings(in, h, facts, out)
	}
}

func planPackages(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	missing := MissingPackages(in.Cluster, in.Artefacts, h, facts)
	if len(missing) == 0 {
		return
	}
	step := plan.Step{
		ID: plan.On(component.StepPackages, h.Name), Host: h.Name,
		Title: "install packages: " + strings.Join(missing, ", "),
		Why:   "not installed",
	}
	for _, name := range missing {
		step.Changes = append(step.Changes, plan.Change{What: name, Action: "install"})
	}
	out.Add(step, component.Packages{Host: h.Name, OS: facts.OS, Names: missing})
}

// MissingPackages lists the distribution packages that a host needs for its
// roles and has not. HAProxy is none of them where the bundle's own takes its
// place.
func MissingPackages(c *cluster.Cluster, artefacts *bundle.Manifest, h *cluster.Host, facts *protocol.Facts) []string {
	var missing []string
	for _, name := range packages(facts.OS.Family(), c, h) {
		own := name == "haproxy" && component.OwnHAProxy(c, h, artefacts, facts)
		if facts.Packages[name] == "" && !own {
			missing = append(missing, name)
		}
	}
	return missing
}

// ForeignPackages are those of a host's missing packages that the bundle does not
// have for its distribution.
func ForeignPackages(artefacts *bundle.Manifest, facts *protocol.Facts, missing []string) []string {
	return slices.DeleteFunc(slices.Clone(missing), func(name string) bool {
		return artefacts != nil && artefacts.HasPackage(facts.OS.ID, facts.OS.Version, name)
	})
}

// Unsure are the steps that install packages of which nobody can tell whether
// they are to be had, since a host's package sources did not answer: they come
// first, so that a run changes nothing where they are not.
func Unsure(in component.Input) []plan.ID {
	var out []plan.ID
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil || facts.CandidatesError == "" {
			continue
		}
		if len(ForeignPackages(in.Artefacts, facts, MissingPackages(in.Cluster, in.Artefacts, h, facts))) > 0 {
			out = append(out, plan.On(component.StepPackages, h.Name))
		}
	}
	return out
}

// packages lists the distribution packages that a host needs for its roles.
func packages(family string, c *cluster.Cluster, h *cluster.Host) []string {
	var names []string
	if h.IsNode() {
		// The portmap plugin calls nft on the host, and the preflight of
		// kubeadm's upgrades asks for conntrack.
		switch family {
		case "debian":
			names = append(names, "conntrack", "nftables")
		case "rhel":
			names = append(names, "conntrack-tools", "nftables")
		}
	}
	switch proxy := c.HasOwnProxy(h); {
	case proxy && c.Endpoint.LoadBalancer.Type == "nginx":
		names = append(names, "nginx")
		names = append(names, streamModule(family)...)
	case proxy:
		names = append(names, "haproxy")
	}
	if slices.Contains(c.Balancers(), h) {
		names = append(names, "haproxy", "keepalived")
		if !h.IsNode() {
			// Drills cut hosts off by its rules.
			names = append(names, "nftables")
		}
	}
	return names
}

// streamModule is the package of nginx's module that carries TCP.
func streamModule(family string) []string {
	switch family {
	case "debian":
		return []string{"libnginx-mod-stream"}
	case "rhel":
		return []string{"nginx-mod-stream"}
	}
	return nil
}

func planSettings(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	op := settings{host: h.Name}
	step := plan.Step{ID: plan.On(component.StepSettings, h.Name), Host: h.Name, Title: "prepare the operating system"}
	var why []string

	if h.IsNode() {
		op.files = append(op.files,
			component.File{Path: modulesFile, Content: []byte(strings.Join(modules, "\n") + "\n"), Mode: 0o644},
			component.File{Path: sysctlFile, Content: renderSysctls(facts), Mode: 0o644},
		)
		for _, m := range modules {
			if !facts.Modules[m] {
				op.modules = append(op.modules, m)
				step.Changes = append(step.Changes, plan.Change{What: "module " + m, Action: "create"})
				why = append(why, "module "+m+" not loaded")
			}
		}
		for _, name := range sysctlNames() {
			if !serves(name, facts.Sysctls[name]) {
				op.sysctl = true
				step.Changes = append(step.Changes, plan.Change{What: name + "=" + wanted(name), Action: "update"})
				why = append(why, fmt.Sprintf("%s is %q", name, facts.Sysctls[name]))
			}
		}
		if len(facts.Swap) > 0 {
			op.swapOff = true
			step.Changes = append(step.Changes, plan.Change{What: "swap on " + strings.Join(facts.Swap, ", "), Action: "remove"})
			why = append(why, "swap is on")
		}
		if fstab := facts.Files[fstabFile]; fstab.Exists && whole(fstab) {
			if without, changed := withoutSwap(fstab.Content); changed {
				op.files = append(op.files, component.Rewritten(fstabFile, []byte(without), fstab))
			}
		}
	}
	if h.IsNode() {
		if f := facts.Files[component.HostsFile]; !whole(f) {
			out.Refuse("make it smaller than 256 KiB, and UTF-8 text", "%s of %s cannot be kept to the letter while the endpoint's name is added", component.HostsFile, h.Name)
			return
		}
		op.files = append(op.files, wayFiles(in.Cluster, h, facts)...)
		op.owesPods = component.LostWay(facts, cluster.WayOf(in.Cluster, h))
	}
	differ, changes := component.FileChanges(facts, op.files)
	op.files = differ
	for i, c := range changes {
		why = append(why, c.What+" differs")
		if c.What == fstabFile { // a network file system's password may stand there
			changes[i].Diff = plan.ChangedLines(c.Diff)
		}
	}
	step.Changes = append(changes, step.Changes...)
	if len(step.Changes) == 0 {
		return
	}
	step.Why = strings.Join(why, "; ")
	out.Add(step, op)
}

// whole reports whether a file's content was observed as it is, byte for byte:
// one that is too large is left out, and what is no UTF-8 does not survive JSON.
func whole(f protocol.File) bool {
	return int64(len(f.Content)) == f.Size && !strings.ContainsRune(f.Content, utf8.RuneError)
}

// sysctlNames are all that a node needs.
func sysctlNames() []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Collect(maps.Keys(sysctls)), maps.Keys(least))))
}

// wanted is what a sysctl is set to where it does not serve.
func wanted(name string) string {
	if n, ok := least[name]; ok {
		return strconv.Itoa(n)
	}
	return sysctls[name]
}

// serves reports whether a sysctl's value is as a node needs it.
func serves(name, value string) bool {
	n, ok := least[name]
	if !ok {
		return value == sysctls[name]
	}
	has, err := strconv.Atoi(value)
	return err == nil && has >= n
}

// renderSysctls makes a host's settings file. What is more than enough is left as it
// is, and out of the file, which would take it back at the next boot.
func renderSysctls(facts *protocol.Facts) []byte {
	var b bytes.Buffer
	for _, name := range sysctlNames() {
		_, atLeast := least[name]
		line := name + " = " + wanted(name) + "\n"
		if !atLeast || !serves(name, facts.Sysctls[name]) || strings.Contains(facts.Files[sysctlFile].Content, line) {
			b.WriteString(line)
		}
	}
	return b.Bytes()
}

// wayFiles are the files by which a node finds the API servers. On one that has
// joined, another way is not for this part to give: what runs there has the old
// one, and package endpoint gives the new one to all of it together.
func wayFiles(c *cluster.Cluster, h *cluster.Host, facts *protocol.Facts) []component.File {
	way := cluster.WayOf(c, h)
	if has, known := component.RecordedWay(facts); component.Joined(facts) && (!known || has != way) {
		return nil
	}
	files := []component.File{component.RecordOf(way)}
	old := facts.Files[component.HostsFile]
	if text := component.WithWay(way, old.Content); text != old.Content {
		file := component.File{Path: component.HostsFile, Mode: 0o644, Content: []byte(text)}
		if old.Exists {
			file = component.Rewritten(file.Path, file.Content, old)
		}
		files = append(files, file)
	}
	return files
}

// withoutSwap comments the swap entries of an fstab out.
func withoutSwap(fstab string) (string, bool) {
	lines := strings.SplitAfter(fstab, "\n")
	changed := false
	for i, line := range lines {
		fields := strings.Fields(line)
		if len(fields) >= 3 && !strings.HasPrefix(fields[0], "#") && fields[2] == "swap" {
			lines[i] = component.SwapOff + line
			changed = true
		}
	}
	return strings.Join(lines, ""), changed
}
