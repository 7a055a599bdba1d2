package lab

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidateName(t *testing.T) {
	for name, valid := range map[string]bool{
		"default": true, "a": true, "lab-2": true, "a2345678901234567890": true,
		"": false, "-a": false, "a-": false, "Lab": false, "a_b": false, "a/b": false, "..": false, "a b": false,
		"a23456789012345678901": false, "é": false, "a\n": false,
	} {
		if err := ValidateName(name); (err == nil) != valid {
			t.Errorf("ValidateName(%q) = %v, want valid: %t", name, err, valid)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := Spec{Name: "B", ControlPlanes: 10, Workers: -1, LoadBalancers: 10, Etcds: 99}.Validate()
	if err == nil {
		t.Fatal("an impossible spec passed")
	}
	for _, want := range []string{`"B"`, "10 control planes", "-1 workers", "10 load balancers", "99 etcds"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %q:\n%v", want, err)
		}
	}
	for _, spec := range []Spec{{Name: "b", Workers: 1, ExternalLB: true}} {
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), "external") {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	if err := (Spec{Name: "b"}).Validate(); err == nil {
		t.Error("a lab without hosts passed")
	}
	if err := (Spec{Name: "b", Workers: maxWorkers, ControlPlanes: maxControlPlanes, Etcds: maxEtcds, LoadBalancers: maxLoadBalancers}).Validate(); err != nil {
		t.Errorf("the largest lab: %v", err)
	}
}

func TestHostsKeepTheirPlaceWhenTheLabGrows(t *testing.T) {
	small := Spec{Name: "a", ControlPlanes: 1, Workers: 1}.hosts(7)
	want := []HostSpec{
		{Name: "cp-1", Address: netip.MustParseAddr("10.77.7.11"), MAC: "02:77:00:07:00:0b", Roles: []Role{ControlPlane, Etcd}},
		{Name: "worker-1", Address: netip.MustParseAddr("10.77.7.101"), MAC: "02:77:00:07:00:65", Roles: []Role{Worker}},
	}
	if diff := cmp.Diff(want, small, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	places := map[string]HostSpec{}
	for _, host := range (Spec{Name: "a", ControlPlanes: 3, Workers: 9, LoadBalancers: 2}).hosts(7) {
		places[host.Name] = host
	}
	for _, host := range small {
		if places[host.Name].Address != host.Address || places[host.Name].MAC != host.MAC {
			t.Errorf("%s moved from %v to %v", host.Name, host, places[host.Name])
		}
	}
}

func TestLargestLabHasDistinctHosts(t *testing.T) {
	spec := Spec{Name: "a", ControlPlanes: maxControlPlanes, Workers: maxWorkers, LoadBalancers: maxLoadBalancers, Etcds: maxEtcds, ExternalLB: true}
	net := subnet(255)
	addresses := map[netip.Addr]string{net.operator(): "operator", net.gateway(): "gateway", net.vip(): "vip"}
	for _, host := range spec.hosts(net) {
		if other, taken := addresses[host.Address]; taken {
			t.Errorf("%s has the address of %s", host.Name, other)
		}
		addresses[host.Address] = host.Name
		if !net.prefix().Contains(host.Address) {
			t.Errorf("%s is outside the lab's subnet: %s", host.Name, host.Address)
		}
		if len(host.Name) > 15 {
			t.Errorf("%s is too long for the name of its switch port", host.Name)
		}
		if host.hasRole(ControlPlane) && host.hasRole(Etcd) {
			t.Errorf("%s has etcd although there are hosts for it", host.Name)
		}
	}
	if len(net.uplinkName()) > 15 {
		t.Errorf("interface name %s is too long", net.uplinkName())
	}
}

func TestShrinks(t *testing.T) {
	old := Spec{ControlPlanes: 3, Workers: 3, LoadBalancers: 2, Etcds: 3}
	for _, test := range []struct {
		now  Spec
		want string
	}{
		{old, ""},
		{Spec{ControlPlanes: 5, Workers: 4, LoadBalancers: 2, Etcds: 3}, ""},
		{Spec{ControlPlanes: 1, Workers: 9, LoadBalancers: 2, Etcds: 3}, "control planes"},
		{Spec{ControlPlanes: 3, Workers: 2, LoadBalancers: 2, Etcds: 3}, "workers"},
		{Spec{ControlPlanes: 3, Workers: 3, LoadBalancers: 1, Etcds: 3}, "load balancers"},
		{Spec{ControlPlanes: 3, Workers: 3, LoadBalancers: 2}, "etcds"},
		{Spec{ControlPlanes: 3, Workers: 3, LoadBalancers: 2, Etcds: 3, ExternalLB: true}, ""},
		{Spec{ControlPlanes: 3, Workers: 3, LoadBalancers: 2, Etcds: 3, SharedLB: true}, ""},
	} {
		if got := test.now.shrinks(old); got != test.want {
			t.Errorf("%+v shrinks %q, want %q", test.now, got, test.want)
		}
	}
}

func TestFreeSubnet(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, test := range []struct {
		taken []netip.Prefix
		want  subnet
	}{
		{nil, 0},
		{[]netip.Prefix{prefix("10.77.0.0/24"), prefix("192.168.0.0/16")}, 1},
		{[]netip.Prefix{prefix("10.77.0.128/25"), prefix("10.77.1.5/32"), prefix("10.77.3.0/24")}, 2},
		{[]netip.Prefix{prefix("10.77.0.0/17")}, 128},
	} {
		if got, err := freeSubnet(test.taken); err != nil || got != test.want {
			t.Errorf("freeSubnet(%v) = %d, %v; want %d", test.taken, got, err, test.want)
		}
	}
	if got, err := freeSubnet([]netip.Prefix{prefix("10.0.0.0/8")}); err == nil {
		t.Errorf("freeSubnet found %d where a route covers everything", got)
	}
}
