package component

import (
	"context"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// KubeletRecord holds, on every node, the settings that its kubelet was last
// given. It is written after the kubelet was seen to run with them.
const KubeletRecord = QuorateDir + "/kubelet.yaml"

// KubeletConfiguration are the settings that all kubelets share, as the
// document that kubeadm is given: Quorate's own with the user's laid over.
func KubeletConfiguration(c *cluster.Cluster, snap *state.Snapshot) map[string]any {
	own := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"cgroupDriver":  "systemd",
		"clusterDNS":    []any{c.DNSIP().String()},
		"clusterDomain": c.Kubernetes.DNSDomain,
		"maxPods":       c.Kubernetes.MaxPods,
		// Certificates that a kubelet asks the cluster for are renewed in time.
		"rotateCertificates": true,
	}
	for _, h := range c.Nodes() {
		if f := snap.Facts(h.Name); f != nil && f.Cgroup != "v2" {
			own["failCgroupV1"] = false // at least one host still runs cgroup v1
		}
	}
	if len(c.Kubernetes.FeatureGates) > 0 {
		own["featureGates"] = FeatureGates(c)
	}
	return Overlay(own, c.Kubernetes.KubeletConfiguration)
}

// FeatureGates are the cluster's, as a part of a document.
func FeatureGates(c *cluster.Cluster) map[string]any {
	out := make(map[string]any, len(c.Kubernetes.FeatureGates))
	for name, on := range c.Kubernetes.FeatureGates {
		out[name] = on
	}
	return out
}

// Document writes a document as YAML, its keys sorted. What cannot be written
// is a defect of whoever made it, so it panics.
func Document(document map[string]any) []byte {
	text, err := yaml.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("component: a document must marshal: %v", err))
	}
	return text
}

// KubeletSettings is the record of a node whose kubelet runs with the cluster's
// present settings.
func KubeletSettings(c *cluster.Cluster, snap *state.Snapshot) File {
	return File{
		Path: KubeletRecord, Mode: 0o600,
		Content: append([]byte("# Written by quorate: the shared settings that this node's kubelet runs with.\n"), Document(KubeletConfiguration(c, snap))...),
	}
}

// RecordKubelet notes on a host that its kubelet runs with these settings.
func RecordKubelet(ctx context.Context, rt *Runtime, hostName string, record File) error {
	_, err := WriteFiles(ctx, rt, hostName, []File{record})
	return err
}
