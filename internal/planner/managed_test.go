package planner_test

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/planner"
)

const balanced = `
apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  endpoint: {loadBalancer: {mode: managed, vip: 10.0.0.100}}
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcd]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
  - {name: lb-1, address: 10.0.0.8, roles: [load-balancer]}
  - {name: lb-2, address: 10.0.0.9, roles: [load-balancer]}
`

// A machine that is none of the cluster's answers at the address: nobody takes
// it away from it, and no worker joins through it.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, balanced))
	w.bundle = smallBundle(t, w.release, "amd64")
	stranger := "IP address HW type Flags HW address Mask Device\n10.0.0.100 0x1 0x2 0a:bc:de:00:00:01 * eth0\n"
	for _, name := range []string{"lb-1", "lb-2"} {
		w.machine(name).write("/proc/net/arp", stranger, 0o444)
	}
	p, refusals, err := planner.Apply(w.input())
	if err != nil || refusals.HasErrors() {
		t.Fatal(err, refusals)
	}
	told := 0
	for _, step := range w.apply(p).Steps {
		if strings.Contains(step.Error, "loadBalancer.vip 10.0.0.100 is in use already, by the machine with MAC address 0a:bc:de:00:00:01") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("%d of 2 load balancers tell of the stranger", told)
	}
	for _, name := range []string{"lb-1", "lb-2"} {
		if w.machine(name).units["quorate-keepalived.service"].Running() {
			t.Errorf("%s carries the address", name)
		}
	}
	if w.machine("node-1").has("/etc/kubernetes/kubelet.conf") {
		t.Error("node-1 has joined through a stranger")
	}

	// It goes away; the same command again finishes the build.
	for _, name := range []string{"lb-1", "lb-2"} {
		w.machine(name).write("/proc/net/arp", "IP address HW type Flags HW address Mask Device\n", 0o444)
	}
	w.build()
}
