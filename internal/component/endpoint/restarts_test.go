package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"github.com/quorate/quorate/internal/state"
)

// An API server that was restarted is waited for until HAProxy has found it, also
// where HAProxy still thinks that it stops, and until the service kubernetes leads to it
// from its own host. A HAProxy that does not answer is not waited for.
func TestBackWaitsForHAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := []string{"NOLB", "DOWN", "DOWN 1/2", "UP"}
		asked := 0
		serving, fake := hosttest.New(t, "node-1")
		fake.Expect(protocol.OpFacts, func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(hosttest.Call) (any, error) {
			state := states[min(asked, len(states)-1)]
			asked++
			return protocol.Facts{LocalHTTP: []protocol.HTTPReply{{Status: 200, Body: fmt.Sprintf(
				"# pxname,svname,status,check_status\nkube-apiserver,cp-1,%s,L7OK\nkube-apiserver,cp-2,DOWN,L4CON\n", state)}}}, nil
		})
		silent, other := hosttest.New(t, "node-2")
		other.ExpectFacts(protocol.Facts{LocalHTTP: []protocol.HTTPReply{{Error: "no such file"}}})
		own := &pem.Block{Type: "CERTIFICATE", Bytes: []byte("of cp-1")}
		sum := sha256.Sum256(own.Bytes)
		digests := []string{"of cp-2", "of cp-2", hex.EncodeToString(sum[:])}
		led := 0
		beside, proxied := hosttest.New(t, "cp-1")
		proxied.Expect(protocol.OpFacts, func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(c hosttest.Call) (any, error) {
			if !strings.Contains(string(c.Args), "https://10.233.0.1:443/readyz") {
				t.Errorf("%s does not ask through the service", c.Args)
			}
			digest := digests[min(led, len(digests)-1)]
			led++
			return protocol.Facts{
				Files:     map[string]protocol.File{apiServerCertificate: {Exists: true, Certificates: string(pem.EncodeToMemory(own))}},
				LocalHTTP: []protocol.HTTPReply{{Error: "connection refused"}, {Status: 200, PeerSHA256: digest}},
			}, nil
		})
		rt := &component.Runtime{
			Cluster: &cluster.Cluster{Network: cluster.Network{ServiceCIDR: netip.MustParsePrefix("10.233.0.0/18")}, Hosts: []cluster.Host{
				{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}, {Name: "cp-2", Roles: []cluster.Role{cluster.RoleControlPlane}},
			}},
			Hosts: map[string]*host.Host{"node-1": serving, "node-2": silent, "cp-1": beside},
		}
		o := back{apiServer: "cp-1", haproxies: []string{"node-1", "node-2"}}
		if err := o.Verify(t.Context(), rt, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if asked != len(states) {
			t.Errorf("HAProxy was asked %d times, want %d", asked, len(states))
		}
		if led != len(digests) {
			t.Errorf("the service was asked %d times, want %d", led, len(digests))
		}
	})
}

// A wait that was given up after a minute was once told as done, and nothing more.
func TestBackTellsWhatItDidNotSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beside, proxied := hosttest.New(t, "cp-1")
		proxied.Expect(protocol.OpFacts, func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(hosttest.Call) (any, error) {
			return protocol.Facts{LocalHTTP: []protocol.HTTPReply{{Error: "connection refused"}}}, nil
		})
		var notes []string
		rt := &component.Runtime{
			Cluster: &cluster.Cluster{Network: cluster.Network{ServiceCIDR: netip.MustParsePrefix("10.233.0.0/18")}, Hosts: []cluster.Host{
				{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}},
			}},
			Hosts: map[string]*host.Host{"cp-1": beside},
			Notes: func(host, text string) { notes = append(notes, host+": "+text) },
		}
		if err := (back{apiServer: "cp-1"}).Verify(t.Context(), rt, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if len(notes) != 1 || !strings.Contains(notes[0], "cp-1: kube-proxy of cp-1 was not seen to send connections") {
			t.Errorf("notes %q", notes)
		}
	})
}

// A program that ends again and again is active for a moment each time. Whoever
// leaves the endpoint must not count on such a load balancer, and no restart of an
// API server waits a minute for a proxy that is not there.
func TestWhatEndsAgainAndAgainCarriesNothing(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	runs := protocol.Unit{Load: "loaded", Active: "active", ActiveSince: now.Add(-time.Hour).Unix()}
	ends := protocol.Unit{Load: "loaded", Active: "active", Restarts: 7, ActiveSince: now.Add(-3 * time.Second).Unix()}
	for _, test := range []struct {
		what string
		unit protocol.Unit
		want string
	}{
		{"they run", runs, "carry lb-1, HAProxy on cp-1, lb-1, lb-2, nginx on cp-1"},
		{"they end again and again", ends, "carry , HAProxy on lb-1, lb-2, nginx on "},
	} {
		c := managedCluster()
		in := component.Input{Cluster: c, Snapshot: &state.Snapshot{Hosts: map[string]*state.Host{}}}
		for _, h := range c.Hosts {
			in.Snapshot.Hosts[h.Name] = &state.Host{Facts: &protocol.Facts{Time: now, Units: map[string]protocol.Unit{}}}
		}
		in.Snapshot.Hosts["lb-1"].Facts.Units[keepalivedUnit] = test.unit
		in.Snapshot.Hosts["cp-1"].Facts.Units[haproxyUnit] = test.unit
		in.Snapshot.Hosts["cp-1"].Facts.Units[nginxUnit] = test.unit
		names := func(hosts []*cluster.Host) string {
			var out []string
			for _, h := range hosts {
				out = append(out, h.Name)
			}
			return strings.Join(out, ", ")
		}
		got := fmt.Sprintf("carry %s, HAProxy on %s, nginx on %s", names(runningBalancers(in)), strings.Join(haproxyHosts(in), ", "), names(nginxNodes(in)))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, got, test.want)
		}
	}
}
