package planner_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
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
	server   string // that its kubeconfig named when it was started
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
			// A kubelet runs nothing of an empty manifest.
			if f, ok := m.files[manifests+name+".yaml"]; ok && len(f.content) > 0 {
				m.settlePod(name, string(f.content))
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
		p = &staticPod{manifest: manifest, server: m.serverOf(name)}
		m.pods[name] = p
		m.starts[name]++
	case p.starting > 0:
		p.starting--
	case p.manifest != manifest && p.noticing == 0:
		p.noticing = noticeAfter
	case p.manifest != manifest:
		if p.noticing--; p.noticing == 0 {
			if port, err := strconv.ParseInt(m.apiPort(), 10, 64); err == nil && name == "kube-apiserver" {
				m.world.lead(port)
			}
			*p = staticPod{manifest: manifest, starting: readyAfter, server: m.serverOf(name)}
			m.starts[name]++
			m.world.watchRestart(m, name)
		}
	}
}

// sandboxes stands in for `ctr containers list --quiet FILTER`.
func (m *machine) sandboxes(filter string) protocol.RunReply {
	out := ""
	for name, p := range m.pods {
		has := []string{`labels."component"==` + name}
		for key, value := range labelsIn(p.manifest) {
			has = append(has, fmt.Sprintf("labels.%q==%s", key, value))
		}
		if !slices.ContainsFunc(strings.Split(filter, ","), func(want string) bool { return !slices.Contains(has, want) }) {
			out += "sandbox-" + name + "\n"
		}
	}
	return protocol.RunReply{Stdout: []byte(out)}
}

// tasks stands in for `ctr tasks list`.
func (m *machine) tasks() protocol.RunReply {
	out := "TASK    PID    STATUS\n"
	for name := range m.pods {
		out += "sandbox-" + name + "    1    RUNNING\n"
	}
	return protocol.RunReply{Stdout: []byte(out)}
}

// settleLeases lets whoever leads renew its lease.
func (w *world) settleLeases() {
	w.renewals++
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if slices.ContainsFunc(w.machines, func(m *machine) bool { return !m.off && m.podReady(name) }) {
			w.api.Put("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"+name, kubetest.Object{
				"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": kubetest.Object{"name": name},
				"spec": kubetest.Object{"holderIdentity": "some_host", "renewTime": w.moment()},
			})
		}
	}
}

// moment is a time that is later than any before, as leases have it.
func (w *world) moment() string {
	return time.Unix(w.renewals, 0).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
}

// podPorts are where static pods listen, besides the API server.
func (m *machine) podPorts() []protocol.Listener {
	var out []protocol.Listener
	for name, port := range map[string]int{"kube-controller-manager": 10257, "kube-scheduler": 10259} {
		if m.podReady(name) {
			out = append(out, protocol.Listener{Address: "127.0.0.1", Port: port, Process: name})
		}
	}
	return out
}

// watchRestart fails the test when a restart takes down what others are down of,
// too: the last API server that is ready, or a quorum of etcd; and when a proxy
// that cannot tell whether an API server is ready still carries to it.
func (w *world) watchRestart(m *machine, name string) {
	if shares := strings.Contains(m.pods[name].manifest, "--permit-port-sharing=true"); name == "kube-apiserver" && !shares && strings.Contains(m.runs(haproxy), ":"+m.apiPort()+" transparent") {
		w.t.Errorf("the API server of %s is started anew and cannot have its port: HAProxy has it", m.name)
	}
	if name == "kube-apiserver" {
		w.watchProxies(m)
		for _, o := range w.machines {
			if o != m && o.unready() == "" && o.unheard > 0 {
				w.t.Errorf("the API server of %s is restarted before the kube-proxy of %s can hear of it", m.name, o.name)
			}
		}
		m.unheard = 3
	}
	for _, o := range w.machines {
		if text := o.runs(nginx); name == "kube-apiserver" && carriesTo(text, m.address) && strings.Count(text, "    server ") > 1 {
			w.t.Errorf("the API server of %s is restarted, and nginx on %s goes on to carry to it:\n%s", m.name, o.name, text)
		}
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

// watchProxies fails the test when the restart of an API server leaves a HAProxy
// without any: it has not found yet that those restarted before are ready.
func (w *world) watchProxies(m *machine) {
	for _, o := range w.machines {
		text := o.runs(haproxy)
		if text == "" {
			continue
		}
		others, found := 0, 0
		for _, other := range w.machines {
			if other != m && other.unready() == "" && strings.Contains(text, "server "+other.name+" "+other.address+":") {
				others++
				if o.notFound[other.name] == 0 {
					found++
				}
			}
		}
		if others > 0 && found == 0 {
			w.t.Errorf("the API server of %s is restarted before HAProxy on %s has found another one", m.name, o.name)
		}
		if o.notFound == nil {
			o.notFound = map[string]int{}
		}
		o.notFound[m.name] = 3
	}
}

// carriesTo reports whether nginx with these settings gives an address connections
// while others take them.
func carriesTo(settings, address string) bool {
	for line := range strings.Lines(settings) {
		if strings.Contains(line, "server "+address+":") && !strings.Contains(line, " backup;") {
			return true
		}
	}
	return false
}

// podReady tells whether a machine's static pod runs and is ready.
func (m *machine) podReady(name string) bool {
	p := m.pods[name]
	return p != nil && p.starting == 0 && m.units["kubelet.service"].Running()
}

// manifestOf is what kubeadm makes of its settings: a line for each flag, and
// the labels of the patches.
func (m *machine) manifestOf(pod string, s settings) string {
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
	if pod == "kube-apiserver" {
		fmt.Fprintf(&b, "    - --secure-port=%d\n", s.LocalAPIEndpoint.BindPort)
	}
	for _, a := range section {
		fmt.Fprintf(&b, "    - --%s=%s\n", a.Name, a.Value)
	}
	if patch := s.Patches.Directory + "/" + pod + "+merge.json"; m.has(patch) {
		b.WriteString("patched " + string(m.files[patch].content))
	}
	return "pod " + pod + "\n" + b.String()
}

func labelsIn(manifest string) map[string]string {
	_, patch, found := strings.Cut(manifest, "patched ")
	var object struct {
		Metadata struct{ Labels map[string]string }
	}
	if found && json.Unmarshal([]byte(patch), &object) != nil {
		return nil
	}
	return object.Metadata.Labels
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
