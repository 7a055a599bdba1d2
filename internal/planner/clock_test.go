package planner_test

import (
	"testing"
	"time"

	"github.com/quorate/quorate/internal/pki"
)

// What is made for hosts is dated by their clocks, which judge it: an operator's
// that is ahead would make certificates that are not valid yet.
func TestCertificatesAreDatedByTheHosts(t *testing.T) {
	w := newWorld(t, parse(t, `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcd]}
`))
	w.bundle = smallBundle(t, w.release, "amd64")
	const behind = 3 * time.Minute
	start := time.Now()
	w.machine("cp-1").clock = -behind
	w.build()
	for _, path := range []string{"/etc/kubernetes/pki/ca.crt", "/etc/etcd/pki/ca.crt", "/etc/etcd/pki/server.crt"} {
		certs, err := pki.Parse(w.machine("cp-1").files[path].content)
		if err != nil {
			t.Fatal(path, err)
		}
		// By the operator's clock it would be valid for three minutes longer.
		if latest := start.Add(-behind + time.Since(start)); certs[0].NotBefore.After(latest.Add(-4 * time.Minute)) {
			t.Errorf("%s is valid from %s on, which is not five minutes before %s", path, certs[0].NotBefore, latest)
		}
	}
}
