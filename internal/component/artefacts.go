package component

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// Ctr is containerd's own command line on a host.
const Ctr = "/usr/local/bin/ctr"

// Kubeadm is kubeadm on a host.
const Kubeadm = "/usr/local/bin/kubeadm"

// RuntimeBinaries are the container runtime's: containerd, runc and the CNI
// plugins. They are installed first, so that images can be imported while the
// rest still travels.
func RuntimeBinaries(r catalog.Release) []catalog.Binary {
	return slices.DeleteFunc(r.Binaries(cluster.RoleWorker), func(b catalog.Binary) bool {
		return strings.HasPrefix(b.Name, "kube")
	})
}

// KubernetesBinaries are Kubernetes' own for a host's roles.
func KubernetesBinaries(r catalog.Release, h *cluster.Host) []catalog.Binary {
	role := cluster.RoleWorker
	if h.Has(cluster.RoleControlPlane) {
		role = cluster.RoleControlPlane
	}
	return slices.DeleteFunc(r.Binaries(role), func(b catalog.Binary) bool {
		return !strings.HasPrefix(b.Name, "kube")
	})
}

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

// AskBinaries asks for the digests of installed binaries.
func AskBinaries(q *protocol.FactsRequest, binaries []catalog.Binary) {
	for _, b := range binaries {
		q.Files = append(q.Files, protocol.FileQuery{Path: b.InstallPath, Digest: true})
	}
}

// PlanBinaries adds a step that installs the binaries which are missing or
// differ from the bundle's. Without a bundle an installed binary is taken as
// it is, and a missing one is refused.
func PlanBinaries(in Input, h *cluster.Host, facts *protocol.Facts, id plan.ID, title string, binaries []catalog.Binary, out *Output) {
	op := Binaries{Host: h.Name}
	step := plan.Step{ID: id, Host: h.Name, Title: title}
	running := false
	for _, b := range binaries {
		installed := facts.Files[b.InstallPath]
		if in.Artefacts == nil {
			if !installed.Exists {
				refuseWithoutBundle(in, h, b.Name, out)
				return
			}
			continue
		}
		file, ok := in.Artefacts.Binary(b.Name)
		if !ok {
			out.Refuse("build it anew: quorate bundle build --kubernetes "+in.Cluster.Kubernetes.Version,
				"the bundle lacks %s, which %s needs", b.Name, h.Name)
			return
		}
		if installed.Exists && installed.SHA256 == file.SHA256 {
			continue
		}
		action := "install"
		if installed.Exists {
			action, running = "update", true
		}
		step.Changes = append(step.Changes, plan.Change{What: b.InstallPath + " " + b.Version, Action: action})
		op.Names = append(op.Names, b.Name)
	}
	if len(op.Names) == 0 {
		return
	}
	step.Why = "not installed"
	if running {
		step.Why = "missing or of another version"
	}
	out.Add(step, op)
}

func refuseWithoutBundle(in Input, h *cluster.Host, what string, out *Output) {
	out.Refuse("make one with `quorate bundle build --kubernetes "+in.Cluster.Kubernetes.Version+"`, or name one with --bundle",
		"%s needs %s, and there is no bundle to take it from", h.Name, what)
}

// Binaries is the work of installing binaries from the bundle, all in one stream.
type Binaries struct {
	Host  string
	Names []string
}

// Check implements Op. The agent itself leaves alone what is already so.
func (b Binaries) Check(context.Context, *Runtime) (bool, error) { return false, nil }

// Apply implements Op.
func (b Binaries) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	var files []bundle.File
	var total int64
	for _, name := range b.Names {
		f, ok := rt.Bundle.Binary(name)
		if !ok {
			return fmt.Errorf("the bundle lacks %s", name)
		}
		files = append(files, f)
		total += f.StoredSize
	}
	say(fmt.Sprintf("sending %d files, %d MB", len(files), total>>20))
	return sendFiles(ctx, rt, b.Host, files, func(f bundle.File) string { return f.InstallPath })
}

// Verify implements Op: the agent verified every digest while it wrote.
func (b Binaries) Verify(context.Context, *Runtime, func(string)) error { return nil }

// sendFiles streams files of the bundle to a host as one archive.
func sendFiles(ctx context.Context, rt *Runtime, hostName string, files []bundle.File, to func(bundle.File) string) error {
	h, err := rt.Host(hostName)
	if err != nil {
		return err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeArchive(pw, rt.Bundle, files, to)) }()
	_, err = h.Unpack(ctx, pr)
	// A host that went away must not leave the writer behind.
	pr.CloseWithError(context.Canceled)
	return err
}

func writeArchive(w io.Writer, b *bundle.Bundle, files []bundle.File, to func(bundle.File) string) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := addToArchive(tw, b, f, to(f)); err != nil {
			return err
		}
	}
	return tw.Close()
}

func addToArchive(tw *tar.Writer, b *bundle.Bundle, f bundle.File, name string) error {
	r, err := b.OpenFile(f)
	if err != nil {
		return err
	}
	defer r.Close()
	header := &tar.Header{
		Name: name, Mode: int64(f.Mode), Size: f.StoredSize, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		PAXRecords: map[string]string{protocol.PAXSHA256: f.SHA256},
	}
	if f.Compression == "zstd" {
		header.PAXRecords[protocol.PAXEncoding] = "zstd"
	}
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if _, err := io.Copy(tw, r); err != nil {
		return fmt.Errorf("reading %s from the bundle: %w", f.Path, err)
	}
	return nil
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

// Check implements Op.
func (i Images) Check(context.Context, *Runtime) (bool, error) { return false, nil }

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

// Verify implements Op.
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

// Packages is the work of installing distribution packages: from the bundle
// where it holds them for the host's distribution, else from the host's own
// package sources.
type Packages struct {
	Host  string
	OS    protocol.OS
	Names []string
}

// packageFolder holds package files while they are installed.
const packageFolder = "/var/lib/quorate/packages"

// Check implements Op.
func (p Packages) Check(context.Context, *Runtime) (bool, error) { return false, nil }

// Apply implements Op.
func (p Packages) Apply(ctx context.Context, rt *Runtime, say func(string)) error {
	h, err := rt.Host(p.Host)
	if err != nil {
		return err
	}
	request := protocol.PackagesRequest{Names: p.Names}
	if rt.Bundle != nil {
		files, err := rt.Bundle.Packages(p.OS.ID, p.OS.Version, p.Names...)
		switch {
		case errors.Is(err, bundle.ErrNoPackages):
			say("the bundle has no packages for " + p.OS.PrettyName + ": using the host's own sources")
		case err != nil:
			return err
		default:
			to := func(f bundle.File) string { return packageFolder + "/" + path.Base(f.Path) }
			if err := sendFiles(ctx, rt, p.Host, files, to); err != nil {
				return err
			}
			for _, f := range files {
				request.Files = append(request.Files, to(f))
			}
		}
	}
	say("installing " + strings.Join(p.Names, ", "))
	if _, err := h.Packages(ctx, request); err != nil {
		return err
	}
	return h.RemoveAll(ctx, packageFolder)
}

// Verify implements Op.
func (p Packages) Verify(ctx context.Context, rt *Runtime, _ func(string)) error {
	h, err := rt.Host(p.Host)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Packages: p.Names})
	if err != nil {
		return err
	}
	for _, name := range p.Names {
		if facts.Packages[name] == "" {
			return fmt.Errorf("%s: package %s is not installed after installing it", p.Host, name)
		}
	}
	return nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// WhyOf puts what was observed into words, from the changes it asks for.
func WhyOf(changes []plan.Change) string {
	words := make([]string, 0, len(changes))
	for _, c := range changes {
		switch c.Action {
		case "create":
			words = append(words, c.What+" missing")
		case "start":
			words = append(words, c.What+" not running")
		case "enable":
			words = append(words, c.What+" not enabled")
		case "restart", "reload":
		default:
			words = append(words, c.What+" differs")
		}
	}
	return strings.Join(words, "; ")
}
