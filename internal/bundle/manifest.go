package bundle

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// FormatVersion is the version of the directory format that this package
// writes and the only one that it reads.
const FormatVersion = 1

// Kind says what a file of a bundle is.
type Kind string

// The kinds of files.
const (
	KindBinary    Kind = "binary"     // an executable for hosts
	KindImageBlob Kind = "image-blob" // a layer, config or manifest of an image
	KindImageMeta Kind = "image-meta" // the OCI layout's index and marker
	KindOSPackage Kind = "os-package" // a package of the hosts' distribution
	// KindSelfContained is a file of a program that brings all that it needs, for
	// hosts whose distribution's own cannot be had. All files of one have its name.
	KindSelfContained Kind = "self-contained"
)

// Manifest says what a bundle holds and where it came from.
type Manifest struct {
	FormatVersion int        `json:"formatVersion"`
	Kubernetes    string     `json:"kubernetes"` // "v1.37.1"
	OS            string     `json:"os"`         // always "linux"
	Arch          string     `json:"arch"`       // "amd64" or "arm64"
	Provenance    Provenance `json:"provenance"`
	Images        []Image    `json:"images"`
	Files         []File     `json:"files"` // sorted by path
}

// Provenance says how a bundle was made.
type Provenance struct {
	Method    string   `json:"method"`    // "source": compiled from Go modules
	Builder   string   `json:"builder"`   // the version of quorate that made it
	GoVersion string   `json:"goVersion"` // "go1.26.8"
	Inputs    string   `json:"inputs"`    // digest of everything the build was made from
	Extras    []string `json:"extras,omitempty"`
	Sources   []Source `json:"sources"`
}

// Source is one pinned Go module that binaries were compiled from.
type Source struct {
	Name     string   `json:"name"`    // "kubernetes-1.37"
	Modules  []string `json:"modules"` // the main ones, "k8s.io/kubernetes@v1.37.1"
	GoMod    string   `json:"goMod"`   // sha256 of its go.mod
	GoSum    string   `json:"goSum"`   // sha256 of its go.sum, which pins every dependency
	Tags     string   `json:"tags,omitempty"`
	LDFlags  string   `json:"ldflags,omitempty"`
	CGO      bool     `json:"cgo,omitempty"`
	Packages []string `json:"packages"` // what was built
}

// File is one file of a bundle. SHA256 and Size describe the content as a host
// gets it in the end; StoredSHA256 and StoredSize the file in the bundle. They
// are equal unless Compression is set.
type File struct {
	Path        string         `json:"path"` // relative to the bundle, with slashes
	Kind        Kind           `json:"kind"`
	Name        string         `json:"name"`
	Version     string         `json:"version,omitempty"`
	InstallPath string         `json:"installPath,omitempty"` // absolute, on the host
	Mode        Mode           `json:"mode,omitempty"`
	Roles       []cluster.Role `json:"roles,omitempty"`
	Compression string         `json:"compression,omitempty"` // "zstd" or nothing
	// OS is the distribution an os-package is for ("debian-12"); NeededBy are
	// the requested packages whose closure it belongs to.
	OS       string   `json:"os,omitempty"`
	NeededBy []string `json:"neededBy,omitempty"`

	SHA256       string `json:"sha256"`
	Size         int64  `json:"size"` // bytes
	StoredSHA256 string `json:"storedSHA256"`
	StoredSize   int64  `json:"storedSize"` // bytes
}

// Image is one container image of a bundle.
type Image struct {
	Name   string `json:"name"`   // full: "registry.k8s.io/pause:3.10.2"
	Digest string `json:"digest"` // of its OCI manifest: "sha256:…"
	Size   int64  `json:"size"`   // bytes of all its blobs as stored, shared ones included
	// Blobs are the digests of all its blobs, its OCI manifest first.
	Blobs []string `json:"blobs"`
}

// Mode is a file mode; in JSON it is octal text, "0755".
type Mode fs.FileMode

// MarshalText writes the mode in octal.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads an octal mode; only permission bits are allowed.
func (m *Mode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || v > 0o777 {
		return fmt.Errorf("mode %q is not an octal permission", text)
	}
	*m = Mode(v)
	return nil
}

// Limits of what a manifest may claim. They are far above anything real and
// keep a hostile bundle from filling memory or a disk.
const (
	maxManifestSize = 16 << 20
	maxFiles        = 20_000
	maxFileSize     = 4 << 30
)

// parseManifest reads and checks a manifest.
func parseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("not valid JSON: %w", err)
	}
	if m.FormatVersion != FormatVersion {
		return Manifest{}, fmt.Errorf("format version %d, but this quorate reads version %d", m.FormatVersion, FormatVersion)
	}
	if m.OS != "linux" || m.Arch == "" || m.Kubernetes == "" {
		return Manifest{}, fmt.Errorf("kubernetes %q, os %q and arch %q: one of them is missing or unknown", m.Kubernetes, m.OS, m.Arch)
	}
	if len(m.Files) > maxFiles {
		return Manifest{}, fmt.Errorf("%d files; at most %d are allowed", len(m.Files), maxFiles)
	}
	release, err := catalog.Lookup(m.Kubernetes)
	if err != nil {
		return Manifest{}, fmt.Errorf("it is of a Kubernetes that this quorate does not install: %w", err)
	}
	installs := installsOf(release)
	paths := map[string]bool{}
	for _, f := range m.Files {
		if err := installs.check(f); err != nil {
			return Manifest{}, fmt.Errorf("file %q: %w", f.Path, err)
		}
		if err := f.check(); err != nil {
			return Manifest{}, fmt.Errorf("file %q: %w", f.Path, err)
		}
		if paths[f.Path] {
			return Manifest{}, fmt.Errorf("file %q is listed twice", f.Path)
		}
		paths[f.Path] = true
	}
	for _, img := range m.Images {
		if err := img.check(paths); err != nil {
			return Manifest{}, fmt.Errorf("image %q: %w", img.Name, err)
		}
	}
	return m, nil
}

// check refuses what no honest manifest says about a file.
func (f File) check() error {
	if err := checkPath(f.Path); err != nil {
		return err
	}
	if f.Compression != "" && f.Compression != "zstd" {
		return fmt.Errorf("unknown compression %q", f.Compression)
	}
	for _, size := range []int64{f.Size, f.StoredSize} {
		if size < 0 || size > maxFileSize {
			return fmt.Errorf("size %d is not between 0 and %d", size, int64(maxFileSize))
		}
	}
	for _, digest := range []string{f.SHA256, f.StoredSHA256} {
		if !isHexSHA256(digest) {
			return fmt.Errorf("%q is not a sha256 in hexadecimal", digest)
		}
	}
	if f.Compression == "" && (f.SHA256 != f.StoredSHA256 || f.Size != f.StoredSize) {
		return fmt.Errorf("not compressed, but stored and content digests differ")
	}
	return nil
}

// checkPath allows only clean relative paths that stay inside the bundle. A
// name with a control character could lie on a terminal.
func checkPath(p string) error {
	if !fs.ValidPath(p) || p == "." || strings.Contains(p, `\`) {
		return fmt.Errorf("path is not a clean path inside the bundle")
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("path holds a control character")
	}
	return nil
}

// check makes sure that an image's blobs are files of the bundle.
func (img Image) check(paths map[string]bool) error {
	if img.Name == "" || len(img.Blobs) == 0 || img.Blobs[0] != img.Digest {
		return fmt.Errorf("it has no name, or its blobs do not begin with its manifest")
	}
	for _, digest := range img.Blobs {
		hexSum, ok := strings.CutPrefix(digest, "sha256:")
		if !ok || !isHexSHA256(hexSum) {
			return fmt.Errorf("%q is not a sha256 digest", digest)
		}
		if !paths[blobPath(digest)] {
			return fmt.Errorf("blob %s is not among the files", digest)
		}
	}
	return nil
}

// isHexSHA256 reports whether s is 64 lower-case hexadecimal digits.
func isHexSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}

// blobPath is where a blob lies in a bundle.
func blobPath(digest string) string {
	return "images/blobs/sha256/" + strings.TrimPrefix(digest, "sha256:")
}
