package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// maxEtcdMembers is the largest etcd cluster that is built: beyond seven, every
// write waits for more members and no failure more is survived that matters.
const maxEtcdMembers = 7

// checkEtcd checks how many members there are and where.
func checkEtcd(r *strict.Report, c *cluster.Cluster) {
	if r.IsBad("spec.etcd.mode") {
		return // who runs etcd depends on it
	}
	members := c.EtcdHosts()
	n, hosts := len(members), strict.Path("spec.hosts")
	if n > 0 { // the last member is the one too many
		hosts = hostPath(slices.IndexFunc(c.Hosts, func(h cluster.Host) bool { return h.Name == members[n-1].Name })).Key("roles")
	}
	switch {
	case n == 0 && len(c.ControlPlanes()) > 0:
		r.Errorf(hosts, "give an odd number of hosts the role etcd", "no host runs etcd")
	case n > maxEtcdMembers:
		r.Errorf(hosts, "three survive one failure, five two, seven three", "%d etcd members are too many, %d is the most", n, maxEtcdMembers)
	case n > 0 && n%2 == 0:
		r.Tell(diag.SeverityWarning, r.PlaceOf(hosts), fmt.Sprintf("use %d or %d members", n-1, n+1), toleranceTable(n),
			fmt.Sprintf("%d etcd members survive no more failures than %d: an odd number is better", n, n-1))
	}
	for i := range c.Hosts {
		h, p := &c.Hosts[i], hostPath(i).Key("roles")
		switch {
		case !h.Has(cluster.RoleEtcd):
		case c.Etcd.Mode == cluster.EtcdStacked && !h.Has(cluster.RoleControlPlane):
			r.Errorf(p, "remove the role, or write etcd: {mode: external}",
				"host %s has the role etcd, but with etcd.mode stacked only control-plane hosts run etcd", h.Name)
		case h.Has(cluster.RoleWorker) && !h.Has(cluster.RoleControlPlane):
			r.Warnf(p, "give etcd to the control-plane hosts, or to hosts of its own",
				"host %s is an etcd member and a worker: pods that fill its disk or memory slow down the whole cluster", h.Name)
		}
	}
}

// toleranceTable is the table of how many failures how many members survive,
// with the line of n marked.
func toleranceTable(n int) string {
	var b strings.Builder
	b.WriteString("members  quorum  failures tolerated\n")
	for members := 1; members <= max(maxEtcdMembers, n); members++ {
		mark := ""
		if members == n {
			mark = "  <- this file"
		}
		fmt.Fprintf(&b, "%7d  %6d  %18d%s\n", members, cluster.Quorum(members), cluster.Tolerated(members), mark)
	}
	return b.String()
}
