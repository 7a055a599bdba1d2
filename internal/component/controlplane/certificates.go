package controlplane

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
)

// leaf is a certificate that kubeadm makes on a host.
type leaf struct {
	name      string // without suffix, below KubernetesPKI
	authority string
}

func (l leaf) crt() string { return component.KubernetesPKI + "/" + l.name + ".crt" }
func (l leaf) key() string { return component.KubernetesPKI + "/" + l.name + ".key" }

// authorityFile is the certificate of the authority that signs a leaf.
func (l leaf) authorityFile() string { return component.KubernetesPKI + "/" + l.authority + ".crt" }

const (
	leafAPIServer = "apiserver"
	authorityFile = component.KubernetesPKI + "/ca.crt"
)

// leaves are the certificates that kubeadm makes on a host.
func leaves(c *cluster.Cluster) []leaf {
	list := []leaf{{leafAPIServer, "ca"}, {"apiserver-kubelet-client", "ca"}, {"front-proxy-client", "front-proxy-ca"}}
	if c.Etcd.Mode == cluster.EtcdStacked {
		for _, name := range []string{"apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"} {
			list = append(list, leaf{name, "etcd/ca"})
		}
	}
	return list
}

// kubeconfigs are the kubeconfigs that kubeadm makes on a host, by their paths. That
// of the kubelet, which is KubeletConf, is judged by rules of its own.
func kubeconfigs() []string {
	names := []string{"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf"}
	for i, name := range names {
		names[i] = component.KubernetesDir + "/" + name
	}
	return names
}

// askCertificates asks for what planCertificates judges; package component/pki asks
// for the authorities.
func askCertificates(c *cluster.Cluster, q *protocol.FactsRequest) {
	for _, l := range leaves(c) {
		q.Files = append(q.Files, protocol.FileQuery{Path: l.crt(), Certificate: true, Key: l.key()}, protocol.FileQuery{Path: l.key()})
	}
	for _, path := range kubeconfigs() {
		q.Files = append(q.Files, protocol.FileQuery{Path: path, Certificate: true, Key: path})
	}
}

// planCertificates plans the certificates and kubeconfigs of a host that are missing,
// empty, end soon, or are not what they are to be. It gives the paths of those that
// are made anew.
func planCertificates(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, out *component.Output) (anew []string) {
	op := certificates{address: h.InternalAddress, port: s.Port, restarts: facts.Files[manifest(podAPIServer)].Exists}
	var why []string
	step := plan.Step{
		ID: plan.On(component.StepCertificates, h.Name), Host: h.Name, Title: "make certificates and kubeconfigs",
		Needs: []plan.ID{component.StepAuthorities, plan.On(component.StepBinaries, h.Name), plan.On(component.StepEtcdClient, h.Name)},
	}
	// kubeadm keeps what is there, and fails where it is not whole.
	note := func(reason string, paths ...string) {
		action := "create"
		for _, path := range paths {
			if facts.Files[path].Exists {
				op.replace = append(op.replace, path)
			}
		}
		if facts.Files[paths[0]].Exists {
			action = "update"
		}
		why = append(why, paths[0]+" "+reason)
		step.Changes = append(step.Changes, plan.Change{What: paths[0], Action: action})
		anew = append(anew, paths...)
	}
	names, addresses := sanParts(in.Cluster)
	names = append(names, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc."+in.Cluster.Kubernetes.DNSDomain)
	addresses = append(addresses, in.Cluster.ServiceIP())
	for _, l := range leaves(in.Cluster) {
		reason, certificate := pki.Observed{
			Certificate: facts.Files[l.crt()], Key: facts.Files[l.key()], Authority: facts.Files[l.authorityFile()], Now: facts.Time,
		}.Fault()
		if l.name == leafAPIServer {
			switch {
			case reason != "" && certificate == nil && op.restarts:
				// It is lost, or a run was cut off between the old one and the new one.
				s.SANs = withNames(s.SANs, listOf(facts.Files[configFile].Content, "certSANs"))
			case reason == "":
				if missing := pki.Covers(certificate, names, addresses); len(missing) > 0 {
					reason = "lacks " + strings.Join(missing, ", ")
					s.SANs = withNames(s.SANs, namesOf(certificate))
				}
			}
		}
		if reason != "" {
			note(reason, l.crt(), l.key())
		}
	}
	for _, path := range kubeconfigs() {
		if reason := kubeconfigFault(facts, path); reason != "" {
			note(reason, path)
		}
	}
	if reason := ownKubeletFault(facts); reason != "" {
		// A kubelet does not start with a client certificate of its own that it cannot read.
		note(reason, component.KubeletConf, component.KubeletClient)
	}
	if len(step.Changes) == 0 {
		return nil
	}
	op.host = hostOf(h, s)
	step.Why = strings.Join(why, "; ")
	out.Add(step, op)
	return anew
}

// kubeconfigFault tells why a kubeconfig must be made anew; empty where it serves.
func kubeconfigFault(facts *protocol.Facts, path string) string {
	reason, _ := pki.Observed{
		Certificate: facts.Files[path], Key: facts.Files[path], Authority: facts.Files[authorityFile], Now: facts.Time,
	}.Fault()
	return reason
}

// ownKubeletFault is kubeconfigFault for the kubeconfig of the host's kubelet. Where
// that names the file in which the kubelet renews its certificate by itself, it is
// left to the kubelet when.
func ownKubeletFault(facts *protocol.Facts) string {
	conf, rotated := facts.Files[component.KubeletConf], facts.Files[component.KubeletClient]
	reason, certificate := pki.KubeletFault(conf, rotated, facts.Time)
	switch {
	case reason != "":
		return reason
	case conf.Certificates != rotated.Certificates:
		return kubeconfigFault(facts, component.KubeletConf)
	}
	if cas, err := pki.Parse([]byte(facts.Files[authorityFile].Certificates)); err == nil && certificate.CheckSignatureFrom(cas[0]) != nil {
		return "has a client certificate that was not signed by the CA on this host"
	}
	return ""
}

func planKubelet(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, anew []string, out *component.Output) {
	step := plan.Step{
		ID: plan.On(stepKubelet, h.Name), Host: h.Name, Title: "start the kubelet", Why: "never started",
		Needs: []plan.ID{
			plan.On(component.StepCertificates, h.Name), plan.On(component.StepKubelet, h.Name),
			plan.On(component.StepSettings, h.Name), plan.On(component.StepRuntime, h.Name),
		},
		Changes: []plan.Change{{What: component.KubeletConfig, Action: "create"}, {What: "kubelet.service", Action: "start"}},
	}
	if in.Cluster.PortsDiffer() { // else the API server itself answers under the endpoint's name
		step.Needs = append(step.Needs, plan.On(component.StepProxy, h.Name))
	}
	if config := facts.Files[component.KubeletConfig]; config.Exists {
		switch fault := component.KubeletFilesFault(facts); {
		case config.Size == 0:
			step.Why = component.KubeletConfig + " is empty"
		case fault != "":
			step.Why = fault
		case slices.Contains(anew, component.KubeletConf):
			step.Why = component.KubeletConf + " is made anew"
		default:
			return
		}
		step.Changes[0].Action = "update"
		if facts.Units["kubelet.service"].Up(facts.Time) {
			step.Impact, step.Changes[1].Action = plan.ImpactRestart, "restart"
		}
	}
	op := startKubelet{host: hostOf(h, s), record: component.KubeletSettings(in.Cluster, in.Snapshot)}
	rotates, said := in.Cluster.Kubernetes.KubeletConfiguration["rotateCertificates"].(bool)
	op.finalize = slices.Contains(anew, component.KubeletConf) && facts.Files[component.KubeletConfig].Exists && (rotates || !said)
	out.Add(step, op)
}
