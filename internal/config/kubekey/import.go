package kubekey

import (
	"cmp"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// document is one of the YAML documents that are read.
type document struct {
	root   *yaml.Node
	report *strict.Report
}

// Import makes a document of KubeKey's files: one with a document of kind
// Cluster, or an Inventory and a Config, in one file or two. It returns nil only
// when it reported why. What it reports besides are the fields that have no
// place in our document, and what cannot work.
func Import(r *strict.Report, files []*strict.File) *v1alpha1.Cluster {
	found := map[string]document{}
	fine := true
	for _, f := range files {
		if f.Roots == nil {
			r.On(f.Source).ErrorAt(diag.Position{}, "name KubeKey's files alone", "the file is none of KubeKey's, as the others are")
			fine = false
		}
		for _, root := range f.Roots {
			fine = sort(found, document{root, r.On(f.Source)}) && fine
		}
	}
	cluster, isCluster := found[kindCluster]
	inventory, isInventory := found[kindInventory]
	config, isConfig := found[kindConfig]
	switch {
	case !fine:
		return nil
	case isCluster && (isInventory || isConfig):
		other := inventory
		if !isInventory {
			other = config
		}
		other.report.ErrorAt(strict.Position(other.root), "name one of them only",
			"a document of KubeKey 4 beside one of kind Cluster, which is KubeKey 1 to 3")
		return nil
	case isCluster:
		return importCluster(r, cluster)
	case isInventory:
		return importInventory(r, inventory, config)
	case isConfig:
		config.report.ErrorAt(strict.Position(config.root), "name the inventory too: -f inventory.yaml -f config.yaml",
			"a KubeKey 4 Config without its Inventory: no hosts are known")
		return nil
	}
	r.ErrorAt(diag.Position{}, "name the file with KubeKey's kind: Cluster, or its Inventory", "the file describes no cluster")
	return nil
}

// sort puts a document to its kind, or says what becomes of it, and reports
// whether that is fine.
func sort(found map[string]document, d document) bool {
	kind := kindOf(d.root)
	at := strict.Position(d.root)
	switch kind {
	case kindCluster, kindInventory, kindConfig:
		if before, ok := found[kind]; ok {
			d.report.ErrorAt(at, "put each cluster in files of its own", "a second document of kind %s, the first is on line %d", kind, before.root.Line)
			return false
		}
		found[kind] = d
	case kindManifest:
		d.report.WarnAt(at, "make one with: quorate bundle build",
			"the Manifest is not used: it says what KubeKey's offline artefact holds, and a bundle takes its place here")
	case "":
		d.report.WarnAt(at, "remove it, or apply it with kubectl once the cluster is up", "%s is none that KubeKey reads: it is ignored", described(d.root))
	default:
		d.report.WarnAt(at, "", "a document of KubeKey's kind %s describes no cluster: it is ignored", word(kind))
	}
	return true
}

// described names a document of somebody else's.
func described(root *yaml.Node) string {
	if kind, _ := strict.ScalarAt(root, "kind"); kind != "" {
		return fmt.Sprintf("a document of kind %s", word(kind))
	}
	return "a document"
}

// importCluster makes a document of one of kind Cluster.
func importCluster(r *strict.Report, d document) *v1alpha1.Cluster {
	m := newImporter(r, d.report, &v1alpha1.Cluster{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.Kind})
	if !strict.CheckSpecPlace(d.report, d.root) {
		return nil
	}
	var f file
	strict.Decode(m.theirs, d.root, &f, strict.Options{Loose: true, Unknown: m.unknown})
	if !m.theirs.Given("spec") {
		m.theirs.ErrorAt(strict.Position(d.root), "a KubeKey file has hosts, roleGroups and more below spec", "the document has no spec")
		return nil
	}
	r.Set("", m.theirs.PlaceOf(""))
	r.Set("spec", m.theirs.PlaceOf("spec"))
	r.Speak(clusterWords())
	m.cluster(&f)
	return m.doc
}

// cluster imports all parts, hosts first: the others depend on who is what.
func (m *importer) cluster(f *file) {
	s := &f.Spec
	m.hosts(s)
	m.controlPlaneEndpoint(&s.ControlPlaneEndpoint)
	m.kubernetes(&s.Kubernetes)
	m.names(f)
	m.etcd(&s.Etcd)
	m.network(&s.Network)
	m.registry(&s.Registry)
	m.system(&s.System)
	m.dns(&s.DNS)
	m.storage(&s.Storage)
	m.addons(s.Addons)
	m.leaveOut(
		leftOut{from: "status", value: f.Status, follows: "KubeKey wrote down there what it had done", hint: "remove it"},
		leftOut{from: "spec.kubesphere", value: s.KubeSphere, follows: "installing KubeSphere is not built", hint: "KubeSphere 3 supports none of the Kubernetes versions that Quorate installs, and its images are withdrawn", lost: "KubeSphere"},
	)
}

// unknown warns about a key that KubeKey does not have: it goes over such keys
// in silence, and so nobody ever learned that they have no effect.
func (m *importer) unknown(key *yaml.Node, p strict.Path, known []string) {
	if m.told[key] {
		return // again, by an alias
	}
	m.told[key] = true
	hint := "remove it"
	if !m.theirs.Full(diag.SeverityWarning) {
		hint = cmp.Or(strict.KeyHint(key.Value, known), hint)
	}
	where := name(p)
	if where == "" || where == "spec" {
		where = "the document"
	}
	m.theirs.WarnAt(strict.Position(key), hint, "unknown key %s in %s: KubeKey ignores it, and so does Quorate", quote(strict.KeyName(key.Value)), word(where))
}
