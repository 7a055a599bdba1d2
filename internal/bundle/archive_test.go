package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestWriteImageArchive reads an archive back with another implementation of
// OCI layouts, which checks every digest, diff id and size.
func TestWriteImageArchive(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	var archive bytes.Buffer
	must(t, b.WriteImageArchive(&archive, firstImage, secondImage))
	dir, names := unpack(t, archive.Bytes())
	if slices.Sort(names); len(names) != len(slices.Compact(names)) {
		t.Errorf("an entry is in the archive twice: %v", names)
	}
	checkLayout(t, dir, firstImage, secondImage)
}

func TestWriteImageArchiveOnlyNamed(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	var archive bytes.Buffer
	must(t, b.WriteImageArchive(&archive, secondImage))
	dir, names := unpack(t, archive.Bytes())
	checkLayout(t, dir, secondImage)
	// Marker, index, manifest, config and two layers.
	if len(names) != 6 {
		t.Errorf("archive of one image holds %v", names)
	}
}

// TestBundleIsLayout reads the bundle's own images folder.
func TestBundleIsLayout(t *testing.T) {
	checkLayout(t, filepath.Join(smallBundle(t), "images"), firstImage, secondImage)
}

func TestWriteImageArchiveUnknown(t *testing.T) {
	b := mustOpen(t, smallBundle(t))
	err := b.WriteImageArchive(io.Discard, firstImage, "registry.example/third:v3")
	if err == nil || !strings.Contains(err.Error(), "no image registry.example/third:v3") {
		t.Errorf("error %v", err)
	}
}

func TestWriteImageArchiveCorruptedBlob(t *testing.T) {
	dir := smallBundle(t)
	b := mustOpen(t, dir)
	blob := b.Images()[0].Blobs[2]
	path := filepath.Join(dir, blobPath(blob))
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(content)-1] ^= 1
	must(t, os.WriteFile(path, content, 0o644))
	var damaged *DamagedError
	if err := b.WriteImageArchive(io.Discard, firstImage); !errors.As(err, &damaged) {
		t.Errorf("error %v, want a *DamagedError", err)
	}
}

// TestReproducible builds the small bundle twice.
func TestReproducible(t *testing.T) {
	first, second := smallBundle(t), smallBundle(t)
	for _, f := range mustOpen(t, first).Manifest().Files {
		a, err := os.ReadFile(filepath.Join(first, f.Path))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(second, f.Path))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds (%v)", f.Path, err)
		}
	}
}

// unpack extracts an archive and returns its folder and its entries' names.
func unpack(t *testing.T, archive []byte) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	in := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := in.Next()
		if err == io.EOF {
			return dir, names
		}
		must(t, err)
		content, err := io.ReadAll(in)
		must(t, err)
		path := filepath.Join(dir, header.Name)
		mustMkdir(t, filepath.Dir(path))
		must(t, os.WriteFile(path, content, 0o644))
		names = append(names, header.Name)
	}
}

// checkLayout validates an OCI layout that must hold exactly the named images.
func checkLayout(t *testing.T, dir string, want ...string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	var names []string
	for _, d := range manifest.Manifests {
		names = append(names, d.Annotations[containerdNameAnnotation])
		if d.Annotations[refNameAnnotation] != d.Annotations[containerdNameAnnotation] {
			t.Errorf("annotations of %s disagree", d.Digest)
		}
		img, err := index.Image(d.Digest)
		must(t, err)
		checkImage(t, img)
	}
	if !slices.Equal(names, want) {
		t.Errorf("layout holds %v, want %v", names, want)
	}
}

// checkImage compares every layer of an image with what its manifest and its
// config say about it.
func checkImage(t *testing.T, img v1.Image) {
	t.Helper()
	manifest, err := img.Manifest()
	must(t, err)
	config, err := img.ConfigFile()
	must(t, err)
	layers, err := img.Layers()
	must(t, err)
	if len(layers) == 0 || len(config.RootFS.DiffIDs) != len(layers) || len(config.History) != len(layers) {
		t.Fatalf("%d layers, %d diff ids, history of %d", len(layers), len(config.RootFS.DiffIDs), len(config.History))
	}
	for i, layer := range layers {
		if mt, err := layer.MediaType(); err != nil || mt != types.OCILayerZStd {
			t.Errorf("layer %d has type %s (%v)", i, mt, err)
		}
		stored, err := layer.Compressed()
		must(t, err)
		if got, size, err := v1.SHA256(stored); err != nil || got != manifest.Layers[i].Digest || size != manifest.Layers[i].Size {
			t.Errorf("layer %d is stored as %s, %d bytes (%v), want %+v", i, got, size, err, manifest.Layers[i])
		}
		content, err := layer.Uncompressed()
		must(t, err)
		if got, _, err := v1.SHA256(content); err != nil || got != config.RootFS.DiffIDs[i] {
			t.Errorf("layer %d unpacks to %s (%v), want %s", i, got, err, config.RootFS.DiffIDs[i])
		}
	}
}
