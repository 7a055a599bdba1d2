package component

import (
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/plan"
)

// Subjects of the steps that other parts' steps need.
const (
	StepPackages     = "os/packages"
	StepSettings     = "os/settings"
	StepRuntime      = "containerd/service"
	StepImages       = "containerd/images"
	StepBinaries     = "kubernetes/binaries"
	StepKubelet      = "kubernetes/kubelet-unit"
	StepRegister     = "kubernetes/register" // a kubelet that runs makes its deleted node anew
	StepAuthorities  = "pki/authorities"
	StepEtcdMember   = "etcd/member"
	StepEtcdAlarm    = "etcd/alarm" // it stops all writes, so nothing else goes before it
	StepEtcdClient   = "etcd/client-certificate"
	StepCertificates = "controlplane/certificates"
	StepControlPlane = "controlplane/static-pods"
	StepClusterInit  = "kubernetes/cluster-settings"
	StepNetwork      = "network/flannel"
	StepProxy        = "endpoint/proxy"
	StepVIP          = "endpoint/vip"
	StepProof        = "endpoint/proof"     // nothing is installed before it
	StepWay          = "endpoint/way"       // the way that nodes are about to be given leads to the API servers
	StepNames        = "endpoint/name"      // a node learns the endpoint's new name, beside the old one
	StepMove         = "endpoint/node"      // a node is given its way
	StepHostPods     = "endpoint/host-pods" // a node's own pods take its hosts file in
	StepRetire       = "endpoint/retire"    // what nobody needs any more ends
	StepLeave        = "endpoint/leave-vip" // a host stops to carry the VIP
	StepBackends     = "endpoint/backends"  // of an external balancer, all active
	StepJoin         = "worker/join"
	StepMark         = "controlplane/mark"
	StepKubeProxy    = "kubernetes/kube-proxy"
	StepCoreDNS      = "kubernetes/coredns"
	StepLabels       = "node/labels"
	StepSettled      = "kubernetes/settled"
	StepSpread       = "kubernetes/spread"
)

// The add-ons' workloads, as kind/namespace/name.
const (
	KubeProxy = "DaemonSet/kube-system/kube-proxy"
	CoreDNS   = "Deployment/kube-system/coredns"
	Flannel   = "DaemonSet/kube-flannel/kube-flannel-ds"
)

// Each makes the IDs of a subject on every one of the hosts.
func Each(subject string, hosts []*cluster.Host) []plan.ID {
	ids := make([]plan.ID, len(hosts))
	for i, h := range hosts {
		ids[i] = plan.On(subject, h.Name)
	}
	return ids
}
