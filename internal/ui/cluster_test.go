package ui

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/status/statustest"
)

func TestClusterSummary(t *testing.T) {
	c := statustest.Healthy().Cluster
	c.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr("10.0.0.50")}
	for range 9 {
		c.Hosts = append(c.Hosts, cluster.Host{Name: "more", Roles: []cluster.Role{cluster.RoleWorker}})
	}
	c.Hosts = append(c.Hosts, cluster.Host{Name: "lb-1", Roles: []cluster.Role{cluster.RoleLoadBalancer}})
	c.Network = cluster.Network{Plugin: "flannel", PodCIDR: netip.MustParsePrefix("10.1.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.2.0.0/16")}
	c.Kubernetes.ProxyMode = "nftables"
	want := `Valid: cluster prod, Kubernetes v1.37.1, from hosts.ini, vars.yml.
  control plane   cp-1, cp-2, cp-3
  etcd            cp-1, cp-2, cp-3 (external): one may be lost
  workers         worker-1, worker-2, worker-3, more, more, more, … (12)
  load balancers  lb-1
  endpoint        lb.example.org:6443, HAProxy and keepalived, virtual address 10.0.0.50
  network         flannel, pods 10.1.0.0/16, services 10.2.0.0/16, kube-proxy with nftables
`
	if d := cmp.Diff(want, ClusterSummary(c, []string{"hosts.ini", "vars.yml"})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestSurvives(t *testing.T) {
	for members, want := range map[int]string{
		1: "its loss stops the cluster", 2: "the loss of any one stops the cluster", 3: "one may be lost", 5: "2 may be lost",
	} {
		if got := survives(members); got != want {
			t.Errorf("%d members: %q, want %q", members, got, want)
		}
	}
}
