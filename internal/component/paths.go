package component

// Where the parts of a cluster keep their files. The Kubernetes ones are
// kubeadm's, so that everyone's runbooks hold.
const (
	KubernetesDir = "/etc/kubernetes"
	KubernetesPKI = "/etc/kubernetes/pki"
	ManifestsDir  = "/etc/kubernetes/manifests"
	KubeletDir    = "/var/lib/kubelet"
	KubeletConf   = "/etc/kubernetes/kubelet.conf"
	AdminConf     = "/etc/kubernetes/admin.conf"
	// KubeletConfig is what the kubelet reads; kubeadm writes it.
	KubeletConfig = "/var/lib/kubelet/config.yaml"
	// HAProxyUnitFile is on hosts that balance the endpoint, KeepalivedUnitFile on
	// those that carry its address.
	HAProxyUnitFile    = "/etc/systemd/system/quorate-haproxy.service"
	KeepalivedUnitFile = "/etc/systemd/system/quorate-keepalived.service"
	// QuorateDir holds what Quorate itself notes on a host.
	QuorateDir = "/etc/quorate"
)

// KubeadmConfig is on every control-plane host what kubeadm was given for it.
const KubeadmConfig = QuorateDir + "/kubeadm.yaml"
