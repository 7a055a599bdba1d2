package planner_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/kube/kubetest"
	"github.com/quorate/quorate/internal/pki"
)

// The programs that balance, and what of their settings the world reads.
const (
	haproxy    = "quorate-haproxy.service"
	nginx      = "quorate-nginx.service"
	keepalived = "quorate-keepalived.service"
	kubelet    = "kubelet.service"
)

var (
	authorityIn  = regexp.MustCompile(`(?m)^\s*certificate-authority-data: (\S+)$`)
	vipIn        = regexp.MustCompile(`virtual_ipaddress \{\s*([0-9.]+)/`)
	kubeVIPIn    = regexp.MustCompile(`name: address, value: "([0-9.]+)"`)
	verifyHostIn = regexp.MustCompile(`verifyhost (\S+)`)
)

// client is a program of a node that reaches the API under the endpoint's name. It
// knows what it read when it was started.
type client struct {
	server string // name and port
	hosts  string // the hosts file, of one that has a copy
	at     string // the address that it is connected to
}

// resolve is where a hosts file, and DNS, lead a name.
func (w *world) resolve(hosts, name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	for line := range strings.Lines(hosts) {
		if f := strings.Fields(line); len(f) > 1 && slices.Contains(f[1:], name) {
			return f[0]
		}
	}
	return w.dns[name]
}

// leads is where a server's name leads on a machine, by a hosts file.
func (m *machine) leads(server, hosts string) string {
	name, port, err := net.SplitHostPort(server)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(m.world.resolve(hosts, name), port)
}

func (m *machine) hostsFile() string { return string(m.files["/etc/hosts"].content) }

// runs is what a unit that is up has read; empty where it is not up.
func (m *machine) runs(unit string) string {
	if m.off || !m.units[unit].Running() {
		return ""
	}
	return m.read[unit]
}

// binds reports whether the machine's HAProxy listens at an address.
func (m *machine) binds(address string) bool {
	return strings.Contains(m.runs(haproxy), "bind "+address+" ")
}

// carrierOf is the machine that has a virtual address by keepalived; nil for none.
func (w *world) carrierOf(vip string) *machine {
	for _, m := range w.machines {
		if m.runs(haproxy) == "" {
			continue
		}
		for _, found := range vipIn.FindAllStringSubmatch(m.runs(keepalived), -1) {
			if found[1] == vip {
				return m
			}
		}
	}
	return nil
}

// behind are the machines whose API servers, ready ones, a connection of this
// machine to an address may come to; false where nobody listens there.
func (m *machine) behind(address string) (ready []*machine, listens bool) {
	w := m.world
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, false
	}
	if resolved := w.resolve(m.hostsFile(), host); resolved != "" {
		host = resolved
	}
	address = net.JoinHostPort(host, port)
	if address == w.blocked && host != m.address {
		return nil, false
	}
	if host == "127.0.0.1" {
		return m.behindOwn(address)
	}
	if w.external[host] {
		return w.carried(), len(w.carried()) > 0
	}
	if o := w.carrierOf(host); o != nil && o.binds(address+" transparent") {
		return o.backends(), true
	}
	for _, o := range w.machines {
		switch {
		case o.off:
		case o.address == host && o.unready() == "" && o.serves(port):
			return []*machine{o}, true
		case o.address == host && (o.binds(address) || o.nginxAt(address)):
			return o.behindOwn(address)
		case o.has(manifests+"kube-vip.yaml") && o.unready() == "":
			if f := kubeVIPIn.FindStringSubmatch(string(o.files[manifests+"kube-vip.yaml"].content)); f != nil && f[1] == host {
				return []*machine{o}, true
			}
		}
	}
	return nil, false
}

// nginxAt reports whether the machine's nginx listens at an address.
func (m *machine) nginxAt(address string) bool {
	return strings.Contains(m.runs(nginx), "listen "+address+" ")
}

// behindOwn are the machines whose API servers the machine's own proxies at an address
// carry to; false where none listens there.
func (m *machine) behindOwn(address string) (ready []*machine, listens bool) {
	if m.binds(address) {
		ready, listens = m.backends(), true
	}
	if m.nginxAt(address) {
		for _, o := range m.world.machines {
			if o.unready() == "" && o.carriedTo(m.runs(nginx), "server "+o.address) {
				ready = append(ready, o)
			}
		}
		listens = true
	}
	return ready, listens
}

// backends are the API servers that the machine's HAProxy finds ready, and whose
// certificates have the name that it asks for.
func (m *machine) backends() []*machine {
	text := m.runs(haproxy)
	var out []*machine
	for _, o := range m.world.machines {
		if o.unready() != "" || !o.carriedTo(text, "server "+o.name+" "+o.address) {
			continue
		}
		if f := verifyHostIn.FindStringSubmatch(text); f == nil || o.proves(f[1]) {
			out = append(out, o)
		}
	}
	return out
}

// proves reports whether the certificate that the machine's API server serves is
// for a name or an address.
func (m *machine) proves(name string) bool {
	if m.served == nil {
		return false
	}
	leaf := m.served.Leaf
	if a, err := netip.ParseAddr(name); err == nil {
		return len(pki.Covers(leaf, nil, []netip.Addr{a})) == 0
	}
	return len(pki.Covers(leaf, []string{name}, nil)) == 0
}

// settleCertificates lets API servers take in certificates that were replaced.
func (w *world) settleCertificates() {
	for _, m := range w.machines {
		certificate, key := m.files["/etc/kubernetes/pki/apiserver.crt"].content, m.files["/etc/kubernetes/pki/apiserver.key"].content
		files := string(certificate) + string(key)
		if m.servedFiles == files {
			continue
		}
		m.servedFiles = files
		pair, err := tls.X509KeyPair(certificate, key)
		if err == nil {
			m.served = &pair
		}
	}
}

// well is why a client of this machine does not get an answer from a server under
// its name; empty where it does.
func (m *machine) well(server, at string) string {
	name, _, _ := net.SplitHostPort(server)
	ready, listens := m.behind(at)
	switch {
	case !listens:
		return fmt.Sprintf("%s leads to %s, where nobody listens", server, at)
	case len(ready) == 0:
		return fmt.Sprintf("%s leads to %s, behind which no API server is", server, at)
	}
	for _, o := range ready {
		if !o.proves(name) {
			return fmt.Sprintf("%s leads to %s, whose certificate is not for it", server, o.name)
		}
	}
	return ""
}

// startClient starts a program that reaches the API under the endpoint's name.
func (m *machine) startClient(server, hosts string) *client {
	return &client{server: server, hosts: hosts, at: m.leads(server, hosts)}
}

// kubeletServer is what the kubelet is told to connect to.
func (m *machine) kubeletServer() string {
	return m.serverIn("/etc/kubernetes/kubelet.conf")
}

// serverIn is the server in a kubeconfig of the machine; empty where it names none. It
// is asked for at every step: a regular expression would take half of a test's time.
func (m *machine) serverIn(path string) string {
	_, after, _ := bytes.Cut(m.files[path].content, []byte("\n    server: https://"))
	server, _, _ := bytes.Cut(after, []byte("\n"))
	return string(server)
}

// podClient is a pod on a node's own network that reaches the API: of which
// settings it is, and the how-manieth of its node.
type podClient struct {
	client
	of    string
	count int
}

// workload is a DaemonSet of such pods: what they are told to connect to, and what
// changes where its pods must be others.
type workload struct{ namespace, daemonSet, process, server, of string }

// flannelHost and flannelPort are the server's name and port in flannel's DaemonSet.
var (
	flannelHost = regexp.MustCompile(`"name":"KUBERNETES_SERVICE_HOST","value":"([^"]+)"`)
	flannelPort = regexp.MustCompile(`"name":"KUBERNETES_SERVICE_PORT","value":"([0-9]+)"`)
)

func (w *world) workloads() []workload {
	var out []workload
	if w.addons["kube-proxy"] {
		out = append(out, workload{"kube-system", "kube-proxy", "kube-proxy", w.proxy.server, w.proxy.replacing})
	}
	if o := w.api.Get("/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds"); o != nil {
		text, err := json.Marshal(o["spec"])
		if err != nil {
			w.t.Error(err)
		}
		if host, port := flannelHost.FindSubmatch(text), flannelPort.FindSubmatch(text); host != nil && port != nil {
			server := net.JoinHostPort(string(host[1]), string(port[1]))
			out = append(out, workload{"kube-flannel", "kube-flannel-ds", "flanneld", server, server})
		}
	}
	return out
}

// settleClients lets pods start where there is a node without one. A DaemonSet
// makes another pod where one was deleted or is of settings before.
func (w *world) settleClients() {
	workloads := w.workloads()
	for _, m := range w.machines {
		if m.off || !m.units[kubelet].Running() || m.kubeletServer() == "" || !w.api.Has("/api/v1/nodes/"+m.name) {
			continue
		}
		for _, d := range workloads {
			name := d.daemonSet + "-" + m.name
			path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s", d.namespace, name)
			p := m.clients[d.process]
			if p != nil && p.of == d.of && w.api.Has(path) {
				continue
			}
			if p == nil {
				p = &podClient{}
			}
			m.clients[d.process] = &podClient{*m.startClient(d.server, m.hostsFile()), d.of, p.count + 1}
			w.api.Put(path, kubetest.Object{
				"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
					"name": name, "namespace": d.namespace, "uid": fmt.Sprintf("%s-%d", name, p.count+1),
					"ownerReferences": []any{kubetest.Object{"kind": "DaemonSet", "name": d.daemonSet}},
				},
				"spec":   kubetest.Object{"nodeName": m.name},
				"status": kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": "True"}}},
			})
		}
	}
}

// renew lets kubelets that reach the API renew their nodes' leases.
func (w *world) renew() {
	for _, m := range w.machines {
		if m.off || m.agent == nil || !m.units[kubelet].Running() || m.well(m.agent.server, m.agent.at) != "" {
			continue
		}
		w.api.Put("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+m.name, kubetest.Object{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": kubetest.Object{"name": m.name},
			"spec": kubetest.Object{"renewTime": w.moment()},
		})
	}
}

// connected are the connections of a machine's programs to a port of API servers.
func (m *machine) connected(port int) []protocol.Connection {
	var out []protocol.Connection
	programs := map[string]*client{"kubelet": m.agent}
	for process, p := range m.clients {
		programs[process] = &p.client
	}
	for process, c := range programs {
		if c == nil || m.well(c.server, c.at) != "" {
			continue
		}
		if host, p, _ := net.SplitHostPort(c.at); p == strconv.Itoa(port) {
			out = append(out, protocol.Connection{Address: host, Port: port, Process: process})
		}
	}
	return out
}

// watchNodes fails the test when a node is cut off, or would be if what runs on it
// connected anew or was started anew at this moment: nothing of a switch may show
// to those who use the cluster. It looks once the cluster was built.
func (w *world) watchNodes() {
	if !w.watching || w.told || !slices.ContainsFunc(w.machines, func(m *machine) bool { return m.unready() == "" }) {
		return
	}
	cut := func(m *machine, what, why string) {
		if why != "" {
			w.told = true // the first tells most
			w.t.Errorf("after %s: the %s of %s is cut off: %s", w.last, what, m.name, why)
		}
	}
	workloads, port := w.workloads(), w.servicePort()
	for _, m := range w.machines {
		if m.unready() == "" && port != "" && !m.serves(port) {
			cut(m, "API server", "the service kubernetes leads to its port "+port+", on which nobody listens")
		}
		if m.off || m.agent == nil {
			continue
		}
		if p := m.pods["kube-apiserver"]; p != nil && p.starting > 0 {
			continue // a control-plane host waits for its own API server
		}
		cut(m, "kubelet", m.well(m.agent.server, m.agent.at))
		cut(m, "kubelet, if it connected anew,", m.well(m.agent.server, m.leads(m.agent.server, m.hostsFile())))
		cut(m, "kubelet, if it was started anew,", m.well(m.kubeletServer(), m.leads(m.kubeletServer(), m.hostsFile())))
		for process, p := range m.clients {
			cut(m, process, m.well(p.server, p.at))
		}
		for _, d := range workloads {
			cut(m, d.process+", if it was started anew,", m.well(d.server, m.leads(d.server, m.hostsFile())))
		}
		for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
			if p := m.pods[name]; p != nil && p.starting == 0 {
				cut(m, name, m.well(p.server, m.leads(p.server, m.hostsFile())))
			}
		}
		for _, vip := range vipIn.FindAllStringSubmatch(m.runs(keepalived), -1) {
			for _, o := range m.backends() {
				if !o.proves(vip[1]) {
					cut(o, "API server", "its certificate is not for "+vip[1]+", which "+m.name+" carries")
				}
			}
		}
	}
}
