package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifestName is the manifest's name in a bundle.
const manifestName = "manifest.json"

// Bundle is an opened bundle. It may be used by several goroutines.
type Bundle struct {
	dir      string
	root     *os.Root // nothing outside the directory can be opened through it
	manifest Manifest
	digest   string // of the manifest's file
	byPath   map[string]File
}

// ErrNotFound is the cause of the error that [Open] returns when there is no
// bundle at the place.
var ErrNotFound = errors.New("no bundle there")

// DefaultDir is where a bundle of a Kubernetes version lies unless the user
// says otherwise: quorate/bundles/v1.37.1-linux-amd64 in the user's cache
// directory.
func DefaultDir(kubernetes, arch string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "bundles", kubernetes+"-linux-"+arch), nil
}

// cacheDir is Quorate's folder in the user's cache directory.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache directory (set XDG_CACHE_HOME or HOME): %w", err)
	}
	return filepath.Join(dir, "quorate"), nil
}

// Open reads the bundle in a directory and checks its manifest and that each
// file is there with the right size. Contents are verified when they are read,
// or all at once by [Bundle.Verify].
func Open(dir string) (*Bundle, error) {
	b, err := open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening bundle %s: %w; build one with `quorate bundle build --output %s`", dir, ErrNotFound, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening bundle %s: %w; name a directory that `quorate bundle build` made, or copy the bundle again", dir, err)
	}
	if err := b.checkSizes(); err != nil {
		b.root.Close()
		return nil, fmt.Errorf("opening bundle %s: %w", dir, err)
	}
	return b, nil
}

// open reads the manifest only.
func open(dir string) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{dir: dir, root: root, byPath: map[string]File{}}
	if err := b.readManifest(); err != nil {
		root.Close()
		return nil, err
	}
	return b, nil
}

// readManifest fills in the manifest from its file.
func (b *Bundle) readManifest() error {
	f, err := b.root.Open(manifestName)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifestSize+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", manifestName, err)
	}
	if len(data) > maxManifestSize {
		return fmt.Errorf("%s is larger than %d bytes; it is not a bundle's manifest", manifestName, maxManifestSize)
	}
	if b.manifest, err = parseManifest(data); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	sum := sha256.Sum256(data)
	b.digest = hex.EncodeToString(sum[:])
	for _, f := range b.manifest.Files {
		b.byPath[f.Path] = f
	}
	return nil
}

// checkSizes finds missing, truncated and replaced files cheaply.
func (b *Bundle) checkSizes() error {
	for _, f := range b.manifest.Files {
		info, err := b.root.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return b.damaged(f, "is missing")
		case err != nil:
			return b.damaged(f, err.Error())
		case !info.Mode().IsRegular():
			return b.damaged(f, "is not a regular file")
		case info.Size() != f.StoredSize:
			return b.damaged(f, fmt.Sprintf("has %d bytes, not %d", info.Size(), f.StoredSize))
		}
	}
	return nil
}

// damaged says which file is wrong and what to do about it.
func (b *Bundle) damaged(f File, what string) error {
	return &DamagedError{Path: f.Path, Reason: what}
}

// DamagedError names a file of a bundle whose content is not what the manifest
// says.
type DamagedError struct {
	Path   string // inside the bundle
	Reason string // "is missing", "has the wrong sha256 …"
}

// Error names the file and the hint.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s %s; copy the bundle again, or run `quorate bundle build`, which replaces what is damaged", e.Path, e.Reason)
}

// Close releases the bundle's directory. Readers that are open stay usable.
func (b *Bundle) Close() error { return b.root.Close() }

// Dir is the directory that was opened.
func (b *Bundle) Dir() string { return b.dir }

// Digest is the sha256 of the manifest's file, in hexadecimal. The manifest has those of
// all other files, so who compares this one with the builder's knows the whole bundle.
func (b *Bundle) Digest() string { return b.digest }

// Manifest is what the bundle says about itself. The caller must not change
// its slices.
func (b *Bundle) Manifest() Manifest { return b.manifest }

// Binary finds an executable by its name in the catalogue, such as "kubelet"
// or "cni-bridge".
func (b *Bundle) Binary(name string) (File, bool) {
	return b.manifest.Binary(name)
}

// Images lists the images, sorted by name.
func (b *Bundle) Images() []Image { return b.manifest.Images }

// Packages returns the files of the named packages and of everything that they
// need on top of a minimal system, for one distribution: osID and osVersion
// are ID and VERSION_ID of its os-release ("debian", "12"). A name or a
// distribution that the bundle does not have is an error which lists those it
// has.
func (b *Bundle) Packages(osID, osVersion string, names ...string) ([]File, error) {
	key := osID + "-" + osVersion
	have := map[string]bool{}
	var systems []string
	var files []File
	for _, f := range b.manifest.Files {
		if f.Kind != KindOSPackage {
			continue
		}
		if !slices.Contains(systems, f.OS) {
			systems = append(systems, f.OS)
		}
		if f.OS != key {
			continue
		}
		wanted := false
		for _, root := range f.NeededBy {
			have[root] = true
			wanted = wanted || slices.Contains(names, root)
		}
		if wanted {
			files = append(files, f)
		}
	}
	if !slices.Contains(systems, key) {
		return nil, fmt.Errorf("bundle %s has none for %s, only for: %s; build the bundle on that distribution: %w",
			b.dir, key, strings.Join(systems, ", "), ErrNoPackages)
	}
	for _, name := range names {
		if !have[name] {
			return nil, fmt.Errorf("bundle %s has no package %s for %s", b.dir, name, key)
		}
	}
	return files, nil
}
