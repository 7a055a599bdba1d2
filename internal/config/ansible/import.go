package ansible

import (
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// importer makes a document of an inventory.
type importer struct {
	r     *strict.Report
	inv   *inventory
	files []*strict.File
	doc   *v1alpha1.Cluster
	// isKubeSphere tells KubeSphere 2.x from kubespray, which it is made of.
	isKubeSphere bool
	// isKubeasz tells kubeasz, whose settings have names of their own.
	isKubeasz bool
	// isStacked tells that etcd runs on the control-plane hosts, whatever is in its
	// group.
	isStacked bool
	// members are the hosts that the cluster has, in the document's order.
	members []*host
	// handled are the names of variables that something was made of, or that
	// were told about; referred those that others are written with.
	handled  map[string]bool
	referred map[*variable]bool
	// told are the variables with an error, which several hosts may share.
	told map[*variable]bool
	// keyTold tells that it was told where paths of keys start from.
	keyTold bool
	// accessTold tells that it was told that access_ip is not used.
	accessTold bool
}

// IsInventory reports whether a file is an inventory, INI or YAML.
func IsInventory(f *strict.File) bool {
	if f.Roots == nil {
		return !IsEncrypted(f) && IsINI(f.Data)
	}
	return slices.ContainsFunc(f.Roots, IsYAML)
}

// IsVariables reports whether a document is a file of variables that belongs to
// an inventory: it says nothing by itself.
func IsVariables(root *yaml.Node) bool {
	if root == nil || strict.Child(root, "apiVersion") != nil {
		return false
	}
	for _, name := range []string{"loadbalancer_apiserver", "kube_version", "kube_pods_subnet", "kube_network_plugin", "etcd_deployment_type", "ks_version", "container_manager", "K8S_VER"} {
		if strict.Child(root, name) != nil {
			return true
		}
	}
	return false
}

// Import makes a document of an inventory and the files that belong to it, or
// reports why not and returns nil.
func Import(r *strict.Report, files []*strict.File) *v1alpha1.Cluster {
	var inventories, rest []*strict.File
	for _, f := range files {
		hidePeers(f.Source)
		if IsInventory(f) {
			inventories = append(inventories, f)
		} else {
			rest = append(rest, f)
		}
	}
	if len(inventories) == 0 && IsEncrypted(files[0]) && !files[0].Gathered {
		r.Tell(diag.SeverityError, whole(files[0]), "decrypt it first: ansible-vault view "+filepath.Base(files[0].Path)+"; if it holds variables, name the inventory too", "",
			"the file is encrypted with Ansible Vault, which Quorate does not decrypt: which hosts there are is not known")
		return nil
	}
	if len(inventories) == 0 {
		r.Tell(diag.SeverityError, whole(files[0]), "name the inventory too: -f hosts.ini -f "+filepath.Base(files[0].Path), "",
			"these are variables for an inventory; they do not say which hosts there are")
		return nil
	}
	inv := newInventory(r, inventories[0])
	for _, f := range inventories {
		if f.Roots == nil {
			inv.readINI(f)
			continue
		}
		if len(f.Roots) > 1 {
			inv.fail(strict.Place{Source: f.Source, Position: strict.Position(f.Roots[1])}, "put each inventory into a file of its own", "a second document: an inventory holds one")
		}
		inv.readYAML(f, f.Roots[0])
	}
	_, isNew := inv.groupNamed(groupCluster)
	inv.connect()
	m := &importer{r: r, inv: inv, files: files, doc: &v1alpha1.Cluster{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind},
		handled: map[string]bool{}, referred: map[*variable]bool{}, told: map[*variable]bool{}}
	m.isKubeasz = slices.ContainsFunc(inventories, isKubeasz)
	m.isKubeSphere = !isNew && !m.isKubeasz && isKubeSphere(inv, rest)
	for _, f := range rest {
		inv.readVariables(f, !m.isKubeSphere)
	}
	if inv.exhausted {
		r.MarkBad("spec") // what else would be found follows from that
		return m.doc
	}
	inv.noteIdle()
	if m.isKubeasz {
		m.renameKubeasz()
	}
	r.Set("", whole(inventories[0]))
	r.Set("spec", whole(inventories[0]))
	r.Speak(m.words())
	m.hosts()
	m.settings()
	m.reportUnused()
	return m.doc
}

// isKubeSphere tells KubeSphere 2.x by what only it has: files of variables
// beside the inventory instead of group_vars, or hosts as its guides write them,
// and the old names of groups with none of what kubespray's own inventories have. One that calls the cluster's
// group k8s_cluster is kubespray's, whatever its other names.
func isKubeSphere(inv *inventory, rest []*strict.File) bool {
	for _, name := range []string{groupBastion, groupReflector} {
		if _, ok := inv.groups[name]; ok {
			return false
		}
	}
	if !inv.hasOldNames() || inv.file.Roots != nil {
		return false
	}
	beside := false
	for _, f := range rest {
		if kind, _ := level(f.Path); kind != "" {
			return false
		}
		beside = true
	}
	_, hasRegistry := inv.groups["local_registry"]
	return !slices.ContainsFunc(inv.hosts, func(h *host) bool { return h.vars["etcd_member_name"] != nil || h.vars["access_ip"] != nil }) &&
		(beside || hasRegistry || slices.ContainsFunc(inv.hosts, isKubeSphereHost))
}

// isKubeSphereHost tells a host's line of KubeSphere 2.x from one of an old
// kubespray: the machine that installs is named as local, and a password for sudo
// alone is the login's, too.
func isKubeSphereHost(h *host) bool {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return h.vars[name] != nil })
	}
	connection := h.vars["ansible_connection"]
	return connection != nil && canonical(connection.value) == "local" ||
		has("ansible_become_pass") && !has("ansible_ssh_pass", "ansible_password", "ansible_ssh_private_key_file")
}

// installer is what the inventory is for, in messages.
func (m *importer) installer() string {
	if m.isKubeSphere {
		return "KubeSphere 2.x"
	}
	if m.isKubeasz {
		return "kubeasz"
	}
	return "kubespray"
}
