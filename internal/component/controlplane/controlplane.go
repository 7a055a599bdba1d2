// Package controlplane builds every control-plane host the same way and at
// the same time, through kubeadm's own phases: certificates and kubeconfigs,
// the kubelet, the static pods. What the cluster needs once (its settings in
// the API, the join token's rules, the add-ons) is done through whichever API
// server answers. No host is the first.
package controlplane

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/members"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

const (
	configFile = component.KubeadmConfig
	// clusterFile is what the phases that the cluster needs once are run with.
	clusterFile = component.QuorateDir + "/kubeadm-cluster.yaml"
	// podRecord holds the digests of the settings that the control plane's static
	// pods run with, etcdRecord that of stacked etcd's. They are written after the
	// pods were seen to run with them.
	podRecord  = component.QuorateDir + "/static-pods.sha256"
	etcdRecord = component.QuorateDir + "/etcd-pod.sha256"

	stepKubelet = "controlplane/kubelet"

	recordCluster = "cluster-settings"
	recordProxy   = "kube-proxy"
	recordDNS     = "coredns"

	labelControlPlane = "node-role.kubernetes.io/control-plane"
	taintControlPlane = "node-role.kubernetes.io/control-plane:NoSchedule"
)

// staticPods are the components that run as static pods; etcd is among them
// where it is stacked.
func staticPods(c *cluster.Cluster) []string {
	pods := ownPods()
	if c.Etcd.Mode == cluster.EtcdStacked {
		pods = append(pods, podEtcd)
	}
	return pods
}

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, r catalog.Release, h *cluster.Host, q *protocol.FactsRequest) {
	if h.IsNode() {
		q.Files = append(q.Files, protocol.FileQuery{Path: conntrackMax})
	}
	if !h.Has(cluster.RoleControlPlane) {
		return
	}
	component.AskFiles(q, configFile, podRecord, authenticationFile)
	askCertificates(c, q)
	for _, pod := range staticPods(c) {
		component.AskWritten(q, manifest(pod))
		q.Files = append(q.Files, protocol.FileQuery{Path: manifest(pod), Content: pod == podAPIServer || pod == podControllerManager}) // see refuseFixed
	}
	component.AskKubelet(q)
	if c.Etcd.Mode == cluster.EtcdStacked {
		component.AskFiles(q, manifest(podEtcd), etcdRecord)
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
	renewed := false           // whether some host gets new credentials of the administrator
	for _, h := range newFirst(in) {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		s := shared.forHost(h).ownEtcd(h)
		if in.Cluster.Etcd.Mode == cluster.EtcdStacked {
			s = s.withMembership(h, facts, membership)
			planEtcdTools(in, h, facts, out)
		}
		anew := planCertificates(in, h, facts, s, out)
		planKubelet(in, h, facts, s, anew, out)
		if in.Cluster.Etcd.Mode == cluster.EtcdStacked {
			planStackedMember(in, h, facts, s, membership, out)
		}
		planStaticPods(in, h, facts, s, anew, before, out)
		before = append(before, h)
		planMark(in, h, s, out)
		renewed = renewed || slices.Contains(anew, component.AdminConf)
	}
	if in.Snapshot.APIUnauthorized && !renewed && !remakesAPIServer(out) {
		// All that the API holds would be taken for absent.
		out.Refuse(state.UnauthorizedHint, "%s", in.Snapshot.APIError)
	}
	if in.Cluster.Etcd.Mode == cluster.EtcdStacked {
		members.Conclude(in, membership, out)
	}
	planClusterSteps(in, shared, out)
}

// remakesAPIServer reports whether some API server's manifest is made anew, which may be
// why it takes nobody's credentials.
func remakesAPIServer(out *component.Output) bool {
	return slices.ContainsFunc(out.Steps, func(s plan.Step) bool {
		return s.ID.Subject() == component.StepControlPlane &&
			slices.ContainsFunc(s.Changes, func(c plan.Change) bool { return c.What == manifest(podAPIServer) })
	})
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

// newFirst orders the control-plane hosts so that API servers that are new
// come up before one that runs is restarted.
func newFirst(in component.Input) []*cluster.Host {
	hosts := in.Cluster.ControlPlanes()
	slices.SortStableFunc(hosts, func(a, b *cluster.Host) int { return cmp.Compare(runs(in, a), runs(in, b)) })
	return hosts
}

// runs is 1 for a host that has its static pods, else 0.
func runs(in component.Input, h *cluster.Host) int {
	if f := in.Snapshot.Facts(h.Name); f != nil && f.Files[manifest(podAPIServer)].Holds() {
		return 1
	}
	return 0
}

func planMark(in component.Input, h *cluster.Host, s settings, out *component.Output) {
	if in.Snapshot.API != nil {
		if node, ok := in.Snapshot.API.Nodes[h.Name]; ok && marked(node, !h.Has(cluster.RoleWorker)) {
			return
		}
	}
	out.Add(plan.Step{
		ID: plan.On(component.StepMark, h.Name), Host: h.Name, Title: "mark the node as control plane", Why: in.WhyNot("not marked"),
		Needs:   []plan.ID{plan.On(component.StepControlPlane, h.Name), plan.On(component.StepRegister, h.Name), component.StepClusterInit},
		Changes: []plan.Change{{What: "node " + h.Name, Action: "update"}},
	}, mark{hostOf(h, s), !h.Has(cluster.RoleWorker)})
}

// marked reports whether a node carries the control plane's label, and its
// taint where it should.
func marked(node state.Node, tainted bool) bool {
	_, labelled := node.Labels[labelControlPlane]
	return labelled && slices.Contains(node.Taints, taintControlPlane) == tainted
}

func planClusterSteps(in component.Input, s settings, out *component.Output) {
	controlPlanes := in.Cluster.ControlPlanes()
	digests := s.digests()
	record := in.Record
	why := func(subject string) string { return in.WhyRecord(subject, "not done yet") }
	// Whichever API server is ready first will do.
	ready := component.Each(component.StepControlPlane, controlPlanes)
	if in.LeavesAPIPort() {
		ready = nil // they run, and are restarted in the end
	}
	if record(recordCluster) != digests.cluster {
		out.Add(plan.Step{
			ID: component.StepClusterInit, Title: "store the cluster's settings and the rules for joining", Why: why(recordCluster),
			// cluster-info is made of what a host's admin.conf says.
			Needs:    component.Each(component.StepMove, controlPlanes),
			NeedsAny: ready,
			Changes: []plan.Change{
				{What: "configmap kube-system/kubeadm-config", Action: "update"},
				{What: "configmap kube-system/kubelet-config", Action: "update"},
				{What: "configmap kube-public/cluster-info", Action: "update"},
			},
		}, clusterPhases{
			subject: recordCluster, digest: digests.cluster, candidates: hostsOf(in, s),
			phases: [][]string{{"upload-config", "all"}, {"bootstrap-token"}},
		})
	}
	if record(recordProxy) != digests.kubeProxy {
		step := plan.Step{
			ID: component.StepKubeProxy, Title: "run kube-proxy", Why: why(recordProxy),
			// Where the endpoint has a new name, every node must know it, and be led somewhere by it.
			Needs:   append(component.Each(component.StepNames, in.Cluster.Nodes()), component.StepWay, component.StepClusterInit),
			Changes: []plan.Change{{What: component.KubeProxy, Action: "update"}},
		}
		if in.Unasked() || record(recordProxy) != "" {
			step.Impact = plan.ImpactRestart // its pods, one after another
		}
		out.Add(step, kubeProxy{clusterPhases{
			subject: recordProxy, digest: digests.kubeProxy, candidates: hostsOf(in, s),
			phases: [][]string{{"addon", "kube-proxy"}}, workload: component.KubeProxy,
		}})
	}
	if record(recordDNS) != digests.coreDNS {
		out.Add(plan.Step{
			ID: component.StepCoreDNS, Title: "run coredns", Why: why(recordDNS),
			// A pod that is started before the pod network is there fails, and is
			// tried again only after ten seconds.
			Needs:   []plan.ID{component.StepNetwork, component.StepClusterInit},
			Changes: []plan.Change{{What: component.CoreDNS, Action: "update"}},
		}, clusterPhases{
			subject: recordDNS, digest: digests.coreDNS, candidates: hostsOf(in, s),
			phases: [][]string{{"addon", "coredns"}}, workload: component.CoreDNS,
		})
	}
}

func hostsOf(in component.Input, s settings) []host {
	var out []host
	for _, h := range in.Cluster.ControlPlanes() {
		out = append(out, forCluster(h, s))
	}
	return out
}
