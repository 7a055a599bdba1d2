package planner_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/kube/kubetest"
)

var (
	securePortIn = regexp.MustCompile(`--secure-port=([0-9]+)`)
	addressIn    = regexp.MustCompile(`(?m)^\s*(?:bind|listen|server [\w-]+|server) [0-9.]+:([0-9]+)`)
)

// apiPort is the port that the machine's API server listens on; empty where none runs.
func (m *machine) apiPort() string {
	p := m.pods["kube-apiserver"]
	if p == nil {
		return ""
	}
	f := securePortIn.FindStringSubmatch(p.manifest)
	if f == nil {
		return ""
	}
	return f[1]
}

// serves reports whether the machine's API server listens on a port.
func (m *machine) serves(port string) bool { return m.apiPort() == port }

// carriedTo reports whether settings carry to the machine's API server: on a port of the
// server after which they name it.
func (m *machine) carriedTo(settings, server string) bool {
	_, after, found := strings.Cut(settings, server+":")
	digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
	return found && m.serves(digits)
}

// serverOf is the server in the kubeconfig of a static pod.
func (m *machine) serverOf(pod string) string {
	return m.serverIn("/etc/kubernetes/" + strings.TrimPrefix(pod, "kube-") + ".conf")
}

// The objects of the service kubernetes.
const (
	servicePath   = "/api/v1/namespaces/default/services/kubernetes"
	endpointsPath = "/api/v1/namespaces/default/endpoints/kubernetes"
	slicePath     = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
)

// servicePort is the port on which the service kubernetes leads to API servers; empty as
// long as there is none.
func (w *world) servicePort() string {
	o := w.api.Get(slicePath)
	if o == nil {
		return ""
	}
	return fmt.Sprint(o["ports"].([]any)[0].(kubetest.Object)["port"])
}

// behindService are the machines to whose API servers the machine's kube-proxy leads
// the service kubernetes. That of a control-plane host hears of its own one a while after
// it was restarted.
func (m *machine) behindService() []*machine {
	var out []*machine
	for _, o := range m.world.machines {
		if o.unready() == "" && o.serves(m.world.servicePort()) && (o != m || m.unheard == 0) {
			out = append(out, o)
		}
	}
	if m.unready() == "" && m.unheard > 0 {
		m.unheard--
	}
	return out
}

// settleService lets the first API server that is ready make the service.
func (w *world) settleService() {
	if w.api.Has(servicePath) {
		return
	}
	for _, m := range w.machines {
		if m.unready() == "" {
			port, err := strconv.Atoi(m.apiPort())
			if err != nil {
				w.t.Error(err)
			}
			w.api.Put(servicePath, kubetest.Object{
				"apiVersion": "v1", "kind": "Service", "metadata": kubetest.Object{"name": "kubernetes"},
				"spec": kubetest.Object{"ports": []any{kubetest.Object{"name": "https", "port": int64(443), "targetPort": int64(port)}}},
			})
			w.lead(int64(port))
			return
		}
	}
}

// lead does what an API server does that ends: it leaves the service its own port.
func (w *world) lead(port int64) {
	ports := []any{kubetest.Object{"name": "https", "port": port}}
	addresses := []any{"10.0.0.1"}
	w.api.Put(endpointsPath, kubetest.Object{
		"apiVersion": "v1", "kind": "Endpoints", "metadata": kubetest.Object{"name": "kubernetes"},
		"subsets": []any{kubetest.Object{"addresses": addresses, "ports": ports}},
	})
	w.api.Put(slicePath, kubetest.Object{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": kubetest.Object{"name": "kubernetes"},
		"addressType": "IPv4", "ports": ports, "endpoints": []any{kubetest.Object{"addresses": addresses}},
	})
}

// provePort fails the test when something on a machine goes by another port than it should.
func (w *world) provePort(m *machine, h *cluster.Host) {
	w.t.Helper()
	port, api := strconv.Itoa(w.cluster.Endpoint.Port), strconv.Itoa(w.cluster.Kubernetes.APIServerPort)
	if is := w.servicePort(); is != api {
		w.t.Errorf("the service kubernetes leads to port %s", is)
	}
	if h.Has(cluster.RoleControlPlane) {
		if m.apiPort() != api {
			w.t.Errorf("the API server of %s listens on %s", m.name, m.apiPort())
		}
		for _, pod := range []string{"kube-controller-manager", "kube-scheduler"} {
			if is := m.pods[pod].server; !strings.HasSuffix(is, ":"+api) || is != m.serverOf(pod) {
				w.t.Errorf("the %s of %s goes to %s, its kubeconfig to %s", pod, m.name, is, m.serverOf(pod))
			}
		}
	}
	for unit, text := range map[string]string{haproxy: m.runs(haproxy), nginx: m.runs(nginx)} {
		for _, at := range addressIn.FindAllStringSubmatch(text, -1) {
			want := port
			if strings.HasPrefix(at[0], "server ") || strings.Contains(at[0], " server ") {
				want = api
			}
			if at[1] != want && at[1] != "6440" { // where keepalived asks HAProxy how it is
				w.t.Errorf("%s of %s has another port: %s", unit, m.name, at[0])
			}
		}
	}
}

// listens has a program of the machine's own listen on a port.
func (m *machine) listens(port int, process string) {
	m.base.Listening = append(m.base.Listening, protocol.Listener{Address: "0.0.0.0", Port: port, Process: process})
}

// watchBinds fails the test when what balances takes an address and port of the machine's
// API server, or shares its port at another address while that does not let it.
func (m *machine) watchBinds(text string) {
	p := m.pods["kube-apiserver"]
	if p == nil {
		return
	}
	api := ":" + m.apiPort()
	for _, word := range []string{"bind ", "listen "} {
		if strings.Contains(text, word+m.address+api+" ") || strings.Contains(text, word+"127.0.0.1"+api+" ") {
			m.world.t.Errorf("what balances on %s takes the port of its API server:\n%s", m.name, text)
		}
	}
	if strings.Contains(text, api+" transparent") && !strings.Contains(p.manifest, "--permit-port-sharing=true") {
		m.world.t.Errorf("what balances on %s cannot have the port of its API server, which does not share it:\n%s", m.name, text)
	}
}
