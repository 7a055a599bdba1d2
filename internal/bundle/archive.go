package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The annotations that carry an image's full name in an OCI index: containerd
// reads the first, other tools the second.
const (
	containerdNameAnnotation = "io.containerd.image.name"
	refNameAnnotation        = "org.opencontainers.image.ref.name"
)

// ociLayoutMarker is the content of the file oci-layout.
const ociLayoutMarker = `{"imageLayoutVersion":"1.0.0"}`

// WriteImageArchive writes a tar of an OCI layout with only the named images,
// for `ctr -n k8s.io images import -`; blobs that images share are in it once.
// Every blob is verified while it is written: after an error the archive is
// incomplete and must be thrown away.
func (b *Bundle) WriteImageArchive(w io.Writer, names ...string) error {
	images, err := b.findImages(names)
	if err != nil {
		return err
	}
	index, err := b.imageIndex(images)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, small := range []struct{ name, content string }{
		{"oci-layout", ociLayoutMarker}, {"index.json", string(index)},
	} {
		header := &tar.Header{Name: small.name, Mode: 0o644, Size: int64(len(small.content)), Format: tar.FormatUSTAR}
		if err := out.WriteHeader(header); err != nil {
			return fmt.Errorf("writing image archive: %w", err)
		}
		if _, err := io.WriteString(out, small.content); err != nil {
			return fmt.Errorf("writing image archive: %w", err)
		}
	}
	written := map[string]bool{}
	for _, img := range images {
		for _, digest := range img.Blobs {
			if written[digest] {
				continue
			}
			written[digest] = true
			if err := b.writeBlob(out, digest); err != nil {
				return fmt.Errorf("writing image archive: %s: %w", img.Name, err)
			}
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing image archive: %w", err)
	}
	return nil
}

// writeBlob copies one blob into the archive.
func (b *Bundle) writeBlob(out *tar.Writer, digest string) error {
	f, ok := b.byPath[blobPath(digest)]
	if !ok {
		return fmt.Errorf("blob %s is not in the bundle", digest)
	}
	content, err := b.OpenFile(f)
	if err != nil {
		return err
	}
	defer content.Close()
	header := &tar.Header{
		Name: "blobs/sha256/" + digest[len("sha256:"):], Mode: 0o644, Size: f.StoredSize, Format: tar.FormatUSTAR,
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return err
}

// findImages looks images up by name; an unknown one is an error.
func (b *Bundle) findImages(names []string) ([]Image, error) {
	var images []Image
	for _, name := range names {
		i := slices.IndexFunc(b.manifest.Images, func(img Image) bool { return img.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("bundle %s has no image %s", b.dir, name)
		}
		images = append(images, b.manifest.Images[i])
	}
	return images, nil
}

// imageIndex is the index.json of the given images.
func (b *Bundle) imageIndex(images []Image) ([]byte, error) {
	sizes := map[string]int64{}
	for _, img := range images {
		sizes[img.Digest] = b.byPath[blobPath(img.Digest)].StoredSize
	}
	return marshalIndex(images, b.manifest.Arch, sizes)
}

// marshalIndex writes an OCI index over images; sizes are those of their
// manifests, by digest.
func marshalIndex(images []Image, arch string, sizes map[string]int64) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, img := range images {
		digest, err := v1.NewHash(img.Digest)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: sizes[img.Digest],
			Platform:    &v1.Platform{OS: "linux", Architecture: arch},
			Annotations: map[string]string{containerdNameAnnotation: img.Name, refNameAnnotation: img.Name},
		})
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(index); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
