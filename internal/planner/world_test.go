package planner_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube/kubetest"
	"github.com/quorate/quorate/internal/observe"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
	"github.com/quorate/quorate/internal/state"
	"github.com/quorate/quorate/internal/status"
)

// world is a set of machines, the etcd cluster and the API that they form. The
// real observer, planner, engine and steps work on it: what is not real are
// the agent's operations and the programs that it runs.
type world struct {
	t       testing.TB
	cluster *cluster.Cluster
	release catalog.Release
	bundle  *bundle.Bundle

	mu        sync.Mutex
	machines  []*machine
	refused   chan net.Conn            // connections that nobody serves
	listeners map[string]chan net.Conn // of API servers, by address and port
	api       *kubetest.Server
	members   []member
	etcdUp    bool
	etcdRuns  map[string]bool // members that run, by peer URL
	db        int64           // size of etcd's database
	full      bool            // etcd's alarm NOSPACE is raised
	corrupt   string          // whom etcd's alarm CORRUPT names, by ID; "0" for nobody; empty: it is not raised
	balancer  balancer
	addons    map[string]bool
	uploads   int
	// kubeletConfig and proxy are what is stored in the API.
	kubeletConfig string
	renewals      int64 // of leases
	dns           map[string]string
	external      map[string]bool // addresses of the user's balancer
	tokens        map[string]bool // bootstrap tokens that have let a host join
	blocked       string          // an address and port that a firewall keeps from all but its own host
	// watching lets watchNodes look; last is what was done last, and told that it
	// found something.
	watching, told bool
	last           string
	proxy          proxy
	// budget is how many operations may still change something before the
	// operator's process is killed; negative means no end.
	budget int
	// later is how much time has passed on all clocks since the test began.
	later time.Duration
	// syncs is how often what a program wrote may still be synced, before the process
	// is killed in place of it; 0 means no end.
	syncs int
	kill  context.CancelFunc
	// over is closed when the test ends. Clients may dial in the background until
	// then, so no listener's channel is ever closed.
	over chan struct{}
	end  func() // closes it
}

// errCut is what every operation answers once the budget is used up.
var errCut = errors.New("the connection was cut")

func newWorld(t testing.TB, c *cluster.Cluster) *world {
	t.Helper()
	w := &world{t: t, listeners: map[string]chan net.Conn{}, api: kubetest.New(), addons: map[string]bool{}, db: 20480, dns: map[string]string{}, external: map[string]bool{}, tokens: map[string]bool{}, budget: -1, over: make(chan struct{})}
	w.end = sync.OnceFunc(func() { close(w.over) })
	t.Cleanup(w.end)
	w.api.Forbid(true) // until a kubeadm phase has given the administrator rights
	w.use(c)
	return w
}

// use makes c the cluster file of what comes; hosts that are new are bare.
func (w *world) use(c *cluster.Cluster) {
	w.t.Helper()
	release, err := catalog.Lookup(c.Kubernetes.Version)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cluster, w.release = c, release
	if lb := c.Endpoint.LoadBalancer; lb.Mode == cluster.BalancerExternal && lb.VIP.IsValid() {
		w.external[lb.VIP.String()] = true
	}
	for i := range c.Hosts {
		if w.machine(c.Hosts[i].Name) == nil {
			w.machines = append(w.machines, newMachine(w, c.Hosts[i].Name))
		}
		w.machine(c.Hosts[i].Name).address = c.Hosts[i].InternalAddress.String()
		if c.Hosts[i].Has(cluster.RoleControlPlane) {
			w.serveAPI(w.machine(c.Hosts[i].Name))
		}
	}
}

func (w *world) machine(name string) *machine {
	for _, m := range w.machines {
		if m.name == name {
			return m
		}
	}
	return nil
}

// interrupt counts an operation that changes something against the budget.
func (w *world) interrupt(m *machine, op string, _ []byte) error {
	if op == protocol.OpSync && w.syncs > 0 {
		if w.syncs--; w.syncs == 0 {
			w.budget = 0
		}
	}
	if w.budget < 0 || op == protocol.OpFacts || op == protocol.OpRead || op == protocol.OpExit {
		return nil
	}
	if w.budget == 0 {
		w.kill()
		return errCut
	}
	w.budget--
	return nil
}

// settle lets follow what a change leads to: members form, kubelets register,
// pods come up.
func (w *world) settle() {
	w.settlePods()
	w.settleCertificates()
	w.settleEtcd()
	ready := slices.ContainsFunc(w.machines, func(m *machine) bool { return m.unready() == "" })
	if !ready {
		return
	}
	w.settleLeases()
	w.settleService()
	nodes := 0
	for _, m := range w.machines {
		if m.heartbeat(); m.units["kubelet.service"].Running() && m.has("/etc/kubernetes/kubelet.conf") && !m.off {
			nodes++
		}
	}
	daemonSet := func(namespace, name string) {
		path := "/apis/apps/v1/namespaces/" + namespace + "/daemonsets/" + name
		object := w.api.Get(path)
		if object == nil {
			object = kubetest.Object{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": kubetest.Object{"name": name}}
		}
		object["status"] = kubetest.Object{"desiredNumberScheduled": nodes, "numberReady": nodes, "updatedNumberScheduled": nodes}
		w.api.Put(path, object)
	}
	if w.addons["kube-proxy"] {
		daemonSet("kube-system", "kube-proxy")
		w.settleProxy()
	}
	if w.addons["coredns"] {
		w.api.Put("/apis/apps/v1/namespaces/kube-system/deployments/coredns", kubetest.Object{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kubetest.Object{"name": "coredns"},
			"spec": kubetest.Object{"replicas": 2}, "status": kubetest.Object{"readyReplicas": 2, "updatedReplicas": 2},
		})
	}
	if w.api.Has("/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds") {
		daemonSet("kube-flannel", "kube-flannel-ds")
	}
	w.settleClients()
	w.renew()
	w.watchNodes()
}

// unready is why the machine's own API server does not answer; empty means
// that it is ready.
func (m *machine) unready() string {
	h := m.world.cluster.Host(m.name)
	switch {
	case m.off, h == nil, !m.podReady("kube-apiserver"):
		return "connection refused"
	case slices.Contains(m.world.cluster.EtcdHosts(), h) && m.etcdHealth() != "":
		return "[-]etcd failed"
	case !m.world.etcdUp:
		return "[-]etcd failed"
	}
	return ""
}

// ask answers the health questions that a host asks itself.
func (m *machine) ask(q protocol.HTTPQuery) protocol.HTTPReply {
	switch {
	case q.UnixSocket != "":
		if !m.units["quorate-haproxy.service"].Running() {
			return protocol.HTTPReply{Error: "no such file"}
		}
		return protocol.HTTPReply{Status: 200, Body: m.servers()}
	case strings.Contains(q.URL, ":2379/"):
		address, path, _ := strings.Cut(strings.TrimPrefix(q.URL, "https://"), ":2379")
		return m.askMember(address, path)
	case strings.HasSuffix(q.URL, ":10248/healthz"):
		if !m.units["kubelet.service"].Running() {
			return protocol.HTTPReply{Error: "connection refused"}
		}
		return protocol.HTTPReply{Status: 200, Body: "ok"}
	case strings.HasSuffix(q.URL, ":2381/health?exclude=NOSPACE&exclude=CORRUPT"):
		if why := m.etcdHealth(); why != "" {
			return protocol.HTTPReply{Error: why}
		}
		return protocol.HTTPReply{Status: 200, Body: `{"health":"true"}`}
	}
	if address, ok := strings.CutSuffix(strings.TrimPrefix(q.URL, "https://"), "/readyz"); ok {
		return m.askThrough(address) // of a balancer
	}
	if why := m.unready(); why != "" {
		return protocol.HTTPReply{Error: why}
	}
	if u, err := url.Parse(q.URL); err != nil || !m.serves(u.Port()) {
		return protocol.HTTPReply{Error: "connection refused"}
	}
	return protocol.HTTPReply{Status: 200, Body: "ok", PeerSHA256: m.leafDigest()}
}

// servers is what HAProxy tells of its servers. It finds an API server that was
// restarted a moment later than those who ask that itself.
func (m *machine) servers() string {
	text := "# pxname,svname,status\n"
	for _, o := range m.world.machines {
		if !strings.Contains(m.runs(haproxy), "server "+o.name+" "+o.address+":") {
			continue
		}
		state := "UP"
		if o.unready() != "" || m.notFound[o.name] > 0 {
			state = "DOWN"
		}
		if o.unready() == "" && m.notFound[o.name] > 0 {
			m.notFound[o.name]--
		}
		text += "kube-apiserver," + o.name + "," + state + "\n"
	}
	return text
}

// askThrough asks whichever API server is behind an address.
func (m *machine) askThrough(address string) protocol.HTTPReply {
	ready, _ := m.behind(address)
	if host, _, err := net.SplitHostPort(address); err == nil && host == m.world.cluster.ServiceIP().String() {
		ready = m.behindService()
	}
	if len(ready) == 0 {
		return protocol.HTTPReply{Error: "connection refused"}
	}
	m.world.balancer.turn++
	return protocol.HTTPReply{Status: 200, Body: "ok", PeerSHA256: ready[m.world.balancer.turn%len(ready)].leafDigest()}
}

// leafDigest is that of the certificate that the machine's API server serves.
func (m *machine) leafDigest() string {
	if m.served == nil {
		return ""
	}
	return digestOf(m.served.Certificate[0])
}

// listening is what takes a connection of this machine to an address; nil where
// nobody does.
func (m *machine) listening(address string) chan net.Conn {
	w := m.world
	if host, _, err := net.SplitHostPort(address); err == nil && w.external[w.resolve(m.hostsFile(), host)] {
		return w.carry()
	}
	ready, listens := m.behind(address)
	switch {
	case !listens:
		return nil
	case len(ready) == 0:
		return w.refusing()
	}
	w.balancer.turn++
	return w.listeners[ready[w.balancer.turn%len(ready)].name]
}

// pipes is a listener of connections that are handed to it.
type pipes struct {
	conns <-chan net.Conn
	over  <-chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serveAPI runs a machine's API server, with the certificate that it has.
func (w *world) serveAPI(m *machine) {
	if _, ok := w.listeners[m.name]; ok {
		return
	}
	conns := make(chan net.Conn)
	w.listeners[m.name] = conns
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.settle()
		full, clients := w.full || w.corrupt != "", r.TLS.PeerCertificates
		ended := len(clients) == 0 || time.Now().Add(w.later).After(clients[0].NotAfter)
		// The last of the same flags counts.
		pod := m.pods["kube-apiserver"]
		strange := pod != nil && strings.Contains(pod.manifest, "--client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt")
		w.mu.Unlock()
		if ended || strange {
			kubetest.RefuseStranger(rw)
			return
		}
		if full && r.Method != http.MethodGet {
			http.Error(rw, "etcdserver: mvcc: database space exceeded", http.StatusInternalServerError)
			return
		}
		w.api.ServeHTTP(rw, r)
	})
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	config := &tls.Config{ClientAuth: tls.RequestClientCert, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if m.served == nil {
			return nil, errors.New("it has no certificate")
		}
		return m.served, nil
	}}
	go func() { _ = server.Serve(tls.NewListener(pipes{conns, w.over}, config)) }()
	w.t.Cleanup(func() {
		w.end()
		server.Close()
	})
}

// hosts are connected handles; a host without power is not among them.
func (w *world) hosts() (hosts map[string]*host.Host, failed map[string]error) {
	hosts, failed = map[string]*host.Host{}, map[string]error{}
	for _, m := range w.machines {
		if m.off {
			failed[m.name] = fmt.Errorf("%s: dialling 22: no route to host: %w", m.name, host.ErrUnreachable)
		} else {
			hosts[m.name] = host.New(m.name, m, nil)
		}
	}
	return hosts, failed
}

// input is what planning takes, observed as in a real run.
func (w *world) input() component.Input {
	hosts, failed := w.hosts()
	o := observe.Observer{Cluster: w.cluster, Release: w.release, Hosts: hosts, Failed: failed}
	in := component.Input{Cluster: w.cluster, Release: w.release, Snapshot: o.Snapshot(w.t.Context())}
	for _, h := range in.Snapshot.Hosts {
		h.Clock -= w.later // the operator's has gone on, too
	}
	if w.bundle != nil {
		m := w.bundle.Manifest()
		in.Artefacts = &m
	}
	return in
}

// plan plans; a refusal fails the test.
func (w *world) plan() *plan.Plan {
	w.t.Helper()
	p, refusals, err := planner.Apply(w.input())
	if err != nil || p == nil {
		w.t.Fatalf("no plan: %v, refused: %v", err, refusals.Err())
	}
	return p
}

// apply runs a plan.
func (w *world) apply(p *plan.Plan) engine.Result {
	for _, m := range w.machines {
		clear(m.notFound) // more than a second has passed
		m.unheard = 0
	}
	hosts, _ := w.hosts()
	rt := &component.Runtime{Cluster: w.cluster, Release: w.release, Bundle: w.bundle, Hosts: hosts}
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.mu.Lock()
	w.kill = cancel
	w.mu.Unlock()
	return engine.Run(ctx, p, component.Executor{Runtime: rt}, nil, engine.Options{})
}

// build plans and applies, and fails the test when a step fails or when
// anything is left to do.
func (w *world) build() {
	w.t.Helper()
	result := w.apply(w.plan())
	for _, s := range result.Steps {
		if s.Error != "" {
			w.t.Errorf("%s: %s", s.ID, s.Error)
		}
	}
	if !result.OK() {
		w.t.FailNow()
	}
	w.provenEmpty()
}

// provenEmpty fails the test when a fresh plan finds anything to do, and when
// a unit runs with other settings than those on its host's disk.
func (w *world) provenEmpty() {
	w.t.Helper()
	for _, m := range w.machines {
		for unit, u := range m.units {
			if u.Running() && m.loaded[unit] != m.settingsOf(unit) {
				w.t.Errorf("%s of %s runs with settings that were replaced since", unit, m.name)
			}
		}
	}
	w.provePods()
	w.proveSettings()
	in := w.input()
	p, refusals, err := planner.Apply(in)
	if err != nil || p == nil {
		w.t.Fatalf("after the run there is no plan: %v, refused: %v", err, refusals.Err())
	}
	for _, s := range p.Steps {
		w.t.Errorf("after the run there is still %s to do: %s", s.ID, s.Why)
	}
	w.noAdvice(in.Snapshot)
}

// noAdvice fails the test when a status of these hosts sends people to an apply
// that has nothing to do.
func (w *world) noAdvice(s *state.Snapshot) {
	w.t.Helper()
	for _, p := range status.Of(w.cluster, s).Problems {
		if hint := strings.NewReplacer("`", "", "run ", "").Replace(p.Hint); strings.HasPrefix(hint, "quorate apply") {
			w.t.Errorf("apply has nothing to do, and status says of %s: %s; hint: %s", p.Subject, p.Summary, p.Hint)
		}
	}
}
