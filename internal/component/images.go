package component

import (
	"context"
	"fmt"
	"io"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
)

// Ctr is containerd's own command line on a host.
const Ctr = "/usr/local/bin/ctr"

// ImagesOf are the names of the images that a node needs.
func ImagesOf(r catalog.Release, c *cluster.Cluster, h *cluster.Host) []string {
	if !h.Has(cluster.RoleControlPlane) {
		return r.Images(cluster.RoleWorker)
	}
	images := r.Images(cluster.RoleControlPlane)
	if c.Etcd.Mode == cluster.EtcdStacked {
		images = append(images, r.EtcdImage())
	}
	return images
}

// MissingImages are those of the names that the host lacks or, where the
// bundle is known, has in another version.
func MissingImages(in Input, facts *protocol.Facts, names []string) []string {
	var missing []string
	for _, name := range names {
		digest, ok := facts.Images[name]
		if !ok || (in.Artefacts != nil && in.Artefacts.ImageDigest(name) != digest) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Images is the work of importing images from the bundle into containerd,
// as one OCI archive on ctr's standard input.
type Images struct {
	Host  string
	Names []string
}

// Apply implements Op.
func (i Images) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	h, err := rt.Host(i.Host)
	if err != nil {
		return err
	}
	if rt.Bundle == nil {
		return fmt.Errorf("%s needs images and there is no bundle to take them from", i.Host)
	}
	say(fmt.Sprintf("sending %d images", len(i.Names)))
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(rt.Bundle.WriteImageArchive(pw, i.Names...)) }()
	defer pr.CloseWithError(context.Canceled)
	_, err = h.Run(ctx, host.Command{
		Argv:  []string{Ctr, "--namespace", "k8s.io", "images", "import", "--local", "-"},
		Stdin: pr,
	})
	return err
}

// Verify implements Verifier.
func (i Images) Verify(ctx context.Context, rt *Runtime, _ func(string)) error {
	h, err := rt.Host(i.Host)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Images: true, CtrPath: Ctr})
	if err != nil {
		return err
	}
	for _, name := range i.Names {
		if _, ok := facts.Images[name]; !ok {
			return fmt.Errorf("%s: containerd does not have %s after the import", i.Host, name)
		}
	}
	return nil
}
