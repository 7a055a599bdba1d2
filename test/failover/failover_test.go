package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/test/gap"
	"github.com/quorate/quorate/test/hosts"
)

// TestPublishedFiles lets HAProxy say that what is in place of the guide's <…>
// makes a configuration.
func TestPublishedFiles(t *testing.T) {
	c := &cluster.Cluster{Endpoint: cluster.Endpoint{Port: 6443, LoadBalancer: cluster.LoadBalancer{Mode: cluster.BalancerManaged, VIP: netip.MustParseAddr("192.0.2.50")}}}
	for name, role := range map[string]cluster.Role{
		"cp-1": cluster.RoleControlPlane, "cp-2": cluster.RoleControlPlane, "cp-3": cluster.RoleControlPlane,
		"lb-1": cluster.RoleLoadBalancer, "lb-2": cluster.RoleLoadBalancer,
	} {
		address := netip.AddrFrom4([4]byte{192, 0, 2, name[len(name)-1] - '0' + 10*byte(len(role)%7)})
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, InternalAddress: address, Roles: []cluster.Role{role}})
	}
	files := publishedFiles(c, c.Host("lb-2"))
	for path, text := range files {
		if at := strings.Index(text, "<"); at >= 0 {
			// The first line of haproxy.cfg speaks of them.
			if rest := text[strings.Index(text, "\n"):]; strings.Contains(rest, "<") {
				t.Errorf("%s is not filled in:\n%s", path, text)
			}
		}
	}
	if vip := files["/etc/keepalived/keepalived.conf"]; !strings.Contains(vip, c.Host("lb-1").InternalAddress.String()) || !strings.Contains(vip, "192.0.2.50") {
		t.Errorf("keepalived does not know its peer or its address:\n%s", vip)
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy = "/usr/sbin/haproxy"
	}
	if _, err := os.Stat(haproxy); err != nil {
		t.Skip("no HAProxy here; make prepare installs it")
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(files["/etc/haproxy/haproxy.cfg"]), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(haproxy, "-c", "-f", path).CombinedOutput(); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, out)
	}
}

func TestChoose(t *testing.T) {
	some, err := choose(allEvents(), "lb-off, cp-off")
	if err != nil || len(some) != 2 || some[0].name != "lb-off" || some[1].name != "cp-off" {
		t.Errorf("%v, %v", names(some), err)
	}
	if _, err := choose(allSides(), "theirs"); err == nil || !strings.Contains(err.Error(), "published, quorate") {
		t.Errorf("an unknown side: %v", err)
	}
}

func TestReport(t *testing.T) {
	e := event{name: "e", what: "something ends", goal: "gap ≤ 1 s"}
	o := options{events: []event{e, {name: "other"}}, sides: allSides(), load: gap.Load{Timeout: gap.Timeout, Sessions: 8}}
	of := func(s side, gaps ...time.Duration) (out []result) {
		for _, length := range gaps {
			out = append(out, result{side: s.name, event: e, Result: gap.Result{
				New:      probe.Stats{Gap: probe.Gap{Length: length}, Asked: 9, Succeeded: 7},
				Failures: []probe.Sample{{Begun: true}, {}},
			}})
		}
		return out
	}
	never := of(published, 30*time.Second)
	never[0].event, never[0].unwell, never[0].New.Disturbed.Length = event{name: "other"}, time.Minute, time.Minute
	if text := report(o, hosts.Machine{}, never); !strings.Contains(text, "> 60.00 ") {
		t.Errorf("what was not over reads as if it were:\n%s", text)
	}
	text := report(o, hosts.Machine{}, append(of(ours, 300*time.Millisecond), of(published, 5*time.Second, 3*time.Second, 4*time.Second)...))
	for _, want := range []string{"published  3     3.00 / 4.00 / 5.00  2 / 2 / 2  1 / 1 / 1 ", "quorate    1     0.30                2          1 "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "other") {
		t.Errorf("an event that was not done is in\n%s", text)
	}
}
