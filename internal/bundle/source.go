package bundle

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// sourceModules holds one small Go module per component: go.mod and go.sum,
// which pin what is compiled and its dependencies, and main.go where a program
// is put together here. The names end in .txt because files of another module
// cannot be embedded.
//
//go:embed source
var sourceModules embed.FS

// sourceFiles reads the files of one source module, by their real names.
func sourceFiles(module string) (map[string][]byte, error) {
	dir := path.Join("source", module)
	entries, err := fs.ReadDir(sourceModules, dir)
	if err != nil {
		return nil, fmt.Errorf("source module %s is not part of this quorate: %w", module, err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		data, err := sourceModules.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files[strings.TrimSuffix(e.Name(), ".txt")] = data
	}
	return files, nil
}

// writeSource writes a source module to a folder that the go command can work
// in.
func writeSource(module, dir string) error {
	files, err := sourceFiles(module)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
