package cluster

import (
	"net/netip"
	"testing"
)

func TestWayOf(t *testing.T) {
	c := &Cluster{Endpoint: Endpoint{Domain: "api.example", LoadBalancer: LoadBalancer{Mode: BalancerLocalhost}}}
	host := func(roles ...Role) *Host {
		return &Host{Roles: roles, InternalAddress: netip.MustParseAddr("10.0.0.7")}
	}
	managed := *c
	managed.Endpoint.LoadBalancer = LoadBalancer{Mode: BalancerManaged, VIP: netip.MustParseAddr("10.0.0.100")}
	named := *c
	named.Endpoint.LoadBalancer = LoadBalancer{Mode: BalancerExternal, VIPHost: "lb.example"}
	for _, tt := range []struct {
		name string
		c    *Cluster
		h    *Host
		want string
	}{
		{"a control plane asks itself", c, host(RoleControlPlane, RoleWorker), "10.0.0.7 api.example\n"},
		{"a worker asks its proxy", c, host(RoleWorker), "127.0.0.1 api.example\n"},
		{"a control plane asks itself, whoever balances", &managed, host(RoleControlPlane), "10.0.0.7 api.example\n"},
		{"others ask the VIP", &managed, host(RoleWorker), "10.0.0.100 api.example\n"},
		{"a control plane asks itself, whatever DNS says", &named, host(RoleControlPlane), "10.0.0.7 api.example\n"},
		{"a name is left to DNS", &named, host(RoleWorker), ""},
	} {
		if got := WayOf(tt.c, tt.h).Entry(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
