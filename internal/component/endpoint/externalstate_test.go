package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// externalCluster is a cluster of so many control-plane hosts and workers
// behind the balancer 10.0.0.100.
func externalCluster(controlPlanes, workers int) *cluster.Cluster {
	c := &cluster.Cluster{Name: "prod", Kubernetes: cluster.Kubernetes{APIServerPort: 6443}, Endpoint: cluster.Endpoint{
		Domain: "api.example", Port: 6443,
		LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerExternal, VIP: netip.MustParseAddr("10.0.0.100")},
	}}
	add := func(prefix string, i, last int, role cluster.Role) {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(last)})
		c.Hosts = append(c.Hosts, cluster.Host{Name: fmt.Sprintf("%s-%d", prefix, i), Address: a.String(), InternalAddress: a, Roles: []cluster.Role{role}})
	}
	for i := range controlPlanes {
		add("cp", i+1, 11+i, cluster.RoleControlPlane)
	}
	for i := range workers {
		add("worker", i+1, 21+i, cluster.RoleWorker)
	}
	return c
}

func TestBalancerQueries(t *testing.T) {
	for _, tt := range []struct {
		controlPlanes, workers int
		host                   string
		want                   int
	}{
		{3, 1, "worker-1", 36},
		{3, 1, "cp-1", 0},
		{3, 20, "worker-7", 6},
		{3, 0, "cp-2", 12},
		{1, 2, "worker-1", 6},
	} {
		c := externalCluster(tt.controlPlanes, tt.workers)
		got := BalancerQueries(c, c.Host(tt.host))
		if len(got) != tt.want {
			t.Errorf("%s of %d+%d asks %d times, want %d", tt.host, tt.controlPlanes, tt.workers, len(got), tt.want)
		}
		if len(got) > 0 && (got[0].URL != "https://10.0.0.100:6443/readyz" || got[0].ServerName != "api.example" || got[0].CAFile == "" || !got[0].Hold) {
			t.Errorf("it asks %+v", got[0])
		}
	}
	local := externalCluster(1, 1)
	local.Endpoint.LoadBalancer.Mode = cluster.BalancerLocalhost
	if got := BalancerQueries(local, local.Host("worker-1")); got != nil {
		t.Errorf("in mode localhost it asks %v", got)
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// seen are answers by the API servers with these certificates.
func seen(certificates ...string) []protocol.HTTPReply {
	var out []protocol.HTTPReply
	for _, text := range certificates {
		out = append(out, protocol.HTTPReply{Status: 200, PeerSHA256: digestOf(text)})
	}
	return out
}

func TestWhatIsSeenThroughTheBalancer(t *testing.T) {
	backend := func(name string, up bool) state.Backend {
		return state.Backend{Name: name, Address: "10.0.0." + map[string]string{"cp-1": "11", "cp-2": "12"}[name], Up: up}
	}
	failed := protocol.HTTPReply{Error: "i/o timeout"}
	for _, tt := range []struct {
		name       string
		first      []protocol.HTTPReply // of worker-1
		second     []protocol.HTTPReply // of worker-2
		unobserved string
		want       *state.Proxy // of worker-1
	}{
		{"both", seen("cp-1", "cp-2", "cp-1"), seen("cp-2"), "", &state.Proxy{Backends: []state.Backend{backend("cp-1", true), backend("cp-2", true)}}},
		{"one by each", seen("cp-1"), seen("cp-2"), "", &state.Proxy{Backends: []state.Backend{backend("cp-1", true), backend("cp-2", true)}}},
		{"one by none", seen("cp-1"), seen("cp-1"), "", &state.Proxy{Backends: []state.Backend{backend("cp-1", true), backend("cp-2", false)}}},
		{"some fail", append(seen("cp-1"), failed), seen("cp-1"), "", &state.Proxy{Backends: []state.Backend{backend("cp-1", true), backend("cp-2", false)}}},
		{"all fail", []protocol.HTTPReply{failed}, seen("cp-1"), "", &state.Proxy{Error: "i/o timeout"}},
		{"not ready", []protocol.HTTPReply{{Status: 500, PeerSHA256: digestOf("cp-1")}}, nil, "", &state.Proxy{Error: "it answers 500"}},
		{"a host that only the balancer reaches", seen("cp-1", "cp-2"), nil, "cp-2", &state.Proxy{Backends: []state.Backend{backend("cp-1", true), backend("cp-2", true)}}},
		{"somebody else's", seen("cp-1", "cp-2", "old"), nil, "", &state.Proxy{Backends: []state.Backend{
			backend("cp-1", true), backend("cp-2", true), {Up: true, Detail: "its certificate is on no control-plane host's disk"},
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := externalCluster(2, 2)
			snap := &state.Snapshot{Hosts: map[string]*state.Host{
				"worker-1": {Proxy: BalancerState(tt.first)}, "worker-2": {Proxy: BalancerState(tt.second)},
			}}
			for _, name := range []string{"cp-1", "cp-2"} {
				snap.Hosts[name] = &state.Host{Error: "no route to host"}
				if name != tt.unobserved {
					snap.Hosts[name].Facts = &protocol.Facts{Files: map[string]protocol.File{
						apiServerCertificate: {Exists: true, Certificates: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(name)}))},
					}}
				}
			}
			NameBackends(c, snap)
			if d := cmp.Diff(tt.want, snap.Hosts["worker-1"].Proxy); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}
