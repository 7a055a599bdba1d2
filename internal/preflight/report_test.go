package preflight_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/state"
)

// Names are what users write on command lines and in scripts.
func TestNamesAreUniqueAndPlain(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	page, err := os.ReadFile("../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range preflight.Checks() {
		if !strings.Contains(string(page), "`"+c.Name+"`") {
			t.Errorf("docs/preflight.md has no word about %s", c.Name)
		}
		if !plain.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("the name %q is taken or not plain", c.Name)
		}
		seen[c.Name] = true
		if c.About == "" {
			t.Errorf("%s does not say what it looks at", c.Name)
		}
		if (c.Host == nil) == (c.Cluster == nil) {
			t.Errorf("%s must judge either hosts or the cluster", c.Name)
		}
	}
}

// A check that fails hides no other, and what is ignored is still told.
func TestIgnore(t *testing.T) {
	w := fit(t)
	w.facts("cp-1").CPUs = 1
	w.facts("cp-2").OS = protocol.OS{ID: "alpine", PrettyName: "Alpine 3.20"}
	w.barrier("node-1", state.BarrierSilence, "no route to host")
	r := preflight.Judge(w.Observation, []string{"cpu", "reachable"})
	want := []string{
		"warning reachable: node-1 cannot be reached: no route to host",
		"error os: cp-2 runs Alpine 3.20, which is not supported",
		"warning cpu: cp-1 has 1 CPU; a control-plane host needs 2",
	}
	if d := cmp.Diff(want, told(r)); d != "" {
		t.Errorf("what was found (-want +got):\n%s", d)
	}
	for _, c := range r.Checks {
		if ignored := slices.Contains([]string{"cpu", "reachable"}, c.Name); c.Ignored != ignored {
			t.Errorf("%s: Ignored is %v", c.Name, c.Ignored)
		}
	}
	if r.OK || r.Counts.Errors != 1 || r.Counts.Warnings != 2 {
		t.Errorf("OK %v, %+v", r.OK, r.Counts)
	}
	if !strings.HasSuffix(r.Summary(), "on 7 hosts: 40 ok, 2 warnings, 1 error, 1 skipped") {
		t.Errorf("summary %q", r.Summary())
	}
	if r = preflight.Judge(w.Observation, []string{"cpu", "reachable", "os"}); !r.OK {
		t.Error("not OK although every error is ignored")
	}
}

// What was not tried is skipped, neither well nor wrong.
func TestNothingTried(t *testing.T) {
	w := fit(t)
	w.Probes = nil
	r := preflight.Judge(w.Observation, nil)
	var skipped []string
	for _, c := range r.Checks {
		if c.Status == preflight.Skipped {
			skipped = append(skipped, c.Name)
		}
	}
	if d := cmp.Diff([]string{"etcd-fsync", "connectivity", "etcd-rtt", "vip"}, skipped); d != "" {
		t.Errorf("skipped (-want +got):\n%s", d)
	}
}

// Apply refuses what its checks find, host by host, and only that; what may be
// ignored becomes a warning, what is vital does not.
func TestRefusals(t *testing.T) {
	w := fit(t)
	w.facts("cp-2").CPUs, w.facts("cp-2").Listening = 1, []protocol.Listener{{Port: 2380, Process: "etcd"}}
	w.facts("cp-1").MemoryBytes = 1 << 30
	w.facts("cp-1").Swap = []string{"/dev/sda2"}
	w.facts("cp-3").Units["docker.service"] = protocol.Unit{Load: "loaded", Active: "active"}
	// What a host that has joined lives with does not keep it from being mended.
	w.facts("node-2").Units["docker.service"] = protocol.Unit{Load: "loaded", Active: "active"}
	w.facts("node-2").Files["/var/lib/kubelet/config.yaml"] = protocol.File{Exists: true}
	w.barrier("node-1", state.BarrierLogin, "the server does not let user root in")
	w.Probes = nil
	w.IgnorePreflight = []string{"cpu", "login"}
	got := preflight.Refusals(w.Observation)
	want := diag.List{
		{Severity: diag.SeverityError, Summary: "cp-1 has 1024 MB of memory; a control-plane host needs 1700 MB", Hint: "give the host more memory"},
		{Severity: diag.SeverityWarning, Summary: "cp-2 has 1 CPU; a control-plane host needs 2", Hint: "give the host more CPUs"},
		{Severity: diag.SeverityError, Summary: "port 2380 of cp-2 is in use by etcd", Hint: "stop what uses it, or choose another port"},
		{
			Severity: diag.SeverityError, Summary: "cp-3 runs Docker (docker.service)",
			Hint: "remove it with its containers, or use a host of its own: two runtimes fight over containerd, iptables and the network's settings",
		},
		{Severity: diag.SeverityError, Summary: "node-1: the server does not let user root in"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("refusals (-want +got):\n%s", d)
	}
}

// The routes of the roles, in the two shapes that differ.
func TestRoutes(t *testing.T) {
	w := fit(t)
	count := func() map[string]int {
		out := map[string]int{}
		for _, r := range preflight.Routes(w.Cluster) {
			if r.From == r.To {
				t.Errorf("%s to itself", r.From.Name)
			}
			role := func(name string) string { return name[:strings.IndexByte(name, '-')] }
			out[role(r.From.Name)+" to "+role(r.To.Name)+" "+r.What]++
		}
		return out
	}
	want := map[string]int{
		"cp to cp etcd's peers": 6, "cp to cp etcd's clients": 6, "cp to cp the API server": 6, "node to cp the API server": 6,
		"cp to cp the kubelet": 6, "cp to node the kubelet": 6,
		"cp to cp the pods' network": 6, "cp to node the pods' network": 6, "node to cp the pods' network": 6, "node to node the pods' network": 2,
	}
	if d := cmp.Diff(want, count()); d != "" {
		t.Errorf("routes with proxies (-want +got):\n%s", d)
	}
	w.managed()
	want["lb to cp the API server"], want["cp to lb the load balancer"], want["node to lb the load balancer"] = 6, 6, 4
	if d := cmp.Diff(want, count()); d != "" {
		t.Errorf("routes with load balancers (-want +got):\n%s", d)
	}
}
