// Package controlplane builds every control-plane host the same way and at
// the same time, through kubeadm's own phases: certificates and kubeconfigs,
// the kubelet, the static pods. What the cluster needs once (its settings in
// the API, the join token's rules, the add-ons) is done through whichever API
// server answers. No host is the first.
package controlplane

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

const (
	configFile = component.QuorateDir + "/kubeadm.yaml"
	// clusterFile is what the phases that the cluster needs once are run with.
	clusterFile = component.QuorateDir + "/kubeadm-cluster.yaml"
	// recordFile holds the digest of the settings that the static pods were
	// last made with. It is written after they were made.
	recordFile = component.QuorateDir + "/static-pods.sha256"

	stepKubelet = "controlplane/kubelet"

	recordCluster = "cluster-settings"
	recordProxy   = "kube-proxy"
	recordDNS     = "coredns"

	labelControlPlane = "node-role.kubernetes.io/control-plane"
	taintControlPlane = "node-role.kubernetes.io/control-plane:NoSchedule"

	// renewBefore is how long before its end a certificate is made anew by
	// an ordinary apply.
	renewBefore = 30 * 24 * time.Hour
)

// staticPods are the components that run as static pods; etcd is among them
// where it is stacked.
func staticPods(c *cluster.Cluster) []string {
	pods := []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	if c.Etcd.Mode == cluster.EtcdStacked {
		pods = append(pods, "etcd")
	}
	return pods
}

// leafFiles are the certificates that kubeadm makes on a host, without suffix.
func leafFiles(c *cluster.Cluster) []string {
	leaves := []string{"apiserver", "apiserver-kubelet-client", "front-proxy-client"}
	if c.Etcd.Mode == cluster.EtcdStacked {
		leaves = append(leaves, "apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client")
	}
	return leaves
}

// kubeconfigs are the kubeconfigs that kubeadm makes on a host.
func kubeconfigs() []string {
	return []string{"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf", "kubelet.conf"}
}

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, r catalog.Release, h *cluster.Host, q *protocol.FactsRequest) {
	if h.IsNode() {
		q.Files = append(q.Files, protocol.FileQuery{Path: conntrackMax})
	}
	if !h.Has(cluster.RoleControlPlane) {
		return
	}
	component.AskFiles(q, configFile, recordFile)
	for _, leaf := range leafFiles(c) {
		path := component.KubernetesPKI + "/" + leaf
		q.Files = append(q.Files, protocol.FileQuery{Path: path + ".crt", Certificate: true}, protocol.FileQuery{Path: path + ".key"})
	}
	for _, name := range kubeconfigs() {
		q.Files = append(q.Files, protocol.FileQuery{Path: component.KubernetesDir + "/" + name, Certificate: true})
	}
	for _, pod := range staticPods(c) {
		q.Files = append(q.Files, protocol.FileQuery{Path: manifest(pod)})
	}
	q.Files = append(q.Files, protocol.FileQuery{Path: component.KubeletDir + "/config.yaml"})
	if c.Etcd.Mode == cluster.EtcdStacked {
		component.AskBinaries(q, etcdTools(r))
	}
}

func manifest(pod string) string { return component.ManifestsDir + "/" + pod + ".yaml" }

// Plan makes the steps.
func Plan(in component.Input, out *component.Output) {
	refuseFixed(in, out)
	shared := clusterSettings(in.Cluster, in.Snapshot)
	membership := etcd.Assess(in.Cluster, in.Snapshot)
	var before []*cluster.Host // hosts whose API server a restart waits for
	for _, h := range newFirst(in) {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		s := shared.forHost(h).ownEtcd(h)
		if in.Cluster.Etcd.Mode == cluster.EtcdStacked {
			s.EtcdInitialCluster, s.EtcdInitialState = membership.Initial, "new"
			planEtcdTools(in, h, facts, out)
		}
		planCertificates(in, h, facts, s, out)
		planKubelet(in, h, facts, s, out)
		if in.Cluster.Etcd.Mode == cluster.EtcdStacked {
			planStackedMember(in, h, facts, s, membership, out)
		}
		planStaticPods(in, h, facts, s, before, out)
		before = append(before, h)
		planMark(in, h, facts, out)
	}
	planClusterSteps(in, shared, out)
}

// host is what the ops on one host share.
type host struct {
	name   string
	config component.File
}

func hostOf(h *cluster.Host, s settings) host {
	return host{name: h.Name, config: component.File{Path: configFile, Content: s.render(), Mode: 0o600}}
}

// forCluster is a host as the phases that the cluster needs once see it: with
// the settings that all hosts share.
func forCluster(h *cluster.Host, s settings) host {
	return host{name: h.Name, config: component.File{Path: clusterFile, Content: s.forHost(h).render(), Mode: 0o600}}
}

func planCertificates(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, out *component.Output) {
	op := certificates{host: hostOf(h, s)}
	var why []string
	step := plan.Step{
		ID: plan.On(component.StepCertificates, h.Name), Host: h.Name, Title: "make certificates and kubeconfigs",
		Needs: []plan.ID{component.StepAuthorities, plan.On(component.StepBinaries, h.Name), plan.On(component.StepEtcdClient, h.Name)},
	}
	note := func(path, action, reason string) {
		why = append(why, path+" "+reason)
		step.Changes = append(step.Changes, plan.Change{What: path, Action: action})
	}
	names, addresses := sanParts(in.Cluster)
	names = append(names, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc."+in.Cluster.Kubernetes.DNSDomain)
	addresses = append(addresses, in.Cluster.ServiceIP())
	for _, leaf := range leafFiles(in.Cluster) {
		crt, key := component.KubernetesPKI+"/"+leaf+".crt", component.KubernetesPKI+"/"+leaf+".key"
		if !facts.Files[crt].Exists || !facts.Files[key].Exists {
			note(crt, "create", "missing")
			continue
		}
		certs, err := pki.Parse([]byte(facts.Files[crt].Certificates))
		reason := ""
		switch {
		case err != nil:
			reason = err.Error()
		case certs[0].NotAfter.Sub(facts.Time) < renewBefore:
			reason = "ends " + certs[0].NotAfter.Format(time.DateOnly)
		case leaf == "apiserver":
			if missing := pki.Covers(certs[0], names, addresses); len(missing) > 0 {
				reason = "lacks " + strings.Join(missing, ", ")
			}
		}
		if reason != "" {
			op.replace = append(op.replace, crt, key)
			note(crt, "update", reason)
		}
	}
	for _, name := range kubeconfigs() {
		if path := component.KubernetesDir + "/" + name; !facts.Files[path].Exists {
			note(path, "create", "missing")
		}
	}
	if len(step.Changes) == 0 {
		return
	}
	step.Why = strings.Join(why, "; ")
	out.Add(step, op)
}

func planKubelet(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, out *component.Output) {
	if facts.Files[component.KubeletDir+"/config.yaml"].Exists {
		return
	}
	out.Add(plan.Step{
		ID: plan.On(stepKubelet, h.Name), Host: h.Name, Title: "start the kubelet", Why: "never started",
		Needs: []plan.ID{
			plan.On(component.StepCertificates, h.Name), plan.On(component.StepKubelet, h.Name),
			plan.On(component.StepSettings, h.Name), plan.On(component.StepRuntime, h.Name),
		},
		Changes: []plan.Change{{What: component.KubeletDir + "/config.yaml", Action: "create"}, {What: "kubelet.service", Action: "start"}},
	}, startKubelet{hostOf(h, s)})
}

// newFirst orders the control-plane hosts so that API servers that are new
// come up before one that runs is restarted.
func newFirst(in component.Input) []*cluster.Host {
	hosts := in.Cluster.ControlPlanes()
	slices.SortStableFunc(hosts, func(a, b *cluster.Host) int { return cmp.Compare(runs(in, a), runs(in, b)) })
	return hosts
}

// runs is 1 for a host that has its static pods, else 0.
func runs(in component.Input, h *cluster.Host) int {
	if f := in.Snapshot.Facts(h.Name); f != nil && f.Files[manifest("kube-apiserver")].Exists {
		return 1
	}
	return 0
}

// planStaticPods plans a host's static pods. New ones start together; one that
// runs is restarted only once those before it are ready.
func planStaticPods(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, before []*cluster.Host, out *component.Output) {
	step := plan.Step{
		ID: plan.On(component.StepControlPlane, h.Name), Host: h.Name, Title: "run the API server, controller manager and scheduler",
		Needs: []plan.ID{
			plan.On(component.StepCertificates, h.Name), plan.On(stepKubelet, h.Name), plan.On(component.StepImages, h.Name),
		},
	}
	// An API server whose host runs a member waits for that one alone, which
	// is healthy only when there is a quorum.
	if slices.Contains(in.Cluster.EtcdHosts(), h) {
		step.Needs = append(step.Needs, plan.On(component.StepEtcdMember, h.Name))
	} else {
		step.Needs = append(step.Needs, component.Each(component.StepEtcdMember, in.Cluster.EtcdHosts())...)
	}
	var missing []string
	exist := false
	for _, pod := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if facts.Files[manifest(pod)].Exists {
			exist = true
			continue
		}
		missing = append(missing, pod)
		step.Changes = append(step.Changes, plan.Change{What: manifest(pod), Action: "create"})
	}
	record := component.File{Path: recordFile, Content: []byte(s.digest() + "\n"), Mode: 0o644}
	differ, changes := component.FileChanges(facts, []component.File{record})
	switch {
	case len(missing) > 0:
		step.Why = strings.Join(missing, ", ") + " missing"
	case len(differ) > 0:
		step.Why = "made with other settings"
		// The diff that a reviewer wants is that of the settings.
		_, changes = component.FileChanges(facts, []component.File{{Path: configFile, Content: s.render(), Mode: 0o600}})
	default:
		return
	}
	step.Changes = append(step.Changes, changes...)
	if exist {
		step.Impact = plan.ImpactRestart
		step.Needs = append(step.Needs, component.Each(component.StepControlPlane, before)...)
	}
	out.Add(step, runStaticPods{host: hostOf(h, s), record: record, address: h.InternalAddress, port: in.Cluster.Endpoint.Port})
}

func planMark(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	if in.Snapshot.API != nil {
		if node, ok := in.Snapshot.API.Nodes[h.Name]; ok && marked(node, !h.Has(cluster.RoleWorker)) {
			return
		}
	}
	out.Add(plan.Step{
		ID: plan.On(component.StepMark, h.Name), Host: h.Name, Title: "mark the node as control plane", Why: "not marked",
		Needs:   []plan.ID{plan.On(component.StepControlPlane, h.Name), component.StepClusterInit},
		Changes: []plan.Change{{What: "node " + h.Name, Action: "update"}},
	}, mark{hostOf(h, clusterSettings(in.Cluster, in.Snapshot).forHost(h).ownEtcd(h)), !h.Has(cluster.RoleWorker)})
}

// marked reports whether a node carries the control plane's label, and its
// taint where it should.
func marked(node state.Node, tainted bool) bool {
	_, labelled := node.Labels[labelControlPlane]
	return labelled && slices.Contains(node.Taints, taintControlPlane) == tainted
}

func planClusterSteps(in component.Input, s settings, out *component.Output) {
	controlPlanes := in.Cluster.ControlPlanes()
	digest := s.digest()
	recorded := func(subject string) bool {
		return in.Snapshot.API != nil && in.Snapshot.API.Record[subject] == digest
	}
	why := "not done yet"
	if in.Snapshot.API != nil && in.Snapshot.API.Record[recordCluster] != "" {
		why = "settings differ"
	}
	if !recorded(recordCluster) {
		out.Add(plan.Step{
			ID: component.StepClusterInit, Title: "store the cluster's settings and the rules for joining", Why: why,
			// Whichever API server is ready first will do.
			NeedsAny: component.Each(component.StepControlPlane, controlPlanes),
			Changes: []plan.Change{
				{What: "configmap kube-system/kubeadm-config", Action: "update"},
				{What: "configmap kube-system/kubelet-config", Action: "update"},
				{What: "configmap kube-public/cluster-info", Action: "update"},
			},
		}, clusterPhases{
			subject: recordCluster, digest: digest, candidates: hostsOf(in, s),
			phases: [][]string{{"upload-config", "all"}, {"bootstrap-token"}},
		})
	}
	addOn := func(id plan.ID, subject, phase, workload string, needs ...plan.ID) {
		if recorded(subject) {
			return
		}
		out.Add(plan.Step{
			ID: id, Title: "run " + path.Base(workload), Why: why, Needs: append(needs, component.StepClusterInit),
			Changes: []plan.Change{{What: workload, Action: "update"}},
		}, clusterPhases{
			subject: subject, digest: digest, candidates: hostsOf(in, s),
			phases: [][]string{{"addon", phase}}, workload: workload,
		})
	}
	addOn(component.StepKubeProxy, recordProxy, "kube-proxy", component.KubeProxy)
	// A pod that is started before the pod network is there fails, and is
	// tried again only after ten seconds.
	addOn(component.StepCoreDNS, recordDNS, "coredns", component.CoreDNS, component.StepNetwork)
}

func hostsOf(in component.Input, s settings) []host {
	var out []host
	for _, h := range in.Cluster.ControlPlanes() {
		out = append(out, forCluster(h, s))
	}
	return out
}
