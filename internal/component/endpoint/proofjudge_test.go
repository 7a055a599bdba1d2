package endpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
)

// judged is a proof that has ended: two control-plane hosts and a worker, with
// what their calls and listeners found.
type judged struct {
	calls   map[string][]string // by node: outcomes, or the backend reached
	reports map[string]protocol.ListenReport
	away    map[string]string // by control-plane host
	running map[string]bool   // control-plane hosts with an API server
	change  func(*cluster.Cluster)
}

func (j judged) findings() []Finding {
	c := externalCluster(2, 1)
	if j.change != nil {
		j.change(c)
	}
	p := &proof{cluster: c, port: 6443, addresses: map[string]string{}}
	for _, h := range c.Hosts {
		p.addresses[h.InternalAddress.String()] = h.Name
	}
	reports := map[string]protocol.ListenReport{}
	for _, h := range c.ControlPlanes() {
		b := &backend{name: h.Name, address: h.InternalAddress.String() + ":6443", away: j.away[h.Name]}
		if !j.running[h.Name] {
			b.stand = &host.StandIn{}
			reports[h.Name] = j.reports[h.Name]
		}
		p.backends = append(p.backends, b)
	}
	p.reportOf = func(b *backend) protocol.ListenReport { return reports[b.name] }
	words := map[string]outcome{}
	for o := refused; o < outcomes; o++ {
		words[o.String()] = o
	}
	for _, h := range c.Nodes() {
		n := newCaller(h.Name, nil, balancerFrom(c, h))
		for _, call := range j.calls[h.Name] {
			if o, ok := words[call]; ok {
				n.note(o, "", errors.New("because"))
			} else {
				n.note(reached, call, nil)
			}
		}
		p.callers = append(p.callers, n)
	}
	if taken := p.judgeTaken(); taken != nil {
		return taken
	}
	return p.judge()
}

func all(calls ...string) map[string][]string {
	return map[string][]string{"cp-1": calls, "cp-2": calls, "worker-1": calls}
}

func TestJudge(t *testing.T) {
	const (
		no     = "connection refused"
		silent = "no answer"
		closed = "connected, then closed"
		other  = "somebody else answers"
	)
	from := func(address string, p protocol.PeerReport) protocol.ListenReport {
		return protocol.ListenReport{Peers: map[string]protocol.PeerReport{address: p}}
	}
	tries := func(a ...protocol.Attempt) protocol.ListenReport { return protocol.ListenReport{Attempts: a} }
	checked := from("10.0.0.100", protocol.PeerReport{Connections: 9, Requests: 9})
	for _, tt := range []struct {
		name string
		judged
		want string   // fault and host of each finding
		says []string // in summaries and hints
	}{
		{"well", judged{calls: all("cp-1", "cp-2")}, "", nil},
		{"well after a while", judged{calls: all(closed, "cp-1", closed, "cp-2", "cp-1")}, "", nil},
		{"nodes are kept to a backend", judged{calls: map[string][]string{
			"cp-1": strings.Fields(strings.Repeat("cp-1 ", 16)), "cp-2": strings.Fields(strings.Repeat("cp-2 ", 16)), "worker-1": strings.Fields(strings.Repeat("cp-1 ", 16)),
		}}, "", nil},
		{"no listener", judged{calls: all(no, no)}, "listener ", []string{"nothing listens at 10.0.0.100:6443", "TCP listener on port 6443"}},
		{"no answer", judged{calls: all(silent)}, "firewall ", []string{"no node gets any answer", "address in the cluster file"}},
		{"one node is kept out", judged{calls: map[string][]string{"cp-1": {"cp-1", "cp-2"}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {silent}}},
			"firewall worker-1", []string{"worker-1 gets no answer from 10.0.0.100:6443", "in from worker-1 (10.0.0.21)"}},
		{"one node is refused", judged{calls: map[string][]string{"cp-1": {"cp-1", "cp-2"}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {no}}},
			"firewall worker-1", []string{"is refused by"}},
		{"a name that is none", judged{
			calls: map[string][]string{"cp-1": {"cp-1", "cp-2"}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {"the name is unknown"}},
			change: func(c *cluster.Cluster) {
				c.Endpoint.LoadBalancer = cluster.LoadBalancer{Mode: cluster.BalancerExternal, VIPHost: "lb.example"}
			},
		}, "name worker-1", []string{"cannot resolve the name of api.example:6443", "give api.example a DNS entry"}},
		{"TLS ends at the balancer", judged{calls: all(other), reports: map[string]protocol.ListenReport{"cp-1": checked}},
			"tls ", []string{"plain TCP"}},
		{"a stranger among the backends", judged{calls: all("cp-1", other, "cp-2"), reports: map[string]protocol.ListenReport{}},
			"tls ", []string{"this cluster's control-plane hosts only"}},
		{"a backend's port", judged{calls: all("cp-1", closed), reports: map[string]protocol.ListenReport{
			"cp-2": tries(protocol.Attempt{From: "10.0.0.100", Port: 6444, Count: 9}, protocol.Attempt{From: "10.0.0.100", Port: 22, Count: 9}),
		}}, "backend-port cp-2", []string{"(10.0.0.100) asks for port 6444 of cp-2", "set the port of the backend cp-2 to 6443"}},
		{"a backend's port, asked from an address that came to another", judged{calls: all("cp-1", closed), reports: map[string]protocol.ListenReport{
			"cp-1": from("10.9.9.9", protocol.PeerReport{Connections: 3, Requests: 3}),
			"cp-2": tries(protocol.Attempt{From: "10.9.9.9", Port: 443, Count: 3}, protocol.Attempt{From: "10.8.8.8", Port: 80, Count: 30}),
		}}, "backend-port cp-2", []string{"(10.9.9.9) asks for port 443"}},
		{"a backend's port, asked by who knows whom", judged{calls: all("cp-1"), reports: map[string]protocol.ListenReport{
			"cp-2": tries(protocol.Attempt{From: "10.8.8.8", Port: 6444, Count: 4}),
		}}, "missing-backend cp-2", []string{"somebody at 10.8.8.8 asks for its port 6444"}},
		{"a firewall of the host", judged{calls: all("cp-1", closed), reports: map[string]protocol.ListenReport{
			"cp-2": tries(protocol.Attempt{From: "10.0.0.100", Port: 6443, Count: 9}),
		}}, "firewall cp-2", []string{"a firewall of that host drops it"}},
		{"a missing backend", judged{calls: all("cp-1")}, "missing-backend cp-2", []string{"nothing from the balancer arrives at cp-2", "add 10.0.0.12:6443"}},
		{"a missing backend, and no way to look", judged{calls: all("cp-1"), reports: map[string]protocol.ListenReport{"cp-2": {Blind: "no packets here"}}},
			"missing-backend cp-2", []string{"no packets here"}},
		{"all backends are missing", judged{calls: all(closed)}, "missing-backend cp-1, missing-backend cp-2", nil},
		{"a health check by plain HTTP", judged{calls: all("cp-1"), reports: map[string]protocol.ListenReport{
			"cp-2": from("10.0.0.100", protocol.PeerReport{Connections: 5, Failed: 5, Failure: "not a TLS handshake"}),
		}}, "health-check cp-2", []string{"not a TLS handshake", "HTTPS GET /readyz"}},
		{"a backend that is not used", judged{calls: all("cp-1"), reports: map[string]protocol.ListenReport{"cp-2": checked}},
			"health-check cp-2", []string{"9 connections, 9 requests answered with 200", "weight 0"}},
		{"no hairpin", judged{calls: map[string][]string{"cp-1": {"cp-2", closed, "cp-2", closed}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {"cp-1", "cp-2"}}},
			"hairpin cp-1", []string{"cp-1 reaches the other control-plane hosts", "2 of its 4 calls failed", "noHairpin: true"}},
		{"no hairpin, and none is asked for", judged{
			calls:  map[string][]string{"cp-1": {"cp-2", closed, "cp-2", closed}, "cp-2": {"cp-1", closed}, "worker-1": {"cp-1", "cp-2"}},
			change: func(c *cluster.Cluster) { c.Endpoint.LoadBalancer.NoHairpin = true },
		}, "", nil},
		{"one way of one node", judged{calls: map[string][]string{"cp-1": {"cp-1", "cp-2"}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {"cp-1", closed}}},
			"path worker-1", []string{"calls of worker-1 never come to cp-2"}},
		{"calls that fail now and then", judged{calls: map[string][]string{"cp-1": {"cp-1", "cp-2"}, "cp-2": {"cp-1", "cp-2"}, "worker-1": {"cp-1", "cp-2", closed, "cp-1"}}},
			"path worker-1", []string{"fail again and again: 1 of 4"}},
		{"a port that is taken", judged{calls: all("cp-1", no), away: map[string]string{"cp-2": "address already in use"}}, "port-taken cp-2", []string{"port 6443 of cp-2 cannot be listened on: address already in use"}},
		{"an API server that is not ready is not asked for", judged{
			calls: all("cp-1"), away: map[string]string{"cp-2": "refused"}, running: map[string]bool{"cp-1": true, "cp-2": true},
		}, "", nil},
		{"an API server that the balancer does not know", judged{calls: all("cp-1"), running: map[string]bool{"cp-1": true, "cp-2": true}},
			"missing-backend cp-2", []string{"no call through the balancer came to cp-2, whose API server answers at 10.0.0.12:6443"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got, text []string
			for _, f := range tt.findings() {
				got = append(got, string(f.Fault)+" "+f.Host)
				text = append(text, f.Summary, f.Hint)
				if f.Summary == "" || f.Hint == "" {
					t.Errorf("%+v lacks words", f)
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(got, ", ")); d != "" {
				t.Errorf("findings (-want +got)\n%s\n%s", d, strings.Join(text, "\n"))
			}
			for _, want := range tt.says {
				if !strings.Contains(strings.Join(text, "\n"), want) {
					t.Errorf("no word of %q in\n%s", want, strings.Join(text, "\n"))
				}
			}
		})
	}
}

func TestUnprovenNamesAll(t *testing.T) {
	err := &Unproven{Balancer: "10.0.0.100:6443", Findings: []Finding{
		{FaultListener, "", "nothing listens", "add one"}, {FaultMissing, "cp-2", "nothing arrives", "add it"},
	}}
	want := "the balancer 10.0.0.100:6443 does not carry every node to every control-plane host:\n" +
		"- listener: nothing listens\n  hint: add one\n- missing-backend: nothing arrives\n  hint: add it"
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}
