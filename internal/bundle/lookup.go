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
