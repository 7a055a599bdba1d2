package kubekey

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// The smallest files with everything that others depend on.
const (
	smallest = `
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
spec:
  hosts: [{name: a, address: 10.0.0.1}]
  roleGroups: {master: [a], etcd: [a]}
  kubernetes: {version: v1.37.1}
  network: {plugin: flannel}
`
	smallestInventory = `
apiVersion: kubekey.kubesphere.io/v1
kind: Inventory
spec:
  hosts: {a: {connector: {host: 10.0.0.1}}}
  groups: {kube_control_plane: {hosts: [a]}, etcd: {hosts: [a]}}
`
	smallestConfig = `
apiVersion: kubekey.kubesphere.io/v1
kind: Config
spec:
  kubernetes: {kube_version: v1.37.1}
  cni: {type: flannel}
`
)

// TestNoFieldInSilence sets every field that KubeKey has, one by one, to a value
// that is not its default, and sees that it is taken over or spoken about.
func TestNoFieldInSilence(t *testing.T) {
	for _, test := range []struct {
		texts []string // the first is the one whose fields are set
		of    any
	}{
		{[]string{smallest}, file{}},
		{[]string{smallestInventory, smallestConfig}, inventoryFile{}},
		{[]string{smallestConfig, smallestInventory}, configFile{}},
	} {
		before, said := importTexts(t, test.texts, nil, "")
		for _, path := range leaves(reflect.TypeOf(test.of), nil) {
			where := strings.Join(path.keys, ".")
			if where == "apiVersion" || where == "kind" { // they say only whose document it is
				continue
			}
			t.Run(fmt.Sprintf("%T/%s", test.of, where), func(t *testing.T) {
				after, saidNow := importTexts(t, test.texts, path.keys, sample(where, path.of))
				if reflect.DeepEqual(before, after) && reflect.DeepEqual(said, saidNow) {
					t.Errorf("%s: %s changes nothing and nothing is said", where, sample(where, path.of))
				}
			})
		}
	}
}

// leaf is a field that holds no further fields.
type leaf struct {
	keys []string
	of   reflect.Type
}

// leaves lists the fields of a type, those of lists and mappings in their first
// entry.
func leaves(t reflect.Type, at []string) []leaf {
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return leaves(t.Elem(), append(at[:len(at):len(at)], "0"))
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		return leaves(t.Elem(), append(at[:len(at):len(at)], "a"))
	case t.Kind() != reflect.Struct:
		return []leaf{{at, t}}
	}
	var all []leaf
	for _, f := range strict.Fields(t) {
		all = append(all, leaves(f.Type, append(at[:len(at):len(at)], f.Key))...)
	}
	return all
}

// sample is a value for a field, none of KubeKey's defaults.
func sample(path string, t reflect.Type) string {
	special := map[string]string{
		"spec.hosts.0.name": "other", "spec.kubernetes.proxyMode": "iptables", "spec.kubernetes.kube_proxy.mode": "iptables",
		"spec.kubernetes.kubeProxyArgs": "[masquerade-all=true]",
		"spec.cri.registry.mirrors":     "[https://mirror.example.com]",
	}
	if value, ok := special[path]; ok {
		return value
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "7"
	case reflect.Bool:
		return "true"
	case reflect.Slice:
		return "[sample]"
	case reflect.Map:
		if t.Elem().Kind() == reflect.Bool {
			return "{sample: true}"
		}
		if t.Elem().Kind() == reflect.Slice {
			return "{master: [a], etcd: [a], sample: [a]}"
		}
		return "{enabled: true, sample: sample}"
	}
	return "sample"
}

// importTexts imports texts after setting a value in the first, and returns
// what they become and what is said.
func importTexts(t *testing.T, texts, keys []string, value string) (*v1alpha1.Cluster, []string) {
	t.Helper()
	var files []*strict.File
	for i, text := range texts {
		f := strict.NewFile(fmt.Sprintf("%d.yaml", i), []byte(text))
		var ok bool
		if f.Roots, ok = strict.ParseYAML(strict.NewReport(f.Source), f.Data); !ok {
			t.Fatalf("not YAML:\n%s", text)
		}
		if i == 0 && len(keys) > 0 {
			put(t, f.Roots[0], keys, value)
		}
		files = append(files, f)
	}
	r := strict.NewReport(files[0].Source)
	doc := Import(r, files)
	var said []string
	for _, d := range r.Finish() {
		said = append(said, fmt.Sprint(d.Severity, d.Summary))
	}
	return doc, said
}

// put sets a value in a tree. It all stands on the first line then.
func put(t *testing.T, n *yaml.Node, keys []string, value string) {
	t.Helper()
	for _, key := range keys {
		var child *yaml.Node
		switch {
		case key == "0" && len(n.Content) > 0:
			child = n.Content[0]
		case key == "0":
			child = &yaml.Node{Line: 1, Column: 1}
			n.Kind, n.Tag, n.Content = yaml.SequenceNode, "!!seq", []*yaml.Node{child}
		default:
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
			if child = strict.Child(n, key); child == nil {
				child = &yaml.Node{Line: 1, Column: 1}
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: 1, Column: 1}, child)
			}
		}
		n = child
	}
	roots, ok := strict.ParseYAML(strict.NewReport(diag.NewSource("value", nil)), []byte(value))
	if !ok {
		t.Fatalf("not YAML: %s", value)
	}
	*n = *roots[0]
}
