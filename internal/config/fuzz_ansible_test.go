package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/config/strict"
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

// checkInventory reads an inventory with a file of variables, whatever they are.
func checkInventory(t *testing.T, inventory, vars []byte) {
	files := []*strict.File{strict.NewFile("/files/hosts.ini", inventory)}
	if len(vars) > 0 {
		files = append(files, strict.NewFile("/files/group_vars/all.yml", vars))
	}
	checkReading(t, files...)
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
