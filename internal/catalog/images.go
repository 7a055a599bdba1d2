package catalog

import "github.com/quorate/quorate/internal/cluster"

// registry is where upstream publishes Kubernetes' images. The names matter
// even where nothing is ever pulled: kubeadm writes them into its manifests.
const registry = "registry.k8s.io"

// APIServerImage is the full name of the API server's image.
func (r Release) APIServerImage() string { return registry + "/kube-apiserver:" + r.Kubernetes }

// ControllerManagerImage is the full name of the controller manager's image.
func (r Release) ControllerManagerImage() string {
	return registry + "/kube-controller-manager:" + r.Kubernetes
}

// SchedulerImage is the full name of the scheduler's image.
func (r Release) SchedulerImage() string { return registry + "/kube-scheduler:" + r.Kubernetes }

// ProxyImage is the full name of kube-proxy's image.
func (r Release) ProxyImage() string { return registry + "/kube-proxy:" + r.Kubernetes }

// CoreDNSImage is the full name of CoreDNS' image.
func (r Release) CoreDNSImage() string { return registry + "/coredns/coredns:v" + r.CoreDNS }

// PauseImage is the full name of the pod sandbox's image.
func (r Release) PauseImage() string { return registry + "/pause:" + r.Pause }

// EtcdImage is the full name of etcd's image, which a control-plane host needs
// only when etcd is stacked.
func (r Release) EtcdImage() string { return registry + "/etcd:" + r.EtcdImageTag }

// FlannelImage is the full name of the flannel daemon's image.
func (r Release) FlannelImage() string { return "ghcr.io/flannel-io/flannel:v" + r.Flannel }

// AgnhostImage is the full name of Kubernetes' own test image.
func (r Release) AgnhostImage() string {
	return registry + "/e2e-test-images/agnhost:" + r.Agnhost
}

// Images lists the full names of the images that a host with the role must
// have, in the order in which a node needs them. A control-plane host whose
// etcd is stacked needs [Release.EtcdImage] besides. Etcd and load-balancer
// hosts run no containers.
func (r Release) Images(role cluster.Role) []string {
	everyNode := []string{r.PauseImage(), r.ProxyImage(), r.FlannelImage(), r.CoreDNSImage()}
	switch role {
	case cluster.RoleControlPlane:
		return append([]string{
			r.PauseImage(), r.APIServerImage(), r.ControllerManagerImage(), r.SchedulerImage(),
		}, everyNode[1:]...)
	case cluster.RoleWorker:
		return everyNode
	default:
		return nil
	}
}

// KubeadmImages lists what `kubeadm config images list` prints for this
// release, in its order. A bundle holds all of them.
func (r Release) KubeadmImages() []string {
	return []string{
		r.APIServerImage(), r.ControllerManagerImage(), r.SchedulerImage(), r.ProxyImage(),
		r.CoreDNSImage(), r.PauseImage(), r.EtcdImage(),
	}
}
