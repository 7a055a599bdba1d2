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
