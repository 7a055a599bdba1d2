package bundle

import (
	"errors"
	"slices"
)

// ErrNoPackages is wrapped by the error of Packages when the bundle holds
// none for a distribution.
var ErrNoPackages = errors.New("no packages for this distribution")

// Binary finds an executable by its name in the catalogue, such as "kubelet"
// or "cni-bridge".
func (m *Manifest) Binary(name string) (File, bool) {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Kind == KindBinary && f.Name == name })
	if i < 0 {
		return File{}, false
	}
	return m.Files[i], true
}

// SelfContained lists the files of a program that brings all that it needs;
// none when the bundle does not hold it.
func (m *Manifest) SelfContained(name string) []File {
	var out []File
	for _, f := range m.Files {
		if f.Kind == KindSelfContained && f.Name == name {
			out = append(out, f)
		}
	}
	return out
}

// HasPackage reports whether the bundle holds a package for a distribution: ID
// and VERSION_ID of its os-release.
func (m *Manifest) HasPackage(osID, osVersion, name string) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool {
		return f.Kind == KindOSPackage && f.OS == osID+"-"+osVersion && slices.Contains(f.NeededBy, name)
	})
}

// ImageDigest is the digest of an image's OCI manifest ("sha256:…"), or empty
// when the bundle does not hold it.
func (m *Manifest) ImageDigest(name string) string {
	for _, image := range m.Images {
		if image.Name == name {
			return image.Digest
		}
	}
	return ""
}
