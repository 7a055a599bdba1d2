package ansible

import (
	"bytes"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

// Ansible also takes inventories that it makes itself, by running a program or
// by asking a cloud. Quorate runs nobody's programs: these files are recognised,
// so that it can be said what to do instead.

// IsPlugin reports whether a document has the settings of an inventory plugin.
func IsPlugin(root *yaml.Node) bool {
	plugin, _ := strict.ScalarAt(root, "plugin")
	return plugin != "" && !IsYAML(root)
}

// IsListing reports whether a document is an inventory as inventory scripts and
// ansible-inventory --list write it.
func IsListing(root *yaml.Node) bool {
	return strict.Child(strict.Child(root, "_meta"), "hostvars") != nil
}

// IsTOML reports whether a file is an inventory in TOML, which Ansible tells by
// the name as well.
func IsTOML(f *strict.File) bool { return filepath.Ext(f.Path) == ".toml" }

// IsScript reports whether a file is a program with a line that says by what it
// is run, and no YAML behind that line.
func IsScript(f *strict.File) bool {
	if !bytes.HasPrefix(f.Data, []byte("#!")) {
		return false
	}
	roots, ok := strict.ParseYAML(strict.NewReport(f.Source), f.Data)
	return !ok || len(roots) == 0 || roots[0].Kind != yaml.MappingNode
}
