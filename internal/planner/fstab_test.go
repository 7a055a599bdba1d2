package planner_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// The file of mounts may hold a network file system's password: no plan shows it,
// and who may read it stays as it was.
func TestFstabKeepsItsSecrets(t *testing.T) {
	w := newWorld(t, parse(t, `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcd]}
`))
	w.bundle = smallBundle(t, w.release, "amd64")
	const mount, swap = "//nas/data /data cifs user=u,password=hunter2 0 0\n", "UUID=1 none swap sw 0 0\n"
	w.machine("cp-1").write("/etc/fstab", mount+swap, 0o600)
	p := w.plan()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "+# off for the kubelet (quorate): UUID=1") {
		t.Errorf("the plan shows a password, or not what it changes: %s", text)
	}
	if result := w.apply(p); !result.OK() {
		t.Fatalf("%+v", result)
	}
	if f := w.machine("cp-1").files["/etc/fstab"]; f.mode != 0o600 || !strings.HasPrefix(string(f.content), mount+"#") {
		t.Errorf("mode %o, %s", f.mode, f.content)
	}
}
