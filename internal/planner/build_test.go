package planner_test

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config"
)

// parse reads a cluster file.
func parse(t testing.TB, text string) *cluster.Cluster {
	t.Helper()
	c, list := config.Parse("cluster.yaml", []byte(text), config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()})
	if c == nil {
		t.Fatal(list.Err())
	}
	return c
}

const threeAndThree = `
apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcd]}
  - {name: cp-2, address: 10.0.0.2, roles: [control-plane, etcd]}
  - {name: cp-3, address: 10.0.0.3, roles: [control-plane, etcd]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
  - {name: node-2, address: 10.0.0.5, roles: [worker]}
  - {name: node-3, address: 10.0.0.6, roles: [worker]}
`

func TestBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, threeAndThree))
	w.bundle = smallBundle(t, w.release, "amd64")
	w.build()
	for _, path := range w.api.Paths() {
		if strings.Contains(path, "bootstrap-token") {
			t.Errorf("a join token is left at %s", path)
		}
	}
	for _, m := range w.machines {
		for path := range m.files {
			if strings.HasPrefix(path, "/etc/quorate/join") || strings.HasPrefix(path, "/etc/quorate/owed") {
				t.Errorf("%s still has %s", m.name, path)
			}
		}
	}
}
