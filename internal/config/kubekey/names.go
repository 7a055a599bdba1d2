package kubekey

import (
	"regexp"
	"strings"

	"github.com/quorate/quorate/internal/config/strict"
)

// defaultDomain is KubeKey's default of both the cluster's name and its DNS
// domain.
const defaultDomain = "cluster.local"

// label is what a cluster of ours may be called.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// names finds the cluster's name and its DNS domain. In KubeKey 1, clusterName
// was the domain; later, dnsDomain took that part over, and what was left to
// clusterName is the name of the kubeconfig's context.
func (m *importer) names(f *file) {
	const clusterName = strict.Path("spec.kubernetes.clusterName")
	k := &f.Spec.Kubernetes
	m.leaveOut(
		leftOut{from: "metadata.namespace", value: f.Metadata.Namespace, follows: "it means nothing to KubeKey either", hint: "remove it"},
		leftOut{from: "metadata.labels", value: f.Metadata.Labels, follows: "they mean nothing to KubeKey either", hint: "remove them"},
		leftOut{from: "metadata.annotations", value: f.Metadata.Annotations, follows: "they mean nothing to KubeKey either", hint: "remove them"},
		leftOut{from: "metadata.creationTimestamp", value: f.Metadata.CreationTimestamp, follows: "it means nothing to KubeKey either", hint: "remove it"},
		leftOut{from: "metadata.generateName", value: f.Metadata.GenerateName, follows: "it means nothing to KubeKey either", hint: "remove it"},
		leftOut{from: "metadata.finalizers", value: f.Metadata.Finalizers, follows: "they mean nothing to KubeKey either", hint: "remove them"},
		leftOut{from: "metadata.resourceVersion", value: f.Metadata.ResourceVersion, follows: "it means nothing to KubeKey either", hint: "remove it"},
		leftOut{from: "metadata.uid", value: f.Metadata.UID, follows: "it means nothing to KubeKey either", hint: "remove it"},
		leftOut{from: "metadata.generation", value: f.Metadata.Generation, follows: "it means nothing to KubeKey either", hint: "remove it"},
	)
	set(m, "spec.kubernetes.dnsDomain", &m.doc.Spec.Kubernetes.DNSDomain, "spec.kubernetes.dnsDomain", k.DNSDomain)
	isDomain := k.ClusterName != "" && k.ClusterName != defaultDomain && k.DNSDomain == ""
	switch {
	case isDomain && strings.HasSuffix(f.APIVersion, "/v1alpha1"):
		set(m, "spec.kubernetes.dnsDomain", &m.doc.Spec.Kubernetes.DNSDomain, clusterName, k.ClusterName)
	case isDomain && strings.Contains(k.ClusterName, "."):
		m.warn(clusterName, "if services were found below it, write dnsDomain: "+word(k.ClusterName)+" too",
			"kubernetes.clusterName is not taken for the DNS domain, as KubeKey's first versions did: services are found below %s", defaultDomain)
	}
	switch {
	case label.MatchString(k.ClusterName):
		set(m, "metadata.name", &m.doc.Metadata.Name, clusterName, k.ClusterName)
		if n := f.Metadata.Name; n != "" && n != k.ClusterName {
			m.warn("metadata.name", "", "metadata.name is not taken over: the cluster is called after kubernetes.clusterName, %s", k.ClusterName)
		}
	case label.MatchString(f.Metadata.Name):
		set(m, "metadata.name", &m.doc.Metadata.Name, "metadata.name", f.Metadata.Name)
	case f.Metadata.Name != "":
		m.warn("metadata.name", "use lower-case letters, digits and - only", "metadata.name %s cannot be a cluster's name here: the cluster is called kubernetes", quote(f.Metadata.Name))
	}
}
