package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/planner"
)

// otherPort is a way of balancing on another port.
func otherPort(name string) string {
	return strings.Replace(endpoints()[name], "endpoint: {", "endpoint: {port: 7443, ", 1)
}

// repoint builds a cluster, and gives its endpoint another port.
func repoint(t *testing.T, name string, back bool) (w *world, before string) {
	t.Helper()
	before, after := endpoints()[name], otherPort(name)
	if back {
		before, after = after, before
	}
	w = newWorld(t, parse(t, before))
	w.bundle = smallBundle(t, w.release, "amd64")
	w.build()
	w.watching = true
	w.use(parse(t, after))
	return w, before
}

// repointed are the ways of balancing that can be given another port.
func repointed() []string { return []string{"haproxy", "nginx", "managed", "managed-on-all"} }

// Another port is an ordinary apply during which no node, and no client of the service
// kubernetes, is ever cut off, and leaves nothing behind.
func TestPort(t *testing.T) {
	for _, name := range repointed() {
		for _, back := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, back %v", name, back), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w, _ := repoint(t, name, back)
					w.build()
					w.proveSwitched()
				})
			})
		}
	}
}

// One that is cut off anywhere is finished by the next run, or undone by going back to
// the port of before.
func TestPortCutOff(t *testing.T) {
	for i, name := range repointed() {
		t.Run(name, func(t *testing.T) {
			changes, stride := 0, 25
			if testing.Short() {
				stride = 70
			}
			synctest.Test(t, func(t *testing.T) {
				w, _ := repoint(t, name, false)
				const many = 1 << 20
				w.budget = many
				w.apply(w.plan())
				changes = many - w.budget
			})
			for budget := 3 * i % stride; budget < changes; budget += stride {
				for _, back := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d of %d, back %v", budget, changes, back), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w, before := repoint(t, name, false)
							w.budget = budget
							w.apply(w.plan())
							w.budget = -1
							if back {
								w.use(parse(t, before))
							}
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
	for _, name := range repointed() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, before := repoint(t, name, false)
				w.blocked = "10.0.0.2:7443"
				for range 2 { // who tries again is told again
					result := w.apply(w.plan())
					said := ""
					for _, s := range result.Steps {
						if said += s.Error; s.Outcome == event.OutcomeChanged && !strings.HasPrefix(string(s.ID), "endpoint/relay") {
							t.Errorf("%s changed something", s.ID)
						}
					}
					if !strings.Contains(said, "cp-2 does not answer") || !strings.Contains(said, "firewall") {
						t.Errorf("it says %q", said)
					}
				}
				w.use(parse(t, before))
				w.build()
				w.proveSwitched()
			})
		})
	}
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
	for name, tt := range map[string]struct {
		from string
		edit func(w *world, file string) string
		want string
	}{
		"in mode external":         {"external", edit("", ""), "in mode external"},
		"in mode kube-vip":         {"kube-vip", edit("", ""), "in mode kube-vip"},
		"with another name":        {"haproxy", edit("port: 7443", "port: 7443, domain: api.example.com"), "together with its name"},
		"with another VIP":         {"managed", edit("10.0.0.100", "10.0.0.101"), "together with its name or address"},
		"with another proxy":       {"haproxy", edit("port: 7443, ", "port: 7443, loadBalancer: {type: nginx}"), "together with what balances on node-1"},
		"with a listener on it":    {"managed", edit("port: 7443", "port: 7443, listeners: [{name: web, port: 6443, targetPort: 80, hosts: [node-1]}]"), "port 6443 of listener web is the endpoint's until"},
		"taken on a control plane": {"haproxy", func(w *world, file string) string { w.machine("cp-1").listens(7443, "java"); return file }, "port 7443 of cp-1 is in use by java"},
		"taken on a worker":        {"nginx", func(w *world, file string) string { w.machine("node-1").listens(7443, ""); return file }, "port 7443 of node-1 is in use by a program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := repoint(t, tt.from, false)
				w.use(parse(t, tt.edit(w, otherPort(tt.from))))
				_, refusals, err := planner.Apply(w.input())
				if text := fmt.Sprint(refusals.Err(), err); !strings.Contains(text, tt.want) {
					t.Errorf("refused with %q, want %q", text, tt.want)
				}
			})
		})
	}
	// A third port has to wait until one change is done.
	synctest.Test(t, func(t *testing.T) {
		w, _ := repoint(t, "haproxy", false)
		w.budget = 20
		w.apply(w.plan())
		w.budget = -1
		w.use(parse(t, strings.Replace(otherPort("haproxy"), "7443", "8443", 1)))
		_, refusals, err := planner.Apply(w.input())
		if text := fmt.Sprint(refusals.Err(), err); !strings.Contains(text, "have the ports 6443 and 7443") {
			t.Errorf("refused with %q", text)
		}
	})
}
