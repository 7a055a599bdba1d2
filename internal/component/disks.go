package component

import "github.com/quorate/quorate/internal/cluster"

// Where a host needs room, besides etcd's own data folder.
const (
	EtcDir        = "/etc"
	BinariesDir   = "/usr/local/bin"
	ContainerdDir = "/var/lib/containerd"
	WorkDir       = "/var/lib/quorate" // the agent, and packages while they are installed
)

// Disks are the places whose file systems planning looks at. Each may be one
// of its own.
func Disks(c *cluster.Cluster) []string {
	return []string{"/", EtcDir, BinariesDir, WorkDir, ContainerdDir, KubeletDir, c.Etcd.DataDir}
}
