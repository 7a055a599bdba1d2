package config

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/ansible"
	"github.com/quorate/quorate/internal/config/kubekey"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// This file is the one place where a format is recognised. An importer of
// another tool's format is a package below this one (config/kubekey,
// config/ansible) that knows only api/v1alpha1, config/strict and diag: it makes
// a v1alpha1 document of the files, notes the place of each value by its path in
// that document, and reports its own findings. Defaults and checks then are the
// same for all.

// format is a format of another tool: how to know it, what it is called, and
// how to read it.
type format struct {
	name string
	// recognises tells by one of a file's YAML documents, or by its text where
	// it is no YAML (root is then nil).
	recognises func(root *yaml.Node, f *strict.File) bool
	// secretHint is where else a secret can be than in such a file.
	secretHint string
	// hint is what to do about a format that is not read.
	hint string
	// imports makes a document of all the files that are read together. It
	// returns nil only when it reported why. Nil means that the format is known
	// but not read.
	imports func(r *strict.Report, files []*strict.File) *v1alpha1.Cluster
}

// formats lists the formats that users come with.
func formats() []format {
	group := func(names ...string) func(*yaml.Node, *strict.File) bool {
		return func(root *yaml.Node, _ *strict.File) bool {
			version, _ := strict.ScalarAt(root, "apiVersion")
			for _, name := range names {
				if strings.HasPrefix(version, name+"/") {
					return true
				}
			}
			return false
		}
	}
	const (
		written     = "`quorate import` makes a cluster file of it, which can say where a password is: passwordFrom: {env: VARIABLE}, {file: PATH}, {prompt: true} or {age: …}"
		orLookup    = "write \"{{ lookup('env', 'VARIABLE') }}\" in its place; or " + written
		writeOut    = "write out what Ansible makes of it, and name that: ansible-inventory -i FILE --list --yaml > hosts.yaml"
		onlyAnsible = ", which only Ansible can read"
		labInstead  = "for a cluster on this machine there is `quorate lab up`; for servers, write a cluster file"
		takeOut     = "write what is below data: hosts.yml of the inventory's ConfigMap into a file hosts.yml, and what is below group_vars.yml into group_vars/all.yml beside it: -f hosts.yml reads both"
	)
	return []format{
		{name: "a KubeKey file", secretHint: written, recognises: func(root *yaml.Node, _ *strict.File) bool { return root != nil && kubekey.Recognises(root) }, imports: kubekey.Import},
		{name: "a k0sctl file", recognises: group("k0sctl.k0sproject.io", "k0s.k0sproject.io")},
		{name: "a kubeadm configuration", recognises: group("kubeadm.k8s.io")},
		{name: "a Clusterfile of sealos", recognises: group("apps.sealos.io")},
		{name: "a Clusterfile of sealer", recognises: group("sealer.cloud", "sealer.aliyun.com")},
		{name: "a configuration of kind", recognises: group("kind.x-k8s.io"), hint: labInstead},
		{name: "a configuration of k3d", recognises: group("k3d.io"), hint: labInstead},
		{name: "a KubeOne file", recognises: group("kubeone.k8c.io", "kubeone.io")},
		{name: "a kOps file", recognises: group("kops.k8s.io")},
		{name: "an eksctl file", recognises: group("eksctl.io")},
		{name: "a resource of Cluster API", recognises: group("cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io")},
		{name: "a resource of kubean", recognises: group("kubean.io"), hint: takeOut},
		{name: "a ConfigMap with an inventory in it, such as kubean has", recognises: isInventoryInConfigMap, hint: takeOut},
		{name: "a cluster.yml of RKE", recognises: isRKE},
		{name: "a configuration of RKE2 or K3s", recognises: isRKE2},
		{name: "a configuration of Talos", recognises: isTalos},
		{name: "an inventory of TimeBye/kubeadm-ha", recognises: func(_ *yaml.Node, f *strict.File) bool { return !f.Gathered && ansible.IsKubeadmHA(f) },
			hint: "write a cluster file: a host's groups are its roles; without lb_kube_apiserver_ip its balancer is mode localhost, with one mode managed"},
		{name: "a file of settings for an inventory plugin" + onlyAnsible, hint: writeOut, recognises: func(root *yaml.Node, f *strict.File) bool { return !f.Gathered && ansible.IsPlugin(root) }},
		{name: "an inventory as programs write it for Ansible, in JSON", hint: writeOut, recognises: func(root *yaml.Node, f *strict.File) bool { return !f.Gathered && ansible.IsListing(root) }},
		{name: "an inventory in TOML", hint: writeOut, recognises: func(_ *yaml.Node, f *strict.File) bool { return !f.Gathered && ansible.IsTOML(f) }},
		{name: "a program, such as an inventory script" + onlyAnsible, hint: writeOut, recognises: func(root *yaml.Node, f *strict.File) bool { return !f.Gathered && root == nil && ansible.IsScript(f) }},
		{name: "an Ansible inventory", secretHint: orLookup, imports: ansible.Import, recognises: func(root *yaml.Node, f *strict.File) bool {
			return root == nil && ansible.IsINI(f.Data) || ansible.IsYAML(root)
		}},
		{name: "variables of an Ansible inventory", secretHint: orLookup, imports: ansible.Import, recognises: func(root *yaml.Node, f *strict.File) bool {
			return ansible.IsVariables(root) || ansible.IsEncrypted(f)
		}},
	}
}

// document makes the v1alpha1 document of the files' content, or reports why not
// and returns nil. Errors in the document's keys and types are reported too;
// the document then holds what could be read, so that it can be checked further.
// A document that configures KubeSphere may come with any format; nil if none.
func document(r *strict.Report, files []*strict.File, o *Options) (*v1alpha1.Cluster, *KubeSphere) {
	readable := true
	for _, f := range files {
		readable = parse(r.On(f.Source), f) && readable
	}
	if !readable {
		return nil, nil
	}
	kubeSphere := takeKubeSphere(r, files)
	if f, root, known := recognise(files); known != nil {
		if known.imports == nil {
			notReadYet(r.On(f.Source), root, known)
			return nil, kubeSphere
		}
		o.secretHint, o.isForeign = known.secretHint, true
		return known.imports(r, files), kubeSphere
	}
	if len(files) > 1 {
		r.On(files[1].Source).ErrorAt(diag.Position{}, "name one file; several are for inventories with their variables",
			"the file is a second one, and a cluster file stands alone")
		return nil, kubeSphere
	}
	return own(r, files[0]), kubeSphere
}

// parse reads a file's YAML, if that is what it is, and reports whether the
// file can be read at all.
func parse(r *strict.Report, f *strict.File) bool {
	if !strict.CheckText(r, f.Data) {
		return false
	}
	if ansible.IsINI(f.Data) || ansible.IsTOML(f) || ansible.IsScript(f) {
		return true
	}
	var ok bool
	if f.Roots, ok = strict.ParseYAML(r, f.Data); !ok {
		return false
	}
	strict.HideSecrets(f.Source, f.Roots)
	if fine := strict.CheckPasswords(r, f.Roots); !strict.CheckBlanks(r, f.Roots) || !fine {
		return false
	}
	if len(f.Roots) == 0 {
		r.ErrorAt(diag.Position{}, "", "the file is empty but for comments")
	}
	return len(f.Roots) > 0
}

// recognise finds the other tool's format that any of the files has, with the
// file and the YAML document that told; nil if there is none.
func recognise(files []*strict.File) (*strict.File, *yaml.Node, *format) {
	for _, known := range formats() {
		for _, f := range files {
			if f.Roots == nil && known.recognises(nil, f) {
				return f, nil, &known
			}
			for _, root := range f.Roots {
				if known.recognises(root, f) {
					return f, root, &known
				}
			}
		}
	}
	return nil, nil, nil
}

// notReadYet reports a file of another tool.
func notReadYet(r *strict.Report, root *yaml.Node, known *format) {
	at := diag.Position{Line: 1, Column: 1}
	if root != nil {
		at = strict.Position(root)
	}
	hint := cmp.Or(known.hint, fmt.Sprintf("write a cluster file of apiVersion %s; the smallest one only lists the hosts", v1alpha1.APIVersion))
	r.ErrorAt(at, hint, "this is %s; such files are not read by this version", known.name)
}

// own decodes a file of our own format.
func own(r *strict.Report, f *strict.File) *v1alpha1.Cluster {
	if len(f.Roots) == 0 {
		r.ErrorAt(diag.Position{}, "put the cluster's document before it", "the file configures KubeSphere and describes no cluster")
		return nil
	}
	if len(f.Roots) > 1 {
		r.ErrorAt(strict.Position(f.Roots[1]), "put each cluster in a file of its own",
			"a second document: a cluster file holds one")
	}
	if !ours(r, f.Roots[0]) || !strict.CheckSpecPlace(r, f.Roots[0]) {
		return nil
	}
	doc := &v1alpha1.Cluster{}
	strict.Decode(r, f.Roots[0], doc, strict.Options{})
	return doc
}

// ours reports whether the document says that it is a cluster file of a version
// that is read, and complains if not.
func ours(r *strict.Report, root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		r.ErrorAt(strict.Position(root), fmt.Sprintf("a cluster file begins with: apiVersion: %s", v1alpha1.APIVersion),
			"a cluster file must be a mapping (key: value), not %s", strict.Describe(root))
		return false
	}
	fine := true
	for _, want := range []struct{ key, value string }{{"apiVersion", v1alpha1.APIVersion}, {"kind", v1alpha1.Kind}} {
		got, n := strict.ScalarAt(root, want.key)
		hint := fmt.Sprintf("write %s: %s", want.key, want.value)
		switch {
		case n == nil:
			r.ErrorAt(strict.Position(root), hint, "%s is missing", want.key)
			fine = false
		case got != want.value:
			r.ErrorAt(strict.Position(n), hint, "%s %q is not one that this version reads", want.key, strict.Clip(strict.Printable(got)))
			fine = false
		}
	}
	return fine
}
