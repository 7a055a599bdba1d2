package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/session"
)

// Where the cluster file says nothing, ~/.ssh/config says who logs in and at which port:
// another server's port would be dialled, and its key taken in.
func TestUserAndPortOfSSHConfig(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	write := func(path, content string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, ".ssh/config"), "Host 192.0.2.1\n  Port 2201\n  User op\nHost 192.0.2.3\n  Port 2203\n  User op\n")
	file := filepath.Join(home, "cluster.yaml")
	write(file, `apiVersion: quorate.dev/v1alpha1
kind: Cluster
spec:
  hosts:
  - {name: cp-1, address: 192.0.2.1, roles: [control-plane, etcd, worker]}
  - {name: cp-2, address: 192.0.2.2, roles: [worker]}
  - {name: cp-3, address: 192.0.2.3, roles: [worker], ssh: {user: alice, port: 22}}
`)
	read, list, err := (&clusterFiles{paths: []string{file}}).read(t.Context())
	if err != nil || read == nil {
		t.Fatal(err, list)
	}
	want := map[string]string{"cp-1": "op 2201", "cp-2": "root 22", "cp-3": "alice 22"}
	for _, h := range read.Cluster.Hosts {
		user, port, err := session.LoginOf(&h)
		if got := fmt.Sprint(user, " ", port); err != nil || got != want[h.Name] {
			t.Errorf("%s: %s, %v; want %s", h.Name, got, err, want[h.Name])
		}
	}
}
