package kubekey

import (
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// theirVersion is what KubeKey 3 installs where a file names no version.
const theirVersion = "v1.23.17"

// What clusters will not have, as several settings ask for it.
const (
	lostCache   = "node-local DNS"
	lostBackups = "timed backups of etcd"
	lostLogin   = "logging in to registries"
	lostStorage = "a storage class"
	lostAddons  = "add-ons"
	lostMulti   = "further network interfaces of pods"
	lostTimer   = "certificates renewed by a timer"
	lostHub     = "an image registry of its own"
	lostNames   = "settings of CoreDNS"
	lostAudit   = "the audit log"
)

// auditWay is how to have an audit log all the same, where flags are given in a field.
func auditWay(field string) string {
	return "put a policy below /etc/kubernetes/pki on every control-plane host, which the API servers' pods see, and add the flags audit-policy-file, /etc/kubernetes/pki/FILE, and audit-log-path, -, to " + field + ": the log is then what the container prints"
}

// podPidsLimit is KubeKey's default; Kubernetes' own is none.
const podPidsLimit = int64(10000)

func (m *importer) kubernetes(k *kubernetes) {
	const from, to = strict.Path("spec.kubernetes"), strict.Path("spec.kubernetes")
	out := &m.doc.Spec.Kubernetes
	m.version(k)
	set(m, to.Key("maxPods"), &out.MaxPods, from.Key("maxPods"), k.MaxPods)
	set(m, to.Key("nodeCIDRMaskSize"), &out.NodeCIDRMaskSize, from.Key("nodeCidrMaskSize"), k.NodeCidrMaskSize)
	m.proxyModes(from.Key("proxyMode"), k.ProxyMode, from.Key("kubeProxyConfiguration"), k.KubeProxyConfiguration)
	m.texts(to.Key("extraSANs"), &out.ExtraSANs, from.Key("apiserverCertExtraSans"), k.ApiserverCertExtraSans)
	m.gates(from.Key("featureGates"), k.FeatureGates)

	m.args(apiServerArgs, &out.APIServer.ExtraArgs, from.Key("apiserverArgs"), k.APIServerArgs)
	m.args(controllerManagerArgs, &out.ControllerManager.ExtraArgs, from.Key("controllerManagerArgs"), k.ControllerManagerArgs)
	m.args(schedulerArgs, &out.Scheduler.ExtraArgs, from.Key("schedulerArgs"), k.SchedulerArgs)
	m.args(kubeletArgs, &out.Kubelet.ExtraArgs, from.Key("kubeletArgs"), k.KubeletArgs)
	m.kubeletConfiguration(from.Key("kubeletConfiguration"), k.KubeletConfiguration)
	m.podPids(from.Key("podPidsLimit"), k.PodPidsLimit)
	m.proxyArgs(from.Key("kubeProxyArgs"), k.KubeProxyArgs)
	m.proxyConfiguration(from.Key("kubeProxyConfiguration"), k.KubeProxyConfiguration)
	m.masquerade(from.Key("masqueradeAll"), k.MasqueradeAll)

	m.containerManager(from.Key("containerManager"), k.ContainerManager)
	m.leaveOut(
		leftOut{from: from.Key("disableKubeProxy"), value: k.DisableKubeProxy, follows: "kube-proxy is installed, and each apply puts it back where it was removed",
			hint: "give the plugin a setup that works beside kube-proxy; doing without it is not built"},
		leftOut{from: from.Key("nodeCidrMaskSizeIPv6"), value: k.NodeCidrMaskSizeIPv6, harmless: []any{120, 64}, follows: "clusters of this version are IPv4 only"},
		leftOut{from: from.Key("autoRenewCerts"), value: k.AutoRenewCerts, follows: noRenewing, hint: renewWay, lost: lostTimer},
		leftOut{from: from.Key("nodelocaldns"), value: k.Nodelocaldns, follows: "pods ask the cluster's DNS service itself, there is no cache on each node",
			hint: "install NodeLocal DNSCache once the cluster is up, if it is needed", lost: lostCache},
		leftOut{from: from.Key("containerRuntimeEndpoint"), value: k.ContainerRuntimeEndpoint,
			harmless: []any{"unix:///run/containerd/containerd.sock", "unix:///var/run/containerd/containerd.sock"},
			follows:  "the kubelet talks to containerd, at unix:///run/containerd/containerd.sock"},
		leftOut{from: from.Key("nodeFeatureDiscovery"), value: k.NodeFeatureDiscovery, follows: "nodes are not labelled by their hardware", hint: "install Node Feature Discovery once the cluster is up", lost: "Node Feature Discovery"},
		leftOut{from: from.Key("kata"), value: k.Kata, follows: "no Kata runtime is installed", hint: "install Kata Containers once the cluster is up", lost: "Kata Containers"},
		leftOut{from: from.Key("nvidiaRuntime"), value: k.NvidiaRuntime, follows: "containerd has no runtime for NVIDIA's cards", hint: "install NVIDIA's GPU operator once the cluster is up", lost: "NVIDIA's runtime"},
		leftOut{from: from.Key("audit"), value: k.Audit, follows: "the API servers keep no audit log", hint: auditWay("apiserverArgs"), lost: lostAudit},
		leftOut{from: from.Key("imageRepo"), value: k.ImageRepo, follows: "Kubernetes' images come from the bundle", hint: "remove it"},
		leftOut{from: from.Key("etcdBackupDir"), value: k.EtcdBackupDir, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("etcdBackupPeriod"), value: k.EtcdBackupPeriod, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("keepBackupNumber"), value: k.KeepBackupNumber, follows: noBackups, hint: backUp, lost: lostBackups},
		leftOut{from: from.Key("etcdBackupScript"), value: k.EtcdBackupScript, follows: noBackups, hint: backUp, lost: lostBackups},
	)
}

// containerManager speaks about runtimes that are not the one there is.
func (m *importer) containerManager(from strict.Path, manager string) {
	if manager != "" && manager != "containerd" {
		m.warn(from, "write containerd; what runs under another runtime does not move to it",
			"%s %s is not taken over: containerd runs the containers", name(from), word(manager))
	}
}

// version imports the version. Whether it is one that can be installed is
// checked later, as for all files.
func (m *importer) version(k *kubernetes) {
	const from, to = strict.Path("spec.kubernetes.version"), strict.Path("spec.kubernetes.version")
	version, flavour, _ := strings.Cut(k.Version, "-")
	if kind := strings.ToLower(k.Type); kind != "" && kind != "kubernetes" {
		m.fail("spec.kubernetes.type", "remove it, and name a version of Kubernetes itself", "kubernetes.type %s is not supported: Quorate installs Kubernetes itself", quote(k.Type))
		return
	}
	switch lower := strings.ToLower(flavour); {
	case k.Version == "":
		m.warn(from, "add version:, one that `quorate version` lists", "no kubernetes.version is given: the newest is installed that this Quorate is tested with, where KubeKey takes %s", theirVersion)
	case strings.Contains(lower, "k3s"), strings.Contains(lower, "k8e"), strings.Contains(lower, "rke"):
		m.fail(from, "write version: "+word(version)+", Kubernetes itself", "kubernetes.version %s is of %s, which is another distribution: Quorate installs Kubernetes itself", quote(k.Version), word(flavour))
	default:
		set(m, to, &m.doc.Spec.Kubernetes.Version, from, k.Version)
	}
}

// texts imports a list of texts, each with its place.
func (m *importer) texts(to strict.Path, field *[]string, from strict.Path, texts []string) {
	for i, text := range texts {
		if strings.TrimSpace(text) != "" {
			m.add(to, field, from.Index(i), text)
		}
	}
}

// add adds a text to a list of the document, with its place.
func (m *importer) add(to strict.Path, field *[]string, from strict.Path, text string) {
	*field = append(*field, text)
	m.ours.Set(to.Index(len(*field)-1), m.theirs.PlaceOf(from))
	if !m.ours.Given(to) {
		m.ours.Set(to, m.place(from).Called(""))
	}
}
