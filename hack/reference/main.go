// Command reference writes what is made of the cluster file's types: the JSON
// schema that editors use (api/v1alpha1/schema.json) and the reference of all
// fields (docs/cluster-file-reference.md). Run it with `make generate`.
//
// The names and types come from the Go types as package strict decodes them, the
// meaning from their comments, and the defaults, choices and bounds from package
// config, which is asked what it checks.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run writes the files of the module that the working directory is in.
func run() error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	for !isFile(filepath.Join(root, "go.mod")) {
		if root == filepath.Dir(root) {
			return fmt.Errorf("no go.mod around the working directory: run this inside the module")
		}
		root = filepath.Dir(root)
	}
	made, err := generate(root)
	if err != nil {
		return err
	}
	for path, content := range made {
		if err := os.WriteFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// The files that are made, from the module's root.
const (
	schemaPath = "api/v1alpha1/schema.json"
	pagePath   = "docs/cluster-file-reference.md"
)

// generate makes the content of each file.
func generate(root string) (map[string][]byte, error) {
	comments, err := readComments(filepath.Join(root, "api", "v1alpha1"))
	if err != nil {
		return nil, err
	}
	document, err := describe(comments, config.Rules(config.Options{
		DefaultKubernetes: catalog.Default(), Supported: catalog.Supported(),
	}))
	if err != nil {
		return nil, err
	}
	schema, err := schemaOf(document)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{schemaPath: schema, pagePath: pageOf(document)}, nil
}
