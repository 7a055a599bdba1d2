package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// KubeSphere is the document that configures KubeSphere, as KubeKey's files have
// one behind the cluster's. It is kept as it stands.
type KubeSphere struct {
	// Kind is ClusterConfiguration, or ConfigMap before KubeSphere 3.
	Kind string
	// Version is KubeSphere's, such as v3.4.1; empty where the document does
	// not say it.
	Version string
	// Text is the document without the lines of dashes around it.
	Text string
}

// takeKubeSphere takes the documents that configure KubeSphere out of the files,
// whatever format the files have, and returns the first.
func takeKubeSphere(r *strict.Report, files []*strict.File) *KubeSphere {
	var kept *KubeSphere
	for _, f := range files {
		others := []*yaml.Node{} // not nil: the file is YAML all the same
		for _, root := range f.Roots {
			if !isKubeSphere(root) {
				others = append(others, root)
				continue
			}
			if kept != nil {
				r.On(f.Source).WarnAt(strict.Position(root), "remove one of the two", "a second document configures KubeSphere: only the first is kept")
				continue
			}
			kept = &KubeSphere{Text: textOf(string(f.Data), root)}
			kept.Kind, _ = strict.ScalarAt(root, "kind")
			kept.Version, _ = strict.ScalarAt(strict.Child(strict.Child(root, "metadata"), "labels"), "version")
			// Only KubeSphere 2 and 3 have such documents. There is nothing to advise:
			// 3.4 ends at Kubernetes 1.26, and the installer's images are gone from
			// the registry that it pulls them from.
			r.TellLoss(diag.SeverityWarning, strict.Place{Source: f.Source, Position: strict.Position(root)},
				"it is kept for your own use: KubeSphere 2 and 3 support none of the Kubernetes versions that Quorate installs, and their images are withdrawn", "",
				fmt.Sprintf("the configuration of %s is kept, but not applied: installing KubeSphere is not built", strings.TrimSpace("KubeSphere "+strict.Clip(strict.Printable(kept.Version)))), "KubeSphere")
		}
		if len(f.Roots) > 0 {
			f.Roots = others
		}
	}
	return kept
}

// isKubeSphere reports whether a document configures KubeSphere. kubeadm has a
// ClusterConfiguration too.
func isKubeSphere(root *yaml.Node) bool {
	version, _ := strict.ScalarAt(root, "apiVersion")
	kind, _ := strict.ScalarAt(root, "kind")
	metadata := strict.Child(root, "metadata")
	name, _ := strict.ScalarAt(metadata, "name")
	switch kind {
	case "ClusterConfiguration":
		return !strings.HasPrefix(version, "kubeadm.k8s.io/")
	case "ConfigMap":
		return name == "ks-installer" || strict.Child(strict.Child(metadata, "labels"), "version") != nil
	}
	return false
}

// textOf cuts a document out of its file: from behind the line of dashes before
// its first node to the next one.
func textOf(data string, root *yaml.Node) string {
	var document strings.Builder
	line := 0
	for text := range strings.Lines(data) {
		line++
		rest, isMark := strings.CutPrefix(text, "---")
		isMark = isMark && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
		isEnd := strings.HasPrefix(text, "...") && strings.TrimSpace(text) == "..."
		switch {
		case (isMark || isEnd) && line > root.Line:
			return document.String()
		case isMark:
			document.Reset()
			document.WriteString(strings.TrimLeft(rest, " \t\r\n")) // --- {a: b} begins on the very line
		case !isEnd:
			document.WriteString(text)
		}
	}
	return document.String()
}
