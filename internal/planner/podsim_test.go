package planner_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/kube/kubetest"
)

const manifests = "/etc/kubernetes/manifests/"

// staticPod is a static pod that a machine's kubelet runs. A kubelet takes in a
// manifest that was replaced only after a while, and a while passes until the
// new pod is ready; the old one works on until then. While passes by operations.
type staticPod struct {
	manifest string // that it runs with
	noticing int    // operations until the kubelet takes the new manifest in
	starting int    // operations until what it started is ready
}

// A kubelet notices, and a pod starts, within so many operations.
const (
	noticeAfter = 4
	readyAfter  = 5
)

// settlePods lets the kubelets run what is in their folders.
func (w *world) settlePods() {
	for _, m := range w.machines {
		if m.off || !m.units["kubelet.service"].Running() {
			continue
		}
		for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
			if m.has(manifests + name + ".yaml") {
				m.settlePod(name, string(m.files[manifests+name+".yaml"].content))
			} else {
				delete(m.pods, name)
			}
		}
	}
}

func (m *machine) settlePod(name, manifest string) {
	p := m.pods[name]
	switch {
	case p == nil:
		p = &staticPod{manifest: manifest}
		m.pods[name] = p
		m.starts[name]++
	case p.starting > 0:
		p.starting--
	case p.manifest != manifest && p.noticing == 0:
		p.noticing = noticeAfter
	case p.manifest != manifest:
		if p.noticing--; p.noticing == 0 {
			*p = staticPod{manifest: manifest, starting: readyAfter}
			m.starts[name]++
			m.world.watchRestart(m, name)
		}
	}
	ready := "True"
	if p.starting > 0 {
		ready = "False"
	}
	annotations := map[string]any{}
	for k, v := range annotationsIn(p.manifest) {
		annotations[k] = v
	}
	m.world.api.Put("/api/v1/namespaces/kube-system/pods/"+name+"-"+m.name, kubetest.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{"name": name + "-" + m.name, "annotations": annotations},
		"status": kubetest.Object{"phase": "Running", "conditions": []any{kubetest.Object{"type": "Ready", "status": ready}}},
	})
}

// watchRestart fails the test when a restart takes down what others are down of,
// too: the last API server that is ready, or a quorum of etcd.
func (w *world) watchRestart(m *machine, name string) {
	for _, o := range w.machines {
		if p := o.pods[name]; o != m && p != nil && p.starting > 0 {
			w.t.Errorf("%s of %s is restarted while that of %s is", name, m.name, o.name)
		}
	}
	if name == "etcd" && len(w.members) > 1 {
		if w.settleEtcd(); !w.etcdUp {
			w.t.Errorf("the restart of etcd on %s takes the quorum", m.name)
		}
	}
}

// podReady tells whether a machine's static pod runs and is ready.
func (m *machine) podReady(name string) bool {
	p := m.pods[name]
	return p != nil && p.starting == 0 && m.units["kubelet.service"].Running()
}

// manifestOf is what kubeadm makes of its settings: a line for each flag, and
// the annotations of the patches.
func (m *machine) manifestOf(pod string, s settings, patches string) string {
	var b strings.Builder
	section := map[string][]arg{
		"kube-apiserver": s.APIServer.ExtraArgs, "kube-controller-manager": s.ControllerManager.ExtraArgs, "kube-scheduler": s.Scheduler.ExtraArgs,
	}[pod]
	switch {
	case pod == "etcd":
		section = s.Etcd.Local.ExtraArgs
	case pod == "kube-apiserver" && s.Etcd.External != nil:
		fmt.Fprintf(&b, "    - --etcd-servers=%s\n", strings.Join(s.Etcd.External.Endpoints, ","))
	}
	for _, a := range section {
		fmt.Fprintf(&b, "    - --%s=%s\n", a.Name, a.Value)
	}
	if patch := patches + "/" + pod + "+merge.json"; patches != "" && m.has(patch) {
		b.WriteString("patched " + string(m.files[patch].content))
	}
	return "pod " + pod + "\n" + b.String()
}

func annotationsIn(manifest string) map[string]string {
	_, patch, found := strings.Cut(manifest, "patched ")
	var object struct {
		Metadata struct{ Annotations map[string]string }
	}
	if found && json.Unmarshal([]byte(patch), &object) != nil {
		return nil
	}
	return object.Metadata.Annotations
}

// provePods fails the test when a static pod runs with a manifest that was
// replaced since.
func (w *world) provePods() {
	w.t.Helper()
	for _, m := range w.machines {
		for name, p := range m.pods {
			if now := string(m.files[manifests+name+".yaml"].content); p.manifest != now {
				w.t.Errorf("%s of %s runs with a manifest that was replaced since:\n%s\nnow:\n%s", name, m.name, p.manifest, now)
			}
		}
	}
}
