package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// searchPath is the PATH of every image, as upstream sets it.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// storedProgram finds a compiled program in the parts that have it.
type storedProgram func(name string) (part, File, error)

// entries turns a layer's list into what is packed.
func (l layerSpec) entries(find storedProgram) ([]layerEntry, error) {
	var entries []layerEntry
	for _, f := range l.Files {
		switch {
		case f.Dir:
			entries = append(entries, dirEntry(f.Path, f.Mode))
		case f.Link != "":
			entries = append(entries, linkEntry(f.Path, f.Link))
		case f.Program == "":
			entries = append(entries, textEntry(f.Path, f.Text))
		default:
			p, stored, err := find(f.Program)
			if err != nil {
				return nil, err
			}
			entries = append(entries, layerEntry{
				Path: f.Path, Mode: f.Mode, Size: stored.Size,
				Open: func() (io.ReadCloser, error) { return openCompressed(filepath.Join(p.dir, stored.Path)) },
			})
		}
	}
	return entries, nil
}

// key is a digest of a layer's content.
func (l layerSpec) key(find storedProgram) (string, error) {
	inputs := []any{recipeVersion, l}
	for _, f := range l.Files {
		if f.Program == "" {
			continue
		}
		_, stored, err := find(f.Program)
		if err != nil {
			return "", err
		}
		inputs = append(inputs, stored.SHA256)
	}
	return keyOf(inputs...), nil
}

// compressedFile reads a zstd-compressed file's content.
type compressedFile struct {
	*zstd.Decoder
	file fs.File
}

// openCompressed opens a compressed file for reading its content.
func openCompressed(name string) (io.ReadCloser, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
	if err != nil {
		file.Close()
		return nil, err
	}
	return compressedFile{content, file}, nil
}

// Close gives the decoder's memory and the file back.
func (c compressedFile) Close() error {
	c.Decoder.Close()
	return c.file.Close()
}

// ociLayout collects images and their blobs in the folder of a bundle.
type ociLayout struct {
	dir   string // the bundle's
	arch  string
	files map[string]File // blobs by path
	list  []Image
	sizes map[string]int64 // of image manifests, by digest
}

// newLayout starts an empty layout.
func newLayout(dir, arch string) *ociLayout {
	return &ociLayout{dir: dir, arch: arch, files: map[string]File{}, sizes: map[string]int64{}}
}

// addImage adds an image over its finished layers, lowest first.
func (l *ociLayout) addImage(spec imageSpec, layers []part) error {
	config := v1.ConfigFile{
		Architecture: l.arch, OS: "linux",
		Config: v1.Config{
			Entrypoint: spec.Entrypoint, Cmd: spec.Cmd, User: spec.User, WorkingDir: "/", Env: []string{searchPath},
			Labels: map[string]string{"org.opencontainers.image.version": spec.Version},
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var blobs []string
	for i, layer := range layers {
		f := layer.files[0]
		digest := v1.Hash{Algorithm: "sha256", Hex: f.StoredSHA256}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, v1.Hash{Algorithm: "sha256", Hex: f.SHA256})
		config.History = append(config.History, v1.History{CreatedBy: "quorate bundle build: " + spec.Layers[i].Name})
		manifest.Layers = append(manifest.Layers, v1.Descriptor{MediaType: types.OCILayerZStd, Size: f.StoredSize, Digest: digest})
		blobs = append(blobs, digest.String())
		path := blobPath(digest.String())
		if _, ok := l.files[path]; ok {
			continue
		}
		if err := linkOrCopy(filepath.Join(layer.dir, f.Path), filepath.Join(l.dir, filepath.FromSlash(path))); err != nil {
			return err
		}
		l.addFile(path, KindImageBlob, "layer "+f.Name, plainFile(f.StoredSHA256, f.StoredSize))
	}
	var err error
	if manifest.Config, err = l.writeJSON("config of "+spec.Name, types.OCIConfigJSON, config); err != nil {
		return err
	}
	top, err := l.writeJSON("manifest of "+spec.Name, types.OCIManifestSchema1, manifest)
	if err != nil {
		return err
	}
	blobs = append([]string{top.Digest.String(), manifest.Config.Digest.String()}, blobs...)
	img := Image{Name: spec.Name, Digest: top.Digest.String(), Blobs: blobs}
	for _, digest := range blobs {
		img.Size += l.files[blobPath(digest)].StoredSize
	}
	l.sizes[img.Digest] = top.Size
	l.list = append(l.list, img)
	return nil
}

// writeJSON writes a value as a blob.
func (l *ociLayout) writeJSON(name string, mediaType types.MediaType, value any) (v1.Descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest := v1.Hash{Algorithm: "sha256", Hex: hexSHA256(data)}
	if err := l.writeFile(blobPath(digest.String()), KindImageBlob, name, data); err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(data)), Digest: digest}, nil
}

// writeFile writes a small file into the bundle.
func (l *ociLayout) writeFile(path string, kind Kind, name string, data []byte) error {
	full := filepath.Join(l.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(full, data, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	l.addFile(path, kind, name, plainFile(hexSHA256(data), int64(len(data))))
	return nil
}

// addFile notes a file of the layout.
func (l *ociLayout) addFile(path string, kind Kind, name string, f File) {
	f.Path, f.Kind, f.Name = path, kind, name
	l.files[path] = f
}

// finish writes the index and the marker; images and files are complete after
// it.
func (l *ociLayout) finish() error {
	slices.SortFunc(l.list, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	index, err := marshalIndex(l.list, l.arch, l.sizes)
	if err != nil {
		return err
	}
	if err := l.writeFile("images/index.json", KindImageMeta, "index of the images", index); err != nil {
		return err
	}
	return l.writeFile("images/oci-layout", KindImageMeta, "marker of the OCI layout", []byte(ociLayoutMarker))
}
