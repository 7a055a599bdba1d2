package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/planner"
)

// onPort is a way of balancing on a port; 6443 is that of the API servers.
func onPort(name string, port int) string {
	return strings.Replace(endpoints()[name], "endpoint: {", fmt.Sprintf("endpoint: {port: %d, ", port), 1)
}

// portWorld is a cluster of this way of balancing, built on a port.
func portWorld(t *testing.T, name string, port int) *world {
	t.Helper()
	w := newWorld(t, parse(t, onPort(name, port)))
	w.bundle = smallBundle(t, w.release, "amd64")
	w.build()
	w.watching = true
	return w
}

// repoint builds a cluster, and gives its endpoint another port.
func repoint(t *testing.T, name string, ports [2]int) *world {
	t.Helper()
	w := portWorld(t, name, ports[0])
	w.use(parse(t, onPort(name, ports[1])))
	return w
}

// repointed are the ways of balancing whose port can be another one than the API servers'.
func repointed() []string {
	return []string{"haproxy", "nginx", "managed", "managed-on-all", "external"}
}

// portChanges are changes of the endpoint's port: away from that of the API servers, back
// to it, and from one that is not theirs to another one.
func portChanges() [][2]int { return [][2]int{{6443, 7443}, {7443, 6443}, {7443, 8443}} }

// A cluster whose endpoint has another port than its API servers comes up, and all of it
// goes by the right one of the two: a port in front of 6443 used to move the API servers.
func TestPortsDiffer(t *testing.T) {
	for name, port := range map[string]int{"haproxy": 8443, "nginx": 8443, "managed": 8443, "managed-on-all": 8443, "external": 443} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := portWorld(t, name, port)
				w.proveSwitched()
				cp := w.machine("cp-1")
				server := fmt.Sprintf("lb.kubesphere.local:%d", port)
				if why := cp.well(server, cp.leads(server, cp.hostsFile())); why != "" {
					t.Errorf("the endpoint on cp-1: %s", why)
				}
				w.watching = false
				for _, unit := range []string{haproxy, nginx} {
					if u, ok := cp.units[unit]; ok {
						u.Active, u.Sub = "inactive", "dead"
						cp.units[unit] = u
					}
				}
				w.build()
				if why := cp.well(server, cp.leads(server, cp.hostsFile())); why != "" {
					t.Errorf("the endpoint on cp-1, after its proxy was stopped: %s", why)
				}
			})
		})
	}
}

// Another port of the endpoint is an ordinary apply that restarts no API server, during
// which no node is ever cut off (watchNodes), and that leaves nothing behind.
func TestPort(t *testing.T) {
	for _, name := range repointed() {
		for _, ports := range portChanges() {
			t.Run(fmt.Sprintf("%s, %d to %d", name, ports[0], ports[1]), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := repoint(t, name, ports)
					starts := map[string]int{}
					for _, m := range w.machines {
						starts[m.name] = m.starts["kube-apiserver"]
					}
					w.build()
					w.proveSwitched()
					for _, m := range w.machines {
						if m.starts["kube-apiserver"] != starts[m.name] {
							t.Errorf("the API server of %s was restarted", m.name)
						}
					}
				})
			})
		}
	}
}

// One that is cut off anywhere is finished by the next run, undone by going back to the
// port of before, or gone on from to a third one.
func TestPortCutOff(t *testing.T) {
	for i, name := range repointed() {
		ports := portChanges()[i%len(portChanges())]
		t.Run(name, func(t *testing.T) {
			changes, stride := 0, 55
			if testing.Short() {
				stride = 100
			}
			synctest.Test(t, func(t *testing.T) {
				w := repoint(t, name, ports)
				const many = 1 << 20
				w.budget = many
				w.apply(w.plan())
				changes = many - w.budget
			})
			for budget := 3 * i % stride; budget < changes; budget += stride {
				for then, port := range map[string]int{"on": ports[1], "back": ports[0], "to a third": 9443} {
					t.Run(fmt.Sprintf("%d of %d, %s", budget, changes, then), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w := repoint(t, name, ports)
							w.budget = budget
							w.apply(w.plan())
							w.budget = -1
							w.use(parse(t, onPort(name, port)))
							w.build()
							w.proveSwitched()
						})
					})
				}
			}
		})
	}
}

// A firewall that drops the new port is found before anything is told that port; going
// back leaves nothing of it.
func TestPortBehindAFirewall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := repoint(t, "managed", [2]int{6443, 7443})
		w.blocked = "10.0.0.100:7443"
		for range 2 { // who tries again is told again
			result := w.apply(w.plan())
			said := ""
			for _, s := range result.Steps {
				if said += s.Error; s.Outcome == event.OutcomeChanged && strings.HasPrefix(string(s.ID), "endpoint/node") {
					t.Errorf("%s changed something", s.ID)
				}
			}
			if !strings.Contains(said, "does not lead everywhere; no node was given it") || !strings.Contains(said, "node-1") {
				t.Errorf("it says %q", said)
			}
		}
		w.use(parse(t, onPort("managed", 6443)))
		w.build()
		w.proveSwitched()
	})
}

// What cannot be served on both ports is refused, by name.
func TestPortRefused(t *testing.T) {
	edit := func(old, new string) func(w *world, file string) string {
		return func(_ *world, file string) string {
			if !strings.Contains(file, old) {
				t.Fatalf("%q is not in the file", old)
			}
			return strings.Replace(file, old, new, 1)
		}
	}
	taken := func(host, process string) func(w *world, file string) string {
		return func(w *world, file string) string { w.machine(host).listens(7443, process); return file }
	}
	for name, tt := range map[string]struct {
		from string
		edit func(w *world, file string) string
		want string // empty where it is not refused
	}{
		"with another name":        {"haproxy", edit("port: 7443", "port: 7443, domain: api.example.com"), "together with its name"},
		"with another VIP":         {"managed", edit("10.0.0.100", "10.0.0.101"), "together with its name or address"},
		"with another proxy":       {"haproxy", edit("port: 7443, ", "port: 7443, loadBalancer: {type: nginx}"), "together with what balances on node-1"},
		"with a listener on it":    {"managed", edit("port: 7443", "port: 7443, listeners: [{name: web, port: 6443, targetPort: 80, hosts: [node-1]}]"), "port 6443 of listener web is the endpoint's until"},
		"taken on a control plane": {"haproxy", taken("cp-1", "java"), "port 7443 of cp-1 is in use by java"},
		"taken on a worker":        {"nginx", taken("node-1", ""), "port 7443 of node-1 is in use by a program"},
		"taken by your balancer":   {"external", taken("cp-1", "haproxy"), ""},
		"taken beside it":          {"external", taken("cp-1", "java"), "port 7443 of cp-1 is in use by java"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := portWorld(t, tt.from, 6443)
				w.use(parse(t, tt.edit(w, onPort(tt.from, 7443))))
				_, refusals, err := planner.Apply(w.input())
				text := fmt.Sprint(refusals.Err(), err)
				if !strings.Contains(text, tt.want) || tt.want == "" && len(refusals) > 0 {
					t.Errorf("refused with %q, want %q", text, tt.want)
				}
			})
		})
	}
	// The host would have nobody on the former port until kube-proxy is told the new one.
	synctest.Test(t, func(t *testing.T) {
		w := portWorld(t, "haproxy", 7443)
		w.use(parse(t, onPort("haproxy", 6443)+"  - {name: cp-3, address: 10.0.0.3, roles: [control-plane]}\n"))
		_, refusals, err := planner.Apply(w.input())
		if text := fmt.Sprint(refusals.Err(), err); !strings.Contains(text, "control-plane host cp-3 cannot be added together with") {
			t.Errorf("refused with %q", text)
		}
	})
}

// The API servers of a cluster keep their port. One that was built when they had the
// endpoint's own is told so by name, with what to write; with that there is nothing to do.
func TestAPIServersKeepTheirPort(t *testing.T) {
	for _, name := range repointed() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				told := strings.Replace(onPort(name, 7443), "spec:\n", "spec:\n  kubernetes: {apiServer: {port: 7443}}\n", 1)
				w := newWorld(t, parse(t, told))
				w.bundle = smallBundle(t, w.release, "amd64")
				w.build()
				w.use(parse(t, onPort(name, 7443)))
				in := w.input()
				if in.Snapshot.API == nil {
					t.Error("its API is not read")
				}
				_, refusals, err := planner.Apply(in)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range refusals {
					if !strings.Contains(r.Summary, "listens on port 7443, and cannot be moved to 6443") || !strings.Contains(r.Hint, "set kubernetes.apiServer.port: 7443") {
						t.Errorf("refused with %q, hint %q", r.Summary, r.Hint)
					}
				}
				if len(refusals) == 0 {
					t.Error("it is not refused")
				}
				w.use(parse(t, told))
				w.provenEmpty()
			})
		})
	}
}
