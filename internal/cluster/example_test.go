package cluster

import (
	"net/netip"
	"slices"
	"testing"
)

func TestExampleAddresses(t *testing.T) {
	c := &Cluster{Hosts: []Host{
		{Name: "by-address", Address: "192.0.2.11", InternalAddress: netip.MustParseAddr("192.0.2.11")},
		{Name: "by-name", Address: "cp-2.example.com", InternalAddress: netip.MustParseAddr("192.0.2.12")},
		{Name: "mapped", Address: "::ffff:192.0.2.13"},
		{Name: "real", Address: "192.0.3.1", InternalAddress: netip.MustParseAddr("10.0.0.1")},
		{Name: "real-by-name", Address: "cp-3.example.com"},
	}}
	want := []string{"192.0.2.11", "192.0.2.12", "::ffff:192.0.2.13"}
	if got := c.ExampleAddresses(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.Endpoint.LoadBalancer.VIP = netip.MustParseAddr("192.0.2.10")
	if got := c.ExampleAddresses(); !slices.Equal(got, append(want, "192.0.2.10")) {
		t.Errorf("with a VIP: %v", got)
	}
}

func TestIsAge(t *testing.T) {
	for text, want := range map[string]bool{
		"":        false,
		"hunter2": false,
		AgeArmor:  true,
		"\n  " + AgeArmor + "\nYWdl\n-----END AGE ENCRYPTED FILE-----\n": true,
		AgeOneLine + "Ci0+": true,
		"x" + AgeOneLine:    false,
	} {
		if got := IsAge(text); got != want {
			t.Errorf("IsAge(%q) = %t, want %t", text, got, want)
		}
	}
}
