package config

import (
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// formatFor writes a document as the file at a path, or as no file where the path
// is empty: anybody may then read it, so that it asks for the passwords that stand
// in the document, whose number is returned. Its relative paths start from a
// folder, those of the file from its own.
func formatFor(to string, doc *v1alpha1.Cluster, folder string) (text []byte, asked int) {
	paths := localPaths(&doc.Spec)
	before := make([]string, len(paths))
	for i, path := range paths {
		before[i], *path = *path, seenFrom(to, folder, *path)
	}
	if to == "" {
		shown, hidden := hideLiterals(doc)
		root := documentNode(shown)
		for _, path := range hidden {
			annotate(root, path, "it stands in the file; with --output it is written")
		}
		text, asked = dump(root), len(hidden)
	} else {
		text = Format(doc)
	}
	for i, path := range paths {
		*path = before[i]
	}
	return text, asked
}

// seenFrom is a path that starts from a folder as the file to has to write it.
func seenFrom(to, folder, path string) string {
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, "~") || strict.IsPrivateKey(path) {
		return path
	}
	whole := filepath.Join(folder, path)
	if to == "" {
		return whole
	}
	own := folderOf(to)
	if own == folder {
		return path
	}
	if rel, err := filepath.Rel(own, whole); err == nil {
		return rel
	}
	return whole
}

// localPaths are the fields that hold paths of files on the operator's machine.
func localPaths(s *v1alpha1.Spec) []*string {
	var out []*string
	var take func(ssh *v1alpha1.SSH)
	take = func(ssh *v1alpha1.SSH) {
		out = append(out, &ssh.PrivateKeyPath, &ssh.KnownHostsPath)
		for _, from := range []*v1alpha1.SecretSource{ssh.PrivateKeyPassphraseFrom, ssh.PasswordFrom, ssh.SudoPasswordFrom} {
			if from != nil {
				out = append(out, &from.File)
			}
		}
		if ssh.Bastion != nil {
			take(&ssh.Bastion.SSH)
		}
	}
	take(&s.SSH)
	for i := range s.Hosts {
		take(&s.Hosts[i].SSH)
	}
	return out
}
