package catalog

import (
	"io/fs"
	"path"

	"github.com/quorate/quorate/internal/cluster"
)

// Where binaries are installed. The CNI directory is containerd's and
// kubelet's default.
const (
	binDir = "/usr/local/bin"
	cniDir = "/opt/cni/bin"
	// runc goes to sbin, where containerd's own instructions put it; both are
	// in the PATH of systemd units.
	runcDir = "/usr/local/sbin"
)

// Binary is one executable on a host.
type Binary struct {
	Name        string // unique in a bundle; CNI plugins are "cni-bridge"
	Version     string // bare, but Kubernetes' own with its v
	InstallPath string // absolute, on the host
	Mode        fs.FileMode
}

// Binaries lists the executables that a host with the role must have. A host
// with several roles needs the union. A load balancer needs none: its software
// comes as OS packages.
func (r Release) Binaries(role cluster.Role) []Binary {
	switch role {
	case cluster.RoleControlPlane:
		return append(r.nodeBinaries(), r.binary("kubectl", r.Kubernetes, binDir))
	case cluster.RoleWorker:
		return r.nodeBinaries()
	case cluster.RoleEtcd:
		return []Binary{
			r.binary("etcd", r.Etcd, binDir),
			r.binary("etcdctl", r.Etcd, binDir),
			r.binary("etcdutl", r.Etcd, binDir),
		}
	default:
		return nil
	}
}

// nodeBinaries is what every Kubernetes node has.
func (r Release) nodeBinaries() []Binary {
	list := []Binary{
		r.binary("kubelet", r.Kubernetes, binDir),
		r.binary("kubeadm", r.Kubernetes, binDir),
		r.binary("containerd", r.Containerd, binDir),
		r.binary("containerd-shim-runc-v2", r.Containerd, binDir),
		r.binary("ctr", r.Containerd, binDir),
		r.binary("runc", r.Runc, runcDir),
	}
	for _, plugin := range CNIPluginNames() {
		list = append(list, Binary{
			Name: "cni-" + plugin, Version: r.CNIPlugins,
			InstallPath: path.Join(cniDir, plugin), Mode: 0o755,
		})
	}
	return append(list, Binary{
		Name: "cni-flannel", Version: r.FlannelCNI,
		InstallPath: path.Join(cniDir, "flannel"), Mode: 0o755,
	})
}

// CNIPluginNames lists the plugins of the CNI project that nodes get: what
// flannel's chain calls, and the few that other chains on a plain node use.
func CNIPluginNames() []string {
	return []string{"bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap", "static", "tuning"}
}

// binary describes an executable that is installed under its own name.
func (r Release) binary(name, version, dir string) Binary {
	return Binary{Name: name, Version: version, InstallPath: path.Join(dir, name), Mode: 0o755}
}
