package endpoint

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// What a load balancer carries is read from the settings that were written for it.
func TestVirtualsOn(t *testing.T) {
	for name, v := range managedVariants() {
		want := []virtual{{v.cluster.Endpoint.LoadBalancer.VIP, "eth7", routerID(&v.cluster.Endpoint.LoadBalancer)}}
		for _, a := range v.former {
			want = append(want, virtual{a, "eth7", routerIDOf(a)})
		}
		files := map[string]protocol.File{}
		for _, f := range filesOn(v, "eth7") {
			files[f.Path] = protocol.File{Content: string(f.Content)}
		}
		got := virtualsOn(&protocol.Facts{Files: files})
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if got := virtualsOn(&protocol.Facts{}); got != nil {
		t.Errorf("%v on a host without settings", got)
	}
}
