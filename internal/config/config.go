// Package config reads cluster files: strictly (an unknown key, a wrong type or
// a repeated key is an error with its line and column), completely (all errors
// in one go), and into one desired model whatever the format of the file.
//
// The way of a file: its bytes are read with limits (package strict), its format
// is recognised (recognise.go), its YAML is decoded into api/v1alpha1 types with
// the place of every value (strict again), what it leaves out is filled in
// (defaults.go), each value is checked by itself while the desired model is
// made of it (convert*.go), and the model is checked as a whole (rules*.go).
//
// Formats of other tools come in before the defaults: an importer makes an
// api/v1alpha1 document out of them, and from there on all is the same.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/ansible"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// Options are what reading needs to know from elsewhere.
type Options struct {
	// DefaultKubernetes is the version of a file that names none, such as
	// "v1.37.1".
	DefaultKubernetes string
	// Kubernetes is the version that takes the place of the file's own; empty
	// for the file's.
	Kubernetes string
	// NetworkPlugin is the one that takes the place of the file's own; empty for
	// the file's. It also says that a cluster without IPv6 will do.
	NetworkPlugin string
	// Supported are the versions that can be installed, newest first. Empty
	// means that any version is accepted.
	Supported []string
	// Home is the folder that ~ stands for; empty means the user's own.
	Home string

	// secretHint is what to do about secrets that stand in a file of another
	// tool; empty for our own.
	secretHint string
	// isForeign tells that the file is of another tool.
	isForeign bool
}

// File is a cluster file that was read.
type File struct {
	// Document is the file with its defaults filled in: the effective file.
	Document *v1alpha1.Cluster
	// asRead is the same without them.
	asRead *v1alpha1.Cluster
	// Filled are the defaults that were filled in.
	Filled []Filled
	// Cluster is the desired model.
	Cluster *cluster.Cluster
	// KubeSphere is the document that configures KubeSphere, if the file has
	// one behind the cluster's.
	KubeSphere *KubeSphere
	// Lost is what the cluster will not have though the files ask for it, each a
	// few words.
	Lost []string
	// Inputs are the files that it was read from.
	Inputs []Input
}

// Input is one of the files that a cluster was read from.
type Input struct {
	Path   string // as it was given; "-" is standard input
	SHA256 string // of its content, in hex
	// Named is false for a file that was read because it belongs to one that
	// was named, such as an inventory's variables.
	Named bool
}

// Load reads and checks the cluster file at a path; "-" is standard input. Some
// formats are several files, an inventory and its variables: those that stand
// beside it are found, others are named too, and a folder stands for the
// inventory in it. The list holds everything that was found, errors and warnings; the
// cluster is nil if and only if there are errors.
func Load(paths []string, o Options) (*cluster.Cluster, diag.List) {
	file, list := Read(paths, o)
	if file == nil {
		return nil, list
	}
	return file.Cluster, list
}

// Parse is Load for a file's content. The name is shown in diagnostics, and its
// folder is what relative paths in the file are relative to.
func Parse(name string, data []byte, o Options) (*cluster.Cluster, diag.List) {
	file, list := read([]*strict.File{strict.NewFile(name, data)}, o)
	if file == nil {
		return nil, list
	}
	return file.Cluster, list
}

// Read is Load with the effective file and its defaults beside the cluster. The
// file is nil if and only if there are errors.
func Read(paths []string, o Options) (*File, diag.List) {
	files, list := open(paths)
	if list.HasErrors() {
		return nil, list
	}
	file, found := read(files, o)
	return file, append(list, found...)
}

// open reads the files that are named, and those that belong to them.
func open(paths []string) ([]*strict.File, diag.List) {
	var files []*strict.File
	var list diag.List
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			inventory, d := ansible.InFolder(path)
			if d != nil {
				list = append(list, *d)
				continue
			}
			path = inventory
		}
		data, d := strict.ReadFile(path)
		if d != nil {
			list = append(list, *d)
			continue
		}
		files = append(files, strict.NewFile(path, data))
	}
	if len(list) > 0 {
		return files, list
	}
	beside, list := ansible.Beside(files)
	return append(files, beside...), list
}

// read takes the files' content all the way.
func read(files []*strict.File, o Options) (*File, diag.List) {
	r := strict.NewReport(files[0].Source)
	doc, kubeSphere := document(r, files, &o)
	if doc == nil {
		return nil, r.Finish()
	}
	file := complete(r, doc, files, o)
	file.KubeSphere = kubeSphere
	file.Lost = r.Lost()
	list := r.Finish()
	if list.HasErrors() {
		return nil, list
	}
	return file, list
}

// complete fills in the document's defaults, makes the desired model of it and
// checks both. The file is good only if nothing was reported.
func complete(r *strict.Report, doc *v1alpha1.Cluster, files []*strict.File, o Options) *File {
	replaceVersion(r, doc, o)
	replacePlugin(r, doc, o)
	given := asRead(doc)
	filled := fillDefaults(r, doc, o)
	judgeIPv6(r, filled, o)
	if o.Home == "" {
		o.Home, _ = os.UserHomeDir() // needed only for ~, which says so itself
	}
	c := convert(r, doc, folderOf(files[0].Path), o)
	checkRules(r, c)
	return &File{Document: doc, asRead: given, Filled: filled, Cluster: c, Inputs: inputs(files)}
}

// replaceVersion puts the version that was asked for in the place of the
// document's own, and says so where that is another.
func replaceVersion(r *strict.Report, doc *v1alpha1.Cluster, o Options) {
	own := &doc.Spec.Kubernetes.Version
	if o.Kubernetes != "" && *own != "" && "v"+strings.TrimPrefix(*own, "v") != o.Kubernetes {
		r.Warnf("spec.kubernetes.version", "", "Kubernetes %s is installed, as --with-kubernetes says, instead of %s",
			o.Kubernetes, quote(*own))
	}
	if o.Kubernetes != "" {
		*own = o.Kubernetes
	}
}

// inputs tells which files were read.
func inputs(files []*strict.File) []Input {
	var out []Input
	for _, f := range files {
		sum := sha256.Sum256(f.Data)
		out = append(out, Input{Path: f.Path, SHA256: hex.EncodeToString(sum[:]), Named: !f.Gathered})
	}
	return out
}

// folderOf is the absolute folder that a file's relative paths start from.
func folderOf(name string) string {
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil { // the working directory is gone; relative is all there is
		return filepath.Dir(name)
	}
	return folder
}
