package planner_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/planner"
)

// layouts are cluster files of every kind.
func layouts() map[string]string {
	const head = "apiVersion: quorate.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod}\nspec:\n"
	return map[string]string{
		"external": threeAndThree,
		"stacked": head + `  etcd: {mode: stacked}
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane]}
  - {name: cp-2, address: 10.0.0.2, roles: [control-plane]}
  - {name: cp-3, address: 10.0.0.3, roles: [control-plane, worker]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
`,
		"dedicated": head + `  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane]}
  - {name: cp-2, address: 10.0.0.2, roles: [control-plane]}
  - {name: db-1, address: 10.0.0.11, roles: [etcd]}
  - {name: db-2, address: 10.0.0.12, roles: [etcd]}
  - {name: db-3, address: 10.0.0.13, roles: [etcd]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
`,
		"managed": head + `  endpoint: {loadBalancer: {mode: managed, vip: 10.0.0.100}}
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, load-balancer]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
  - {name: lb-1, address: 10.0.0.8, roles: [load-balancer]}
`,
		"single": head + `  hosts:
  - {name: one, address: 10.0.0.1, roles: [control-plane, worker]}
`,
	}
}

// A run that is cut off after any number of changes is finished by the next
// one, and nothing is left to do after that.
func TestCutOffAnywhere(t *testing.T) {
	for name, text := range layouts() {
		t.Run(name, func(t *testing.T) {
			c := parse(t, text)
			changes := 1 << 20 // counted by the run that is not cut off
			step := 15
			if testing.Short() {
				step = 41
			}
			{
				w := newWorld(t, c)
				w.bundle = smallBundle(t, w.release, "amd64")
				w.budget = changes
				w.build()
				changes -= w.budget
			}
			for budget := 1; budget < changes; budget += step {
				t.Run(fmt.Sprint(budget), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, c)
					w.bundle = smallBundle(t, w.release, "amd64")
					w.budget = budget
					// How many there are varies a little with what meets what.
					if w.apply(w.plan()).OK() && budget < changes*9/10 {
						t.Fatalf("the run was not cut off after %d changes", budget)
					}
					w.budget = -1
					w.build()
				})
			}
		})
	}
}

// A power cut empties what a program wrote and did not sync: the run that was cut
// off by it, wherever, is finished by the next one, too.
func TestPowerCutBeforeASync(t *testing.T) {
	names := []string{"single", "stacked"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		for sync := 1; ; sync++ {
			w := newWorld(t, parse(t, layouts()[name]))
			w.bundle = smallBundle(t, w.release, "amd64")
			w.syncs = sync
			if w.apply(w.plan()).OK() {
				if sync < 5 {
					t.Errorf("%s was built with %d syncs", name, sync-1)
				}
				break
			}
			w.syncs, w.budget = 0, -1
			for _, m := range w.machines {
				for path := range maps.Clone(m.unsynced) {
					m.write(path, "", m.files[path].mode)
				}
			}
			if w.build(); t.Failed() {
				t.Fatalf("%s, cut in place of sync %d", name, sync)
			}
		}
	}
}

// What was synced is there after a power cut: a cluster that was built stands.
func TestPowerCutAfterwards(t *testing.T) {
	for name, text := range layouts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parse(t, text))
			w.bundle = smallBundle(t, w.release, "amd64")
			w.build()
			for _, m := range w.machines {
				for path := range m.unsynced {
					t.Errorf("%s of %s was never synced", path, m.name)
				}
			}
		})
	}
}

// So is a run that changes settings of what runs already.
func TestCutOffWhileReconfiguring(t *testing.T) {
	four := strings.Replace(threeAndThree, "  - {name: node-1,", "  - {name: cp-4, address: 10.0.0.9, roles: [control-plane]}\n  - {name: node-1,", 1)
	for budget := range 40 {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parse(t, threeAndThree))
			w.bundle = smallBundle(t, w.release, "amd64")
			w.build()
			w.use(parse(t, four))
			for name, path := range map[string]string{
				"node-1": "/etc/containerd/config.toml", "cp-2": "/etc/etcd/etcd.yaml", "node-3": "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
			} {
				m := w.machine(name)
				m.write(path, string(m.files[path].content)+"# by hand\n", 0o644)
			}
			w.budget = budget
			w.apply(w.plan())
			w.budget = -1
			w.build()
		})
	}
}

// A change that is cut off anywhere is undone by going back to the cluster file
// of before.
func TestBackAfterACutOffChange(t *testing.T) {
	changed := strings.Replace(threeAndThree, "spec:\n", `spec:
  kubernetes: {maxPods: 77, apiServer: {extraArgs: [v=7]}, kubeProxy: {configuration: {metricsBindAddress: "0.0.0.0:7777"}}}
  network: {flannel: {backend: host-gw}}
`, 1)
	for budget := 0; budget < 60; budget += 3 {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parse(t, threeAndThree))
			w.bundle = smallBundle(t, w.release, "amd64")
			w.build()
			w.use(parse(t, changed))
			w.budget = budget
			w.apply(w.plan())
			w.budget = -1
			w.use(parse(t, threeAndThree))
			w.build()
			for _, m := range w.machines {
				for name, p := range m.pods {
					if strings.Contains(p.manifest, "--v=7") {
						t.Errorf("%s of %s keeps what was changed", name, m.name)
					}
				}
			}
			if strings.Contains(w.kubeletConfig, "maxPods: 77") || strings.Contains(w.proxy.config, "7777") {
				t.Error("the cluster's settings keep what was changed")
			}
		})
	}
}

// So is a run that replaces programs that run.
func TestCutOffWhileReplacing(t *testing.T) {
	for budget := range 24 {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parse(t, threeAndThree))
			w.bundle = smallBundle(t, w.release, "amd64")
			w.build()
			w.bundle = smallBundle(t, w.release, "amd64", "containerd", "kubelet", "etcd")
			w.budget = budget
			w.apply(w.plan())
			w.budget = -1
			w.build()
		})
	}
}

// With everything as it must be, no bundle is needed to see that.
func TestBuiltNeedsNoBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, threeAndThree))
	w.bundle = smallBundle(t, w.release, "amd64")
	w.build()
	w.bundle = nil
	w.provenEmpty()
	digests := map[string]bool{}
	for range 5 {
		p, _, err := planner.Apply(w.input())
		if err != nil {
			t.Fatal(err)
		}
		digests[p.Digest()] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d different plans from the same cluster", len(digests))
	}
}
