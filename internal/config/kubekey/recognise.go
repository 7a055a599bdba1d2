package kubekey

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

// The kinds of documents that KubeKey knows.
const (
	kindCluster   = "Cluster"   // versions 1 to 3
	kindManifest  = "Manifest"  // versions 2 and 3: what an offline artefact holds
	kindInventory = "Inventory" // version 4
	kindConfig    = "Config"    // version 4
)

// Recognises reports whether a YAML document is one of KubeKey's. KubeKey itself
// does not look at apiVersion, and guides print excerpts without the first
// lines, so that the shape tells too.
func Recognises(root *yaml.Node) bool { return kindOf(root) != "" }

// kindOf is the kind of a document of KubeKey's, by what it says or else by its
// shape; it is empty for all other documents.
func kindOf(root *yaml.Node) string {
	version, _ := strict.ScalarAt(root, "apiVersion")
	kind, _ := strict.ScalarAt(root, "kind")
	group, _, _ := strings.Cut(version, "/")
	if strings.HasPrefix(group, "kubekey.") { // kubekey.kubesphere.io and more: KubeKey goes by the kind
		if kind == "" {
			kind = shapeOf(root)
		}
		if kind == "" {
			kind = kindCluster
		}
		return kind
	}
	if group == "quorate.dev" {
		return ""
	}
	shape := shapeOf(root)
	switch {
	case shape == "" || kind != "" && kind != shape:
		return ""
	case version == "":
		return shape
	}
	// Another tool's apiVersion: only what no other tool has counts.
	if shape == kindCluster && strict.Child(strict.Child(root, "spec"), "roleGroups") != nil {
		return shape
	}
	return ""
}

// shapeOf is the kind that a document has the shape of, or "".
func shapeOf(root *yaml.Node) string {
	spec := strict.Child(root, "spec")
	hosts := strict.Child(spec, "hosts")
	isList := hosts != nil && hosts.Kind == yaml.SequenceNode
	endpoint := strict.Child(spec, "controlPlaneEndpoint")
	kubernetes := strict.Child(spec, "kubernetes")
	switch {
	case strict.Child(spec, "roleGroups") != nil,
		endpoint != nil && (isList || strict.Child(endpoint, "host") == nil),
		isList && hasKubeKeyHost(hosts):
		return kindCluster
	case strict.Child(spec, "groups") != nil && !isList:
		return kindInventory
	case strict.Child(kubernetes, "kube_version") != nil, strict.Child(kubernetes, "control_plane_endpoint") != nil:
		return kindConfig
	}
	return ""
}

// hasKubeKeyHost reports whether a list of hosts is KubeKey's: they have no
// roles of their own, and say beside the name what ours say in an ssh block.
func hasKubeKeyHost(hosts *yaml.Node) bool {
	for _, h := range hosts.Content {
		if strict.Child(h, "roles") != nil || strict.Child(h, "role") != nil || strict.Child(h, "ssh") != nil {
			return false
		}
		for _, key := range []string{"user", "password", "privateKeyPath", "privateKey"} {
			if strict.Child(h, key) != nil {
				return true
			}
		}
	}
	return false
}
