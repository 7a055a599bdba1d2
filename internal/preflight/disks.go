package preflight

import (
	"fmt"
	"slices"
	"strings"

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

// roomToWrite is what is free at least wherever anything is written, on a host that has
// joined as well: kubeadm writes a renewed certificate or a manifest where the old one
// is, and a full disk leaves an empty file there.
const roomToWrite = 64 << 20

// written are the places in which an apply writes on any host.
func written(h *cluster.Host) []string {
	if h.IsNode() {
		return []string{component.EtcDir, component.KubeletDir, component.WorkDir}
	}
	return []string{component.EtcDir, component.WorkDir}
}

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

// remount is what to do about a file system that has become read-only.
const remount = "remount it read-write, and look for disk errors in the kernel's log"

func diskChecks() []Check {
	return []Check{
		{Name: "disk", About: "file systems are writable and have room for all that goes onto them, 64 MB on a host that is built", Refuses: true, Host: judgeDisks},
		{Name: "disk-type", About: "etcd's and containerd's data lie on a file system of a local disk", Host: judgeDiskTypes},
	}
}

// judgeDisks finds file systems that cannot be written, and those with less
// room than all that goes onto them, or than anything that is written needs.
func judgeDisks(o *Observation, h *cluster.Host) []Finding {
	c, f := o.Cluster, o.Snapshot.Facts(h.Name)
	var out []Finding
	readOnly := map[string]bool{"/": f.ReadOnlyRoot}
	for _, place := range component.Disks(c) {
		disk, ok := f.Disks[place]
		if !ok || !disk.ReadOnly || readOnly[disk.MountPoint] || place == c.Etcd.DataDir && !slices.Contains(c.EtcdHosts(), h) {
			continue
		}
		readOnly[disk.MountPoint] = true
		out = append(out, fail(remount, "the file system at %s of %s is read-only", disk.MountPoint, h.Name))
	}
	if f.ReadOnlyRoot {
		out = append(out, fail(remount, "the root file system of %s is read-only", h.Name))
	}
	type fileSystem struct {
		at            string
		needed, space int64
	}
	var systems []*fileSystem
	of := func(place string) *fileSystem {
		disk, ok := f.Disks[place]
		if !ok {
			return &fileSystem{} // nothing is known of it
		}
		i := slices.IndexFunc(systems, func(s *fileSystem) bool { return s.at == disk.MountPoint })
		if i < 0 {
			i = len(systems)
			systems = append(systems, &fileSystem{at: disk.MountPoint, space: disk.Available})
		}
		return systems[i]
	}
	for _, need := range roomNeeded(c, h, f) {
		of(need.place).needed += need.bytes
	}
	for _, place := range written(h) {
		s := of(place)
		s.needed = max(s.needed, roomToWrite)
	}
	var free []string
	for _, s := range systems {
		if s.space < s.needed {
			out = append(out, fail("free or add disk space", "%s has %d MB free at %s; %d MB are needed", h.Name, s.space>>20, s.at, s.needed>>20).
				measured("freeBytes", float64(s.space)).measured("neededBytes", float64(s.needed)))
		}
		free = append(free, fmt.Sprintf("%d MB free at %s", s.space>>20, s.at))
	}
	if out == nil && free != nil {
		return fine("%s has %s", h.Name, strings.Join(free, ", "))
	}
	return out
}

// judgeDiskTypes finds data on file systems that do not keep it, or not fast
// enough, or on which containers cannot be.
func judgeDiskTypes(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	var out []Finding
	if data := o.Cluster.Etcd.DataDir; slices.Contains(o.Cluster.EtcdHosts(), h) {
		switch kind := f.Disks[data].Type; kind {
		case "tmpfs", "ramfs":
			out = append(out, fail("put etcd.dataDir on a disk", "etcd's data at %s of %s would lie in memory (%s) and be lost with its power", data, h.Name, kind))
		case "nfs", "nfs4", "cifs", "smb3", "9p", "fuse.glusterfs", "ceph":
			out = append(out, warn("put etcd.dataDir on a local disk", "etcd's data at %s of %s would lie on a network file system (%s), too slow and not safe for it", data, h.Name, kind))
		}
	}
	if h.IsNode() {
		switch kind := f.Disks[component.ContainerdDir].Type; kind {
		case "overlay", "nfs", "nfs4", "cifs", "smb3", "tmpfs":
			out = append(out, warn("mount a disk of its own there (ext4 or xfs)", "containers' file systems cannot be made on %s, which %s of %s lies on", kind, component.ContainerdDir, h.Name))
		}
	}
	return out
}
