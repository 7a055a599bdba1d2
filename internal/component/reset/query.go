// Package reset takes a host back to how it was before Quorate came: it stops
// what Quorate installed, ends the containers, and removes programs, settings,
// data and what the network left in the kernel. It removes nothing of others:
// a part of a host is Quorate's own when its unit file says so, or when
// Quorate has left its marks on the host and nobody else runs that part.
//
// Distribution packages stay installed: others may have come to need them.
package reset

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
)

const (
	kubeletUnit = "kubelet.service"
	runtimeUnit = "containerd.service"

	systemdDir  = "/etc/systemd/system"
	modulesFile = "/etc/modules-load.d/quorate.conf"
	sysctlFile  = "/etc/sysctl.d/90-quorate.conf"
	hostsFile   = "/etc/hosts"
	fstabFile   = "/etc/fstab"
	packages    = "/var/lib/quorate/packages"
	cniBin      = "/opt/cni/bin"
	// volumePlugins is made by the kubelet and filled by others, if at all.
	volumePlugins = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"
	netnsDir      = "/run/netns"
	linksDir      = "/sys/class/net"
	shim          = "/usr/local/bin/containerd-shim-runc-v2"

	// marker is written first and, with its folder, removed last: a reset that
	// was interrupted is known for one.
	marker = component.QuorateDir + "/reset"

	// header begins every unit file of Quorate's own.
	header = "# Written by quorate"
)

// part is something that runs on a host under a unit of its own.
type part struct {
	unit     string
	unitFile string
	files    []string // are removed
	// settings and data are folders, removed with all in them. One that is a
	// mount point or a symbolic link is emptied and stays.
	settings, data []string
	// emptied are removed only when nothing is left in them; in this order.
	emptied []string
	// former tells that it is an older Quorate's, whose unit was not asked for.
	former bool
	// owns tells which of the catalog's binaries belong to the part.
	owns func(catalog.Binary) bool
}

func unitPath(unit string) string { return systemdDir + "/" + unit }

// The parts of a host. Their order is the order in which they are stopped.
func partsOf(c *cluster.Cluster) []part {
	isCNI := func(b catalog.Binary) bool { return strings.HasPrefix(b.InstallPath, cniBin+"/") }
	isKube := func(b catalog.Binary) bool { return strings.HasPrefix(b.Name, "kube") }
	isEtcd := func(b catalog.Binary) bool { return strings.HasPrefix(b.Name, "etcd") }
	kubelet := part{
		unit: kubeletUnit, unitFile: unitPath(kubeletUnit),
		files:    []string{unitPath("kubelet.service.d/10-kubeadm.conf"), "/etc/cni/net.d/10-flannel.conflist"},
		settings: []string{component.KubernetesDir},
		data:     []string{component.KubeletDir, "/var/lib/cni", "/run/flannel", "/var/log/pods", "/var/log/containers"},
		emptied: []string{
			unitPath("kubelet.service.d"), "/etc/cni/net.d", "/etc/cni", netnsDir,
			volumePlugins, path.Dir(volumePlugins), path.Dir(path.Dir(volumePlugins)), path.Dir(path.Dir(path.Dir(volumePlugins))),
		},
		owns: isKube,
	}
	etcd := part{
		unit: "etcd.service", unitFile: unitPath("etcd.service"),
		settings: []string{etcd.Dir}, owns: isEtcd,
	}
	// Of the data folder, which may be a broad one, only what is etcd's own.
	owner := &etcd
	if c.Etcd.Mode == cluster.EtcdStacked {
		owner = &kubelet
	}
	owner.data = append(owner.data, c.Etcd.DataDir+"/member")
	owner.emptied = append(owner.emptied, c.Etcd.DataDir)
	return []part{
		kubelet,
		{
			unit: runtimeUnit, unitFile: unitPath(runtimeUnit),
			settings: []string{"/etc/containerd"}, data: []string{"/run/containerd", "/run/nri", "/var/lib/containerd"},
			emptied: []string{cniBin, "/opt/cni", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd"},
			owns:    func(b catalog.Binary) bool { return isCNI(b) || !isKube(b) && !isEtcd(b) },
		},
		etcd,
		{
			unit: "quorate-keepalived.service", unitFile: unitPath("quorate-keepalived.service"),
			settings: []string{component.QuorateDir + "/keepalived"},
			owns:     func(catalog.Binary) bool { return false },
		},
		{
			unit: "quorate-haproxy.service", unitFile: unitPath("quorate-haproxy.service"),
			settings: []string{component.QuorateDir + "/haproxy"}, data: []string{"/run/quorate-haproxy", component.HAProxyRoot},
			emptied: []string{path.Dir(component.HAProxyRoot)},
			owns:    func(catalog.Binary) bool { return false },
		},
		{
			unit: "quorate-nginx.service", unitFile: unitPath("quorate-nginx.service"),
			settings: []string{component.QuorateDir + "/nginx"},
			owns:     func(catalog.Binary) bool { return false },
		},
	}
}

// binariesOf are all that the catalog puts on hosts of whatever role: a
// host's role in the file may have been another one before.
func binariesOf(r catalog.Release) []catalog.Binary {
	var out []catalog.Binary
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker, cluster.RoleEtcd} {
		for _, b := range r.Binaries(role) {
			if !slices.ContainsFunc(out, func(o catalog.Binary) bool { return o.InstallPath == b.InstallPath }) {
				out = append(out, b)
			}
		}
	}
	return out
}

// ownUnits are the unit files that only Quorate names so. Those that bear its header
// and are none of partsOf are an older Quorate's: a change that was cut off, and
// finished by nobody, leaves them.
const ownUnits = systemdDir + "/quorate-*.service"

// formerParts are an older Quorate's units, of which nothing else is known.
func formerParts(facts *protocol.Facts, known []part) []part {
	var out []part
	for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
		former, _ := path.Match(ownUnits, file)
		if !former || slices.ContainsFunc(known, func(p part) bool { return p.unitFile == file }) {
			continue
		}
		p := part{unit: path.Base(file), unitFile: file, former: true, owns: func(catalog.Binary) bool { return false }}
		if isOurs(facts, p) {
			out = append(out, p)
		}
	}
	return out
}

// Query asks for what Plan looks at.
func Query(c *cluster.Cluster, r catalog.Release, q *protocol.FactsRequest) {
	component.AskFiles(q, modulesFile, sysctlFile, hostsFile, fstabFile)
	for _, name := range []string{component.QuorateDir, marker, packages} {
		q.Files = append(q.Files, protocol.FileQuery{Path: name})
	}
	for _, p := range partsOf(c) {
		component.AskFiles(q, p.unitFile)
		q.Units = append(q.Units, p.unit)
		for _, name := range slices.Concat(p.files, p.settings) {
			q.Files = append(q.Files, protocol.FileQuery{Path: name})
		}
		q.Dirs = append(q.Dirs, p.data...)
	}
	component.AskBinaries(q, binariesOf(r))
	q.Dirs = append(q.Dirs, linksDir, netnsDir, protocol.FaultFolder)
	q.Files = append(q.Files, protocol.FileQuery{Path: ownUnits, Pattern: true, Content: true})
	q.Units = slices.Compact(slices.Sorted(slices.Values(q.Units)))
}
