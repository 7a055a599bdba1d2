package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// seedInventories adds the inventories of testdata that have one of some names,
// each with one of the files of variables beside it.
func seedInventories(f *testing.F, patterns ...string) {
	for _, pattern := range patterns {
		paths, err := filepath.Glob("ansible/testdata/*/" + pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("no inventories %s: %v", pattern, err)
		}
		for _, path := range paths {
			inventory, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(inventory, []byte("kube_version: v1.36.3\n"))
			for _, beside := range []string{"vars.yml", "common.yaml", "group_vars/all/all.yml", "group_vars/all.yml", "group_vars/k8s_cluster/k8s-cluster.yml"} {
				if vars, err := os.ReadFile(filepath.Join(filepath.Dir(path), beside)); err == nil {
					f.Add(inventory, vars)
				}
			}
		}
	}
}

// checkInventory reads an inventory with a file of variables, whatever they
// are. They are either a cluster or an error; findings have a place inside
// their file; what is printed does not steer the terminal; and a cluster means
// the same once it is written in our own format.
func checkInventory(t *testing.T, inventory, vars []byte) {
	files := []*strict.File{strict.NewFile("/files/hosts.ini", inventory)}
	if len(vars) > 0 {
		files = append(files, strict.NewFile("/files/group_vars/all.yml", vars))
	}
	file, list := read(files, testOptions())
	if (file == nil) != list.HasErrors() {
		t.Fatalf("cluster %v with findings %v", file, list)
	}
	texts := map[string][]byte{files[0].Source.Name(): inventory, "/files/group_vars/all.yml": vars}
	for _, d := range list {
		checkPlaces(t, texts[d.File], diag.List{d})
	}
	var out bytes.Buffer
	if err := list.Print(&out, diag.PrintOptions{}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("the output holds a control character: %q", out.String()[i:])
	}
	if file == nil {
		return
	}
	written := Format(file.Document)
	again, list := read([]*strict.File{strict.NewFile("/files/fuzz.yaml", written)}, testOptions())
	if again == nil {
		t.Fatalf("what Format wrote is refused: %v\n%s", list, written)
	}
	if diff := cmp.Diff(file.Cluster, again.Cluster, compareAddresses, cmp.Comparer(sameSecret)); diff != "" {
		t.Errorf("what Format wrote means something else (-before +after):\n%s", diff)
	}
}

// FuzzINI feeds INI inventories and variables.
func FuzzINI(f *testing.F) {
	seedInventories(f, "hosts.ini", "inventory.ini")
	f.Fuzz(checkInventory)
}

// FuzzYAMLInventory feeds YAML inventories and variables.
func FuzzYAMLInventory(f *testing.F) {
	seedInventories(f, "hosts.yaml")
	f.Fuzz(checkInventory)
}
