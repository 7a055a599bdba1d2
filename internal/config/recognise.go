package config

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/diag"
)

// This file is the one place where a file's format is recognised. An importer
// of another format is a package below this one (config/kubekey, config/ansible)
// that knows only api/v1alpha1 and diag: it gives a v1alpha1 document, the place
// of each value by its path in that document, and its own findings. document
// calls it and puts the three into the report, as decode does with our own
// format; defaults and checks then are the same for all.

// foreign is a format of another tool: how to know it, and what it is called.
type foreign struct {
	name       string
	recognises func(root *yaml.Node) bool
}

// foreignFormats lists the YAML formats that users come with.
func foreignFormats() []foreign {
	group := func(names ...string) func(*yaml.Node) bool {
		return func(root *yaml.Node) bool {
			version, _ := scalarAt(root, "apiVersion")
			for _, name := range names {
				if strings.HasPrefix(version, name+"/") {
					return true
				}
			}
			return false
		}
	}
	return []foreign{
		{"a KubeKey file", group("kubekey.kubesphere.io", "kubekey.io")},
		{"a KubeSphere ClusterConfiguration", group("installer.kubesphere.io")},
		{"a k0sctl file", group("k0sctl.k0sproject.io")},
		{"a kubeadm configuration", group("kubeadm.k8s.io")},
		{"an Ansible inventory (kubespray's hosts.yaml)", func(root *yaml.Node) bool {
			return child(root, "apiVersion") == nil && child(child(root, "all"), "hosts") != nil
		}},
	}
}

// iniSection is a line such as [kube-master] or [k8s-cluster:children].
var iniSection = regexp.MustCompile(`(?m)^\[[A-Za-z_][\w.-]*(:(children|vars))?\][ \t]*\r?$`)

// document makes the v1alpha1 document of a file's content, or reports why not
// and returns nil. Errors in the document's keys and types are reported too;
// the document then holds what could be read, so that it can be checked further.
func document(r *report, data []byte) *v1alpha1.Cluster {
	if !checkText(r, data) {
		return nil
	}
	if at := iniSection.FindIndex(data); at != nil {
		line := 1 + strings.Count(string(data[:at[0]]), "\n")
		notReadYet(r, diag.Position{Line: line, Column: 1}, "an Ansible inventory (hosts.ini)")
		return nil
	}
	roots := parseYAML(r, data)
	for _, root := range roots {
		hideSecrets(r.src, root)
	}
	if len(roots) == 0 {
		if len(r.list) == 0 {
			r.errorAt(diag.Position{}, "", "the file is empty but for comments")
		}
		return nil
	}
	for _, root := range roots {
		for _, f := range foreignFormats() {
			if f.recognises(root) {
				notReadYet(r, position(root), f.name)
				return nil
			}
		}
	}
	root := roots[0]
	if len(roots) > 1 {
		r.errorAt(position(roots[1]), "put each cluster in a file of its own",
			"a second document: a cluster file holds one")
	}
	if !ours(r, root) {
		return nil
	}
	doc := &v1alpha1.Cluster{}
	decode(r, root, doc)
	return doc
}

// notReadYet reports a file of another tool.
func notReadYet(r *report, at diag.Position, what string) {
	r.errorAt(at, fmt.Sprintf("write a cluster file of apiVersion %s; the smallest one only lists the hosts", v1alpha1.APIVersion),
		"this is %s; such files are not read yet by this version", what)
}

// ours reports whether the document says that it is a cluster file of a version
// that is read, and complains if not.
func ours(r *report, root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		r.errorAt(position(root), fmt.Sprintf("a cluster file begins with: apiVersion: %s", v1alpha1.APIVersion),
			"a cluster file must be a mapping (key: value), not %s", describe(root))
		return false
	}
	fine := true
	for _, want := range []struct{ key, value string }{{"apiVersion", v1alpha1.APIVersion}, {"kind", v1alpha1.Kind}} {
		got, n := scalarAt(root, want.key)
		hint := fmt.Sprintf("write %s: %s", want.key, want.value)
		switch {
		case n == nil:
			r.errorAt(position(root), hint, "%s is missing", want.key)
			fine = false
		case got != want.value:
			r.errorAt(position(n), hint, "%s %q is not one that this version reads", want.key, clip(printableText(got)))
			fine = false
		}
	}
	return fine
}

// child is the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// scalarAt is the text of a mapping's key and its node; the node is nil when
// the key is missing.
func scalarAt(n *yaml.Node, key string) (string, *yaml.Node) {
	v := child(n, key)
	if v == nil || v.Kind != yaml.ScalarNode {
		return "", v
	}
	return v.Value, v
}
