package planner

import (
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// What a host that is still bare needs on its disks, in bytes: what the
// binaries and images of a release unpack to, and as much again to work in.
const (
	roomForNodeBinaries = 1 << 30
	roomForEtcdBinaries = 200 << 20
	roomForWork         = 100 << 20
	roomForImages       = 2 << 30
	roomForKubelet      = 500 << 20
	roomForEtcdData     = 500 << 20
)

// room is what one place needs.
type room struct {
	place string
	bytes int64
}

// roomNeeded lists what is still to be put on a host, by place.
func roomNeeded(c *cluster.Cluster, h *cluster.Host, f *protocol.Facts) []room {
	var needs []room
	if h.IsNode() && !f.Files[component.KubeletConf].Exists {
		needs = append(needs,
			room{component.BinariesDir, roomForNodeBinaries},
			room{component.ContainerdDir, roomForImages},
			room{component.KubeletDir, roomForKubelet})
	}
	if slices.Contains(c.EtcdHosts(), h) && !f.Files[c.Etcd.DataDir+"/member"].Exists {
		needs = append(needs,
			room{component.BinariesDir, roomForEtcdBinaries},
			room{c.Etcd.DataDir, roomForEtcdData})
	}
	if len(needs) > 0 {
		needs = append(needs, room{component.WorkDir, roomForWork})
	}
	return needs
}

// checkDisks refuses file systems that cannot be written, and those with less
// room than all that goes onto them.
func checkDisks(c *cluster.Cluster, h *cluster.Host, f *protocol.Facts, out *component.Output) {
	readOnly := map[string]bool{"/": f.ReadOnlyRoot}
	for _, place := range component.Disks(c) {
		disk, ok := f.Disks[place]
		if !ok || !disk.ReadOnly || readOnly[disk.MountPoint] || place == c.Etcd.DataDir && !slices.Contains(c.EtcdHosts(), h) {
			continue
		}
		readOnly[disk.MountPoint] = true
		out.Refuse("remount it read-write, and look for disk errors in the kernel's log", "the file system at %s of %s is read-only", disk.MountPoint, h.Name)
	}
	if f.ReadOnlyRoot {
		out.Refuse("remount it read-write, and look for disk errors in the kernel's log", "the root file system of %s is read-only", h.Name)
	}
	type fileSystem struct {
		at            string
		needed, space int64
	}
	var systems []*fileSystem
	for _, need := range roomNeeded(c, h, f) {
		disk, ok := f.Disks[need.place]
		if !ok {
			continue
		}
		i := slices.IndexFunc(systems, func(s *fileSystem) bool { return s.at == disk.MountPoint })
		if i < 0 {
			i = len(systems)
			systems = append(systems, &fileSystem{at: disk.MountPoint, space: disk.Available})
		}
		systems[i].needed += need.bytes
	}
	for _, s := range systems {
		if s.space < s.needed {
			out.Refuse("free or add disk space", "%s has %d MB free at %s; %d MB are needed", h.Name, s.space>>20, s.at, s.needed>>20)
		}
	}
}
