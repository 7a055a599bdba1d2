package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/internal/cluster"
)

// switchHosts are hosts that can be balanced in every mode. What roles the load
// balancers have differs.
const switchHosts = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  endpoint: {ENDPOINT}
  hosts:
  - {name: cp-1, address: 10.0.0.1, roles: [control-plane, etcdCP]}
  - {name: cp-2, address: 10.0.0.2, roles: [control-planeCP]}
  - {name: node-1, address: 10.0.0.4, roles: [worker]}
  - {name: node-2, address: 10.0.0.5, roles: [workerNODE]}
  - {name: lb-1, address: 10.0.0.8, roles: [load-balancer]}
  - {name: lb-2, address: 10.0.0.9, roles: [load-balancer]}
`

// endpoints are the ways of balancing, by name: what the file says, and which
// hosts beside lb-1 and lb-2 are load balancers.
func endpoints() map[string]string {
	of := func(endpoint, cp, node string) string {
		return strings.NewReplacer("ENDPOINT", endpoint, "CP]", cp+"]", "NODE]", node+"]").Replace(switchHosts)
	}
	const also = ", load-balancer"
	return map[string]string{
		"haproxy":                of("", "", ""),
		"nginx":                  of("loadBalancer: {mode: localhost, type: nginx}", "", ""),
		"managed":                of("loadBalancer: {mode: managed, vip: 10.0.0.100}", "", ""),
		"managed-on-all":         of("loadBalancer: {mode: managed, vip: 10.0.0.100}", also, also),
		"another-vip":            of("loadBalancer: {mode: managed, vip: 10.0.0.101}", "", ""),
		"another-vip-on-all":     of("loadBalancer: {mode: managed, vip: 10.0.0.101}", also, also),
		"another-name-other-vip": of("domain: api.example.com, loadBalancer: {mode: managed, vip: 10.0.0.101}", also, ""),
		"external":               of("loadBalancer: {mode: external, address: 10.0.0.110}", "", ""),
		"another-external":       of("loadBalancer: {mode: external, address: 10.0.0.111}", "", ""),
		"external-by-name":       of("loadBalancer: {mode: external, address: balancer.example}, domain: lb.kubesphere.local", "", ""),
		"kube-vip":               of("loadBalancer: {mode: kube-vip, vip: 10.0.0.120, kubeVIP: {image: example.com/kube-vip}}", "", ""),
		"another-name":           of("domain: api.example.com", "", ""),
		"another-name-and-vip":   of("domain: api.example.com, loadBalancer: {mode: managed, vip: 10.0.0.100}", also, ""),
		"another-name-kube-vip":  of("domain: api.example.com, loadBalancer: {mode: kube-vip, vip: 10.0.0.120, kubeVIP: {image: example.com/kube-vip}}", "", ""),
		"external-another-name":  of("domain: balancer.example, loadBalancer: {mode: external, address: balancer.example}", "", ""),
	}
}

// switches are changes of the way of balancing.
func switches() [][2]string {
	pairs := [][2]string{
		{"haproxy", "managed"}, {"haproxy", "managed-on-all"}, {"haproxy", "external"}, {"haproxy", "external-by-name"}, {"haproxy", "kube-vip"},
		{"nginx", "managed-on-all"}, {"managed", "external"}, {"managed-on-all", "kube-vip"}, {"external", "another-external"}, {"external", "kube-vip"},
		{"haproxy", "another-name"}, {"managed-on-all", "another-name"}, {"haproxy", "another-name-and-vip"}, {"external", "external-another-name"},
		{"managed", "another-name-kube-vip"},
		{"managed", "another-vip"}, {"managed-on-all", "another-vip-on-all"}, {"managed", "another-vip-on-all"}, {"managed-on-all", "another-vip"},
		{"another-name-and-vip", "another-vip"}, {"managed-on-all", "another-name-other-vip"}, {"managed", "managed-on-all"},
	}
	for _, p := range slices.Clone(pairs) {
		pairs = append(pairs, [2]string{p[1], p[0]})
	}
	return pairs
}

// switched builds a cluster one way, and gives it another file.
func switched(t *testing.T, from, to string) *world {
	t.Helper()
	w := newWorld(t, parse(t, endpoints()[from]))
	w.dns["balancer.example"] = "10.0.0.110"
	w.dns["lb.kubesphere.local"] = "10.0.0.110" // where no hosts file says otherwise
	w.external["10.0.0.110"] = true
	w.bundle = smallBundle(t, w.release, "amd64")
	w.build()
	w.watching = true
	w.use(parse(t, endpoints()[to]))
	return w
}

// Every change of who balances, or of the endpoint's name, is an ordinary apply
// during which no node is ever cut off (watchNodes), and leaves nothing behind.
func TestSwitch(t *testing.T) {
	for _, pair := range switches() {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := switched(t, pair[0], pair[1])
				w.build()
				w.proveSwitched()
			})
		})
	}
}

// interrupted are the switches that are cut off: each kind of end and of beginning.
func interrupted() [][2]string {
	return [][2]string{
		{"haproxy", "managed-on-all"}, {"managed-on-all", "haproxy"}, {"nginx", "external"}, {"external", "managed"},
		{"managed-on-all", "kube-vip"}, {"kube-vip", "external-by-name"}, {"managed-on-all", "another-name"}, {"haproxy", "another-name-and-vip"},
		{"managed", "another-vip"}, {"managed-on-all", "another-vip"}, {"managed", "another-name-other-vip"},
	}
}

// One that is cut off anywhere is finished by the next run, or undone by going
// back to the file of before.
func TestSwitchCutOff(t *testing.T) {
	for i, pair := range interrupted() {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			changes, stride := changesOf(t, pair), 35
			if testing.Short() {
				stride = 70
			}
			for budget := 3 * i % stride; budget < changes; budget += stride {
				for _, back := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d, back %v", budget, back), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w := switched(t, pair[0], pair[1])
							w.budget = budget
							w.apply(w.plan())
							w.budget = -1
							if back {
								w.use(parse(t, endpoints()[pair[0]]))
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

// A change to another address that is cut off goes on to a third one: the load
// balancers carry all that some node may go by.
func TestThirdAddress(t *testing.T) {
	pair := [2]string{"managed", "another-vip"}
	third := strings.ReplaceAll(endpoints()["another-vip"], "10.0.0.101", "10.0.0.99")
	for budget, changes := 7, changesOf(t, pair); budget < changes; budget += 20 {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := switched(t, pair[0], pair[1])
				w.budget = budget
				w.apply(w.plan())
				w.budget = -1
				w.use(parse(t, third))
				w.build()
				w.proveSwitched()
			})
		})
	}
}

// changesOf counts the changes of a switch.
func changesOf(t *testing.T, pair [2]string) (n int) {
	synctest.Test(t, func(t *testing.T) {
		w := switched(t, pair[0], pair[1])
		const many = 1 << 20
		w.budget = many
		w.apply(w.plan())
		n = many - w.budget
	})
	if n < 5 {
		t.Fatalf("%d changes", n)
	}
	return n
}

// proveSwitched fails the test when something is left of another way of balancing
// than the file's, or when a node does not use that.
func (w *world) proveSwitched() {
	w.t.Helper()
	c := w.cluster
	mode := c.Endpoint.LoadBalancer.Mode
	for i := range c.Hosts {
		h := &c.Hosts[i]
		m := w.machine(h.Name)
		local := c.HasOwnProxy(h)
		carrier := mode == cluster.BalancerManaged && h.Has(cluster.RoleLoadBalancer)
		for path, wanted := range map[string]bool{
			"/etc/systemd/system/quorate-haproxy.service":    carrier || local && c.Endpoint.LoadBalancer.Type != "nginx",
			"/etc/quorate/haproxy/haproxy.cfg":               carrier || local && c.Endpoint.LoadBalancer.Type != "nginx",
			"/etc/systemd/system/quorate-nginx.service":      local && c.Endpoint.LoadBalancer.Type == "nginx",
			"/etc/quorate/nginx/nginx.conf":                  local && c.Endpoint.LoadBalancer.Type == "nginx",
			"/etc/systemd/system/quorate-keepalived.service": carrier,
			"/etc/quorate/keepalived/keepalived.conf":        carrier,
			"/etc/kubernetes/manifests/kube-vip.yaml":        mode == cluster.BalancerKubeVIP && h.Has(cluster.RoleControlPlane),
			"/etc/quorate/balancer-proved":                   mode == cluster.BalancerExternal && h.IsNode(),
		} {
			if m.has(path) != wanted {
				w.t.Errorf("%s is on %s: %v", path, h.Name, m.has(path))
			}
		}
		if carrier {
			var carried []string
			for _, vip := range vipIn.FindAllStringSubmatch(m.runs(keepalived), -1) {
				carried = append(carried, vip[1])
			}
			vip := c.Endpoint.LoadBalancer.VIP.String()
			if !slices.Equal(carried, []string{vip}) || strings.Count(m.runs(haproxy), " transparent") != 1 || !m.binds(fmt.Sprintf("%s:%d transparent", vip, c.Endpoint.Port)) {
				w.t.Errorf("%s carries %v, and is to carry %s alone", h.Name, carried, vip)
			}
		}
		w.provePort(m, h)
		if !h.IsNode() {
			continue
		}
		want := fmt.Sprintf("%s:%d", c.Endpoint.Domain, c.Endpoint.Port)
		for what, is := range map[string]string{"kubelet": m.agent.server, "kubelet.conf": m.kubeletServer(), "kube-proxy": m.clients["kube-proxy"].server, "flannel": m.clients["flanneld"].server} {
			if is != want {
				w.t.Errorf("the %s of %s goes to %s", what, h.Name, is)
			}
		}
		if h.Has(cluster.RoleControlPlane) {
			if got := m.serverIn("/etc/kubernetes/admin.conf"); got != want {
				w.t.Errorf("admin.conf of %s goes to %q, not %q", h.Name, got, want)
			}
		}
		if names := strings.Count(m.hostsFile(), "\n") - 3; names > 1 {
			w.t.Errorf("%s has names left from before:\n%s", h.Name, m.hostsFile())
		}
	}
}
