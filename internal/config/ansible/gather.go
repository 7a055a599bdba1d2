package ansible

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// The limits of what is gathered beside an inventory.
const (
	maxFiles      = 1000
	maxTotal      = 16 << 20
	maxFolders    = 200
	maxFolderTree = 4 // folders in each other
)

// inventoryNames are what inventories are called in a folder of kubespray's or
// KubeSphere's, the one that tools write last first.
func inventoryNames() []string {
	return []string{"hosts.yaml", "hosts.yml", "inventory.yaml", "inventory.yml", "inventory.ini", "hosts.ini", "hosts", "inventory"}
}

// InFolder finds the inventory in a folder, such as kubespray's
// inventory/mycluster or KubeSphere's conf. Samples that list no hosts, as they
// are copied into every folder, do not count where there is another.
func InFolder(folder string) (string, *diag.Diagnostic) {
	refuse := func(hint, format string, args ...any) (string, *diag.Diagnostic) {
		return "", &diag.Diagnostic{Severity: diag.SeverityError, File: folder, Summary: fmt.Sprintf(format, args...), Hint: hint}
	}
	var odd, found, withHosts []string
	for _, name := range inventoryNames() {
		full := filepath.Join(folder, name)
		info, err := os.Stat(full)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		data, problem := strict.ReadFile(full)
		if problem != nil {
			return "", problem
		}
		f := strict.NewFile(full, data)
		isText := prepare(f)
		if !isText || IsEncrypted(f) || IsScript(f) || slices.ContainsFunc(f.Roots, func(root *yaml.Node) bool { return IsPlugin(root) || IsListing(root) }) {
			odd = append(odd, name) // reading it will say what it is
			continue
		}
		if !IsInventory(f) {
			continue
		}
		found = append(found, name)
		if listsHosts(f) {
			withHosts = append(withHosts, name)
		}
	}
	switch {
	case len(withHosts) == 1:
		return filepath.Join(folder, withHosts[0]), nil
	case len(withHosts) > 1:
		return refuse("name one of them: -f "+filepath.Join(folder, withHosts[0]), "the folder has several inventories: %s", strings.Join(withHosts, ", "))
	case len(found) > 0:
		return filepath.Join(folder, found[0]), nil
	case len(odd) > 0:
		return filepath.Join(folder, odd[0]), nil
	}
	return refuse(nameOneIn(folder), "this is a folder without an inventory (%s)", strings.Join(inventoryNames()[:6], ", "))
}

// nameOneIn is how to name a cluster file that is in a folder, of whatever format.
func nameOneIn(folder string) string {
	const most = 4
	var names []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern)) // an odd name of a folder only costs the hint
		names = append(names, found...)
	}
	switch {
	case len(names) == 0 || len(names) > most:
		return "name the cluster file in it"
	case len(names) == 1:
		return strict.Printable("name the cluster file in it: -f " + names[0])
	}
	return strict.Printable("name the cluster file in it: -f " + strings.Join(names, ", or -f "))
}

// prepare parses a file for a first look, and reports whether it is text.
func prepare(f *strict.File) bool {
	r := strict.NewReport(f.Source)
	if !strict.CheckText(r, f.Data) {
		return false
	}
	if IsINI(f.Data) {
		return true
	}
	f.Roots, _ = strict.ParseYAML(r, f.Data)
	return f.Roots != nil
}

// listsHosts reports whether an inventory names any host.
func listsHosts(f *strict.File) bool {
	inv := newInventory(strict.NewReport(f.Source), f)
	if f.Roots == nil {
		inv.readINI(f)
	} else {
		inv.readYAML(f, f.Roots[0])
	}
	return len(inv.hosts) > 0
}

// Beside gathers the files that belong to the inventories among some files:
// group_vars and host_vars beside them, or else KubeSphere's vars.yml and
// common.yaml, or kubeasz' config.yml. Files that were named anyway are not gathered again. Nothing
// outside an inventory's folder is read, whatever links there are.
func Beside(named []*strict.File) ([]*strict.File, diag.List) {
	g := &gatherer{seen: map[string]bool{}}
	for _, f := range named {
		g.seen[absolute(f.Path)] = true
	}
	folders := map[string]bool{}
	for _, f := range named {
		look := strict.NewFile(f.Path, f.Data)
		if f.Path == "-" || !prepare(look) || !IsInventory(look) || folders[filepath.Dir(f.Path)] {
			continue
		}
		folders[filepath.Dir(f.Path)] = true
		g.gather(filepath.Dir(f.Path), look)
	}
	return g.files, g.list
}

func absolute(name string) string {
	if full, err := filepath.Abs(name); err == nil {
		return full
	}
	return name
}

// gatherer gathers the files of one reading.
type gatherer struct {
	files   []*strict.File
	list    diag.List
	seen    map[string]bool // absolute paths
	total   int
	folders int
	full    bool
}

// tell reports on a file or folder as a whole.
func (g *gatherer) tell(severity diag.Severity, name, hint, format string, args ...any) {
	g.list = append(g.list, diag.Diagnostic{Severity: severity, File: name, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

// gather takes in what belongs to an inventory in its folder.
func (g *gatherer) gather(folder string, inventory *strict.File) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		g.tell(diag.SeverityError, folder, "", "the folder of the inventory cannot be read: %v", plain(err))
		return
	}
	defer root.Close()
	before := len(g.files)
	hasGroups := false
	for _, name := range []string{"group_vars", "host_vars"} {
		if _, err := root.Stat(name); err == nil {
			hasGroups = true
			g.levels(root, folder, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			g.unreadable(folder, name, err)
		}
	}
	if hasGroups || inventory.Roots != nil || len(g.files) > before {
		return
	}
	for _, entry := range g.entries(root, folder, ".") {
		switch name := entry.Name(); {
		case isKubeasz(inventory):
			if name == "config.yml" {
				g.file(root, folder, name)
			}
		case name == "vars.yml", name == "vars.yaml", name == "common.yaml", name == "common.yml", strings.HasPrefix(name, "plugin-") && path.Ext(name) == ".yaml":
			g.file(root, folder, name)
		}
	}
}

// levels takes in group_vars or host_vars: a file or a folder for each group or
// host. As with Ansible, a folder hides a file of the same name.
func (g *gatherer) levels(root *os.Root, folder, name string) {
	entries := g.entries(root, folder, name)
	isFolder := map[string]bool{}
	for _, e := range entries {
		inner := path.Join(name, e.Name())
		if info, err := root.Stat(inner); err == nil && info.IsDir() {
			isFolder[e.Name()] = true
		}
	}
	for _, e := range entries {
		inner := path.Join(name, e.Name())
		base := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		switch {
		case isFolder[e.Name()]:
			g.tree(root, folder, inner, nil)
		case !isVariableFile(e.Name()) && !mayBeName(e.Name()):
		case base != e.Name() && isFolder[base]:
			g.tell(diag.SeverityWarning, filepath.Join(folder, inner), "move what it says into the folder",
				"the file is not read, as Ansible does not: the folder %s beside it takes its place", base)
		default:
			g.file(root, folder, inner)
		}
	}
}

// tree takes in all files of variables in a folder, and in the folders in it.
func (g *gatherer) tree(root *os.Root, folder, name string, around []fs.FileInfo) {
	here, err := root.Stat(name)
	if err != nil {
		g.unreadable(folder, name, err)
		return
	}
	if slices.ContainsFunc(around, func(outer fs.FileInfo) bool { return os.SameFile(outer, here) }) {
		g.unreadable(folder, name, errors.New("it is a link to a folder that it is in"))
		return
	}
	around = append(slices.Clone(around), here)
	if g.folders++; len(around) > maxFolderTree || g.folders > maxFolders {
		g.tell(diag.SeverityWarning, filepath.Join(folder, name), "name files in it with -f", "the file or folder is not read: there are too many folders, or they are too deep in each other")
		return
	}
	for _, e := range g.entries(root, folder, name) {
		inner := path.Join(name, e.Name())
		info, err := root.Stat(inner)
		switch {
		case err != nil:
			g.unreadable(folder, inner, err)
		case info.IsDir() && !strings.HasPrefix(e.Name(), "."):
			g.tree(root, folder, inner, around)
		case isVariableFile(e.Name()):
			g.file(root, folder, inner)
		}
	}
}

// isVariableFile reports whether Ansible would read a file by its name.
func isVariableFile(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
		return false
	}
	return slices.Contains([]string{"", ".yml", ".yaml", ".json"}, path.Ext(name))
}

// mayBeName reports whether a file right inside group_vars or host_vars may have
// the name of a host: those have dots in them, and what is behind the last looks
// like a file's ending.
func mayBeName(name string) bool {
	endings := strings.Fields(".bak .cfg .disabled .dist .example .ini .j2 .lock .log .md .off .old .orig .retry .rpmnew .rpmsave .rst .sample .save .sh .swp .template .tmp .tmpl .txt")
	return !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, "~") && !slices.Contains(endings, path.Ext(name))
}

// entries lists a folder, sorted.
func (g *gatherer) entries(root *os.Root, folder, name string) []fs.DirEntry {
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		g.unreadable(folder, name, err)
		return nil
	}
	return entries
}

// unreadable tells about what belongs to the inventory and cannot be read; a
// link out of its folder is never followed.
func (g *gatherer) unreadable(folder, name string, err error) {
	g.tell(diag.SeverityWarning, filepath.Join(folder, name), "if it belongs to the cluster, put it into the folder of the inventory, or name its files with -f",
		"the file or folder is not read: %v", plain(err))
}

// plain is a file error without the path.
func plain(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// file takes in one file.
func (g *gatherer) file(root *os.Root, folder, name string) {
	full := filepath.Join(folder, filepath.FromSlash(name))
	if g.seen[absolute(full)] || g.full {
		return
	}
	g.seen[absolute(full)] = true
	data, err := readLimited(root, name)
	switch {
	case err != nil:
		g.unreadable(folder, name, err)
		return
	case len(g.files) >= maxFiles || g.total+len(data) > maxTotal:
		g.full = true
		g.tell(diag.SeverityError, folder, "is it the right folder?", "the files beside the inventory are too many or too large: more than %d, or than %d MiB", maxFiles, maxTotal>>20)
		return
	case isBlank(data):
		return // a file with nothing but comments says nothing
	}
	g.total += len(data)
	f := strict.NewFile(full, data)
	f.Gathered = true
	g.files = append(g.files, f)
}

// readLimited reads a regular file, at most one byte more than may be.
func readLimited(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return strict.ReadAll(f)
}

// isBlank reports whether a text has only comments and the marks between
// documents.
func isBlank(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line != "" && line[0] != '#' && line != "---" && line != "..." {
			return false
		}
	}
	return true
}
