package ui

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/state"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

func TestStatus(t *testing.T) {
	next := []NextCommand{
		{"quorate plan", "what apply would put right"},
		{"quorate apply", "put it right"},
		{"quorate status", "look again"},
	}
	long := []NextCommand{{"kubectl --kubeconfig /home/op/clusters/prod/prod.kubeconfig get nodes", "use the cluster"}, {"quorate plan", "does anything differ?"}}
	tests := []struct {
		name    string
		change  func(statustest.World)
		look    Look
		options StatusOptions
	}{
		{"healthy", func(statustest.World) {}, Look{Unicode: true}, StatusOptions{Next: long}},
		{"healthy-ascii-certificates", func(statustest.World) {}, Look{}, StatusOptions{Certificates: true}},
		{"one-off", func(w statustest.World) { w.Off("cp-2") }, Look{Unicode: true}, StatusOptions{Next: next}},
		{"quorum-lost", func(w statustest.World) { w.Off("cp-2", "cp-3") }, Look{Unicode: true}, StatusOptions{Next: next}},
		{"api-down", func(w statustest.World) { w.APIDown("dial tcp 10.0.0.11:6443: connect: connection refused") }, Look{Unicode: true}, StatusOptions{}},
		{"never-built", func(w statustest.World) { w.Bare() }, Look{Unicode: true}, StatusOptions{Next: next}},
		{
			"proxies", func(w statustest.World) {
				b := &w.Snapshot.Hosts["worker-2"].Proxy.Backends[2]
				b.Up, b.Detail = false, "L4TOUT"
				w.Snapshot.Hosts["worker-3"].Proxy = &state.Proxy{Error: "dial unix /run/quorate-haproxy/state.sock: connect: no such file or directory"}
			}, Look{Unicode: true}, StatusOptions{},
		},
		{
			"load-balancers", func(w statustest.World) {
				w.Manage()
				w.Snapshot.Hosts["lb-2"].Facts.Units = nil
				w.Snapshot.Hosts["lb-2"].Proxy.Backends[2].Up = false
			}, Look{Unicode: true}, StatusOptions{},
		},
		{
			"certificates", func(w statustest.World) {
				w.SetCertificate("cp-1", "/etc/kubernetes/pki/apiserver.crt", 12)
				w.SetCertificate("cp-2", "/etc/kubernetes/pki/apiserver.crt", -3)
				w.SetCertificate("cp-3", "/etc/kubernetes/admin.conf", 20)
			}, Look{Unicode: true}, StatusOptions{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.look.Terminal = true
			w := statustest.Healthy()
			test.change(w)
			got := Status(status.Of(w.Cluster, w.Snapshot), test.look, test.options)
			check(t, "status-"+test.name, got)
			for line := range strings.Lines(got) {
				if n := width(strings.TrimRight(line, "\n")); n > statusWidth {
					t.Errorf("a line of %d cells: %s", n, line)
				}
			}
		})
	}
}

// A log of a status once had "not a node of the clust…".
func TestStatusCutsForTerminalsOnly(t *testing.T) {
	w := statustest.Healthy()
	delete(w.Snapshot.API.Nodes, "worker-1")
	for _, terminal := range []bool{true, false} {
		got := Status(status.Of(w.Cluster, w.Snapshot), Look{Unicode: true, Terminal: terminal}, StatusOptions{})
		if whole := strings.Contains(got, "not a node of the cluster  "); whole == terminal {
			t.Errorf("terminal %v: shown whole: %v\n%s", terminal, whole, got)
		}
	}
}

// What hosts say must not be able to draw on the operator's terminal.
func TestStatusShowsNoControlCharacters(t *testing.T) {
	w := statustest.Healthy()
	evil := "\x1b[2Jgone\x07\u202e"
	node := w.Snapshot.API.Nodes["worker-1"]
	node.Ready, node.Reason, node.Kubelet = false, evil, evil
	w.Snapshot.API.Nodes["worker-1"] = node
	w.Snapshot.API.Nodes[evil] = node
	w.Snapshot.API.Version = evil
	w.Snapshot.Hosts["cp-1"].APIServer = &state.Probe{Detail: evil}
	w.Snapshot.Etcd["cp-2"] = state.EtcdMember{Error: evil, Version: evil}
	w.Snapshot.Hosts["worker-2"].Proxy = &state.Proxy{Error: evil}
	got := Status(status.Of(w.Cluster, w.Snapshot), Look{}, StatusOptions{})
	if strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("control characters got through:\n%q", got)
	}
}
