package status_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

func TestDrift(t *testing.T) {
	pending := []plan.Step{
		{ID: "a@worker-1", Host: "worker-1", Changes: []plan.Change{{What: "/etc/hosts"}, {What: "/etc/a"}}},
		{ID: "b@worker-1", Host: "worker-1", Changes: []plan.Change{{What: "/etc/a"}, {What: "b.service"}, {What: "c.service"}}},
		{ID: "a@lb-2", Host: "lb-2", Changes: []plan.Change{{What: "/etc/quorate/haproxy/haproxy.cfg"}}},
		{ID: "a@cp-2", Host: "cp-2", Changes: []plan.Change{{What: "/etc/x"}}},
		{ID: "network/flannel", Changes: []plan.Change{{What: "DaemonSet/kube-flannel/kube-flannel-ds"}}},
	}
	drifts := func(w statustest.World) map[string]string {
		out := map[string]string{}
		for _, p := range status.Of(w.Cluster, w.Snapshot, pending...).Problems {
			if p.Kind == status.Drift {
				out[p.Subject] = p.Summary
			}
		}
		return out
	}
	w := statustest.Healthy()
	w.Manage()
	w.Off("cp-2") // which is worse
	want := map[string]string{
		"worker-1": "not as the file asks for: /etc/hosts, /etc/a, b.service and 1 more",
		"lb-2":     "not as the file asks for: /etc/quorate/haproxy/haproxy.cfg",
		"":         "not as the file asks for: DaemonSet/kube-flannel/kube-flannel-ds",
	}
	if diff := cmp.Diff(want, drifts(w)); diff != "" {
		t.Error(diff)
	}
	// What is a node, or runs, is not known while the API does not answer.
	w.LoseQuorum()
	if got := drifts(w); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// A node that is not Ready, and whose hosts file differs: that is the cause, and it
// is not hidden by what came of it.
func TestDriftThatIsTheCause(t *testing.T) {
	w := statustest.Healthy()
	n := w.Snapshot.API.Nodes["worker-1"]
	n.Ready, n.Reason = false, "Kubelet stopped posting node status."
	w.Snapshot.API.Nodes["worker-1"] = n
	r := status.Of(w.Cluster, w.Snapshot, plan.Step{ID: "os/settings@worker-1", Host: "worker-1", Changes: []plan.Change{{What: "/etc/hosts"}}})
	got := map[status.Kind]string{}
	for _, p := range r.Problems {
		got[p.Kind] = p.Subject + ": " + p.Summary
	}
	want := map[status.Kind]string{
		status.NodeNotReady: "worker-1: its node is not Ready: its /etc/hosts differs, by which its kubelet finds the API servers",
		status.Drift:        "worker-1: not as the file asks for: /etc/hosts",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
