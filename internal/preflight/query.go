package preflight

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/network"
	"github.com/quorate/quorate/internal/etcd"
)

// Files that tell what no other part of the facts does.
const (
	cgroupControllers = "/sys/fs/cgroup/cgroup.controllers" // version 2
	procCgroups       = "/proc/cgroups"                     // version 1
	resolvedFile      = "/run/systemd/resolve/resolv.conf"
)

// Query asks for what the checks look at beyond what planning does.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	q.Units = append(q.Units, slices.Concat(slices.Sorted(maps.Keys(runtimeUnits)), slices.Sorted(maps.Keys(distributionUnits)))...)
	q.Units = append(q.Units, "containerd.service", "systemd-resolved.service")
	askLater(h, q)
	q.Units = slices.Compact(slices.Sorted(slices.Values(q.Units)))
	for _, path := range []string{cgroupControllers, procCgroups} {
		q.Files = append(q.Files, protocol.FileQuery{Path: path, Content: true})
	}
	component.AskBuilt(q)
	for _, path := range []string{resolvedFile, component.KubeletConf, component.AdminConf, etcd.MemberDir(c)} {
		q.Files = append(q.Files, protocol.FileQuery{Path: path})
	}
	q.Dirs = append(q.Dirs, component.ManifestsDir)
	if h.IsNode() {
		q.Dirs = append(q.Dirs, filepath.Dir(network.CNIFile))
		q.Files = append(q.Files, protocol.FileQuery{Path: component.HostsFile, Content: true}, protocol.FileQuery{Path: cloudInitOff})
		q.Files = append(q.Files, protocol.FileQuery{Path: clusterCA, Certificate: true, Digest: true}, protocol.FileQuery{Path: kubeadmFlags, Content: true})
		q.Modules = append(q.Modules, sortedKeys(modulesOf(c))...)
		q.Modules = slices.Compact(slices.Sorted(slices.Values(q.Modules)))
	}
}
