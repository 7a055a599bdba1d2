package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/kube/kubetest"
	"github.com/quorate/quorate/internal/state"
)

// What waits for the pods of the cluster file's nodes does not wait for those of a
// node that is dead and in no file.
func TestWorkloadAmong(t *testing.T) {
	const proxy = "DaemonSet/kube-system/kube-proxy"
	tests := map[string]struct {
		name   string
		change func(put func(path string, o kubetest.Object))
		want   state.Workload
		others []string
	}{
		"all are ready": {
			name: proxy, change: func(func(string, kubetest.Object)) {}, want: state.Workload{Desired: 3, Ready: 3, Updated: 3},
		},
		"a dead node's is not": {
			name: proxy,
			change: func(put func(string, kubetest.Object)) {
				put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", daemonSet("kube-proxy", 3, 2, 2))
				put("/api/v1/namespaces/kube-system/pods/dead", pod("cp-9", "old", "False"))
			},
			want: state.Workload{Desired: 2, Ready: 2, Updated: 2}, others: []string{"cp-9"},
		},
		"one of ours is not, and a stranger's is": {
			name: proxy,
			change: func(put func(string, kubetest.Object)) {
				put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", daemonSet("kube-proxy", 3, 2, 3))
				put("/api/v1/namespaces/kube-system/pods/alive", pod("cp-9", "new", "True"))
			},
			want: state.Workload{Desired: 2, Ready: 1, Updated: 2}, others: []string{"cp-9"},
		},
		"one of a deployment was on the dead node": {
			name: "Deployment/kube-system/coredns",
			change: func(put func(string, kubetest.Object)) {
				put("/apis/apps/v1/namespaces/kube-system/deployments/coredns", kubetest.Object{
					"apiVersion": "apps/v1", "kind": "Deployment",
					"metadata": kubetest.Object{"name": "coredns"}, "spec": kubetest.Object{"replicas": 2}, "status": kubetest.Object{"readyReplicas": 1, "updatedReplicas": 2},
				})
			},
			want: state.Workload{Desired: 1, Ready: 1, Updated: 2}, others: []string{"cp-9"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api, c, _ := ready(t)
			for node, is := range map[string]string{"cp-1": "True", "node-1": "True", "cp-9": "Unknown"} {
				api.Put("/api/v1/nodes/"+node, kubetest.Object{
					"apiVersion": "v1", "kind": "Node",
					"metadata": kubetest.Object{"name": node}, "status": kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": is}}},
				})
			}
			api.Put("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", daemonSet("kube-proxy", 3, 3, 3))
			for i, revision := range []string{"old", "new"} {
				api.Put("/apis/apps/v1/namespaces/kube-system/controllerrevisions/kube-proxy-"+revision, kubetest.Object{
					"apiVersion": "apps/v1", "kind": "ControllerRevision",
					"metadata": kubetest.Object{
						"name": "kube-proxy-" + revision, "labels": kubetest.Object{"controller-revision-hash": revision},
						"ownerReferences": []any{kubetest.Object{"kind": "DaemonSet", "name": "kube-proxy"}},
					},
					"revision": i + 1,
				})
			}
			test.change(api.Put)
			w, others, ok, err := c.WorkloadAmong(t.Context(), test.name, func(node string) bool { return !strings.HasSuffix(node, "-9") })
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			if d := cmp.Diff(test.want, w) + cmp.Diff(test.others, others); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func daemonSet(name string, desired, ready, updated int) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": kubetest.Object{"name": name},
		"status": kubetest.Object{"desiredNumberScheduled": desired, "numberReady": ready, "updatedNumberScheduled": updated},
	}
}

func pod(node, revision, ready string) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
			"name": "kube-proxy-on-" + node, "namespace": "kube-system", "labels": kubetest.Object{"controller-revision-hash": revision},
			"ownerReferences": []any{kubetest.Object{"kind": "DaemonSet", "name": "kube-proxy"}},
		},
		"spec": kubetest.Object{"nodeName": node}, "status": kubetest.Object{"conditions": []any{kubetest.Object{"type": "Ready", "status": ready}}},
	}
}
