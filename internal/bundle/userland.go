package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// userlandPackages are the tools that kube-proxy and flannel call in their
// images.
func userlandPackages() []string {
	return []string{"conntrack", "ipset", "iptables", "kmod", "nftables"}
}

// userlandKey is a digest of what decides the userland layer.
func userlandKey(system distribution, arch string) string {
	return keyOf(recipeVersion, system, arch, userlandPackages(), userlandSkipped())
}

// userlandSkipped are paths of packages that a container never reads. The
// copyright files stay: they are the licences of what is handed on.
func userlandSkipped() []string {
	return []string{
		"usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/", "usr/share/bash-completion/",
		"usr/share/initramfs-tools/", "usr/lib/*/gconv/", "etc/init.d/", "usr/lib/systemd/",
	}
}

// buildUserland makes the layer with the tools and every library that they
// need, from the distribution's own packages.
func buildUserland(ctx context.Context, a apt, work, out string) ([]File, error) {
	packages, err := a.closure(ctx, userlandPackages()...)
	if err != nil {
		return nil, err
	}
	entries, err := unpackPackages(ctx, a, work, packages)
	if err != nil {
		return nil, err
	}
	return layerFile(out, "userland", append(entries, userlandLinks()...))
}

// unpackPackages downloads packages into a folder, and lists what is in them.
func unpackPackages(ctx context.Context, a apt, work string, packages []debianPackage) ([]layerEntry, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	if err := a.download(ctx, work, packages); err != nil {
		return nil, err
	}
	var entries []layerEntry
	for _, p := range packages {
		content, err := command{dir: work, argv: []string{"dpkg-deb", "--fsys-tarfile", p.File}}.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", p.File, err)
		}
		unpacked, err := userlandEntries(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", p.File, err)
		}
		entries = append(entries, unpacked...)
	}
	return entries, nil
}

// layerFile writes a part's only file, a layer.
func layerFile(out, name string, entries []layerEntry) ([]File, error) {
	const stored = "layer.tar.zst"
	f, err := writeCompressed(filepath.Join(out, stored), func(w io.Writer) error { return writeLayer(w, entries) })
	f.Path, f.Name, f.Kind = stored, name, KindImageBlob
	return []File{f}, err
}

// userlandEntries reads the files and links of a package's tar. Directories
// are left out: the layer makes those that it needs.
func userlandEntries(content io.Reader) ([]layerEntry, error) {
	var entries []layerEntry
	in := tar.NewReader(content)
	for {
		header, err := in.Next()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		name := mergedPath(strings.TrimPrefix(path.Clean(header.Name), "/"))
		if skipInUserland(name) {
			continue
		}
		switch header.Typeflag {
		case tar.TypeDir:
		case tar.TypeSymlink:
			entries = append(entries, linkEntry(name, header.Linkname))
		case tar.TypeLink: // another name of a file
			entries = append(entries, linkEntry(name, path.Join("/", header.Linkname)))
		case tar.TypeReg:
			data, err := io.ReadAll(in)
			if err != nil {
				return nil, err
			}
			entry := textEntry(name, string(data))
			entry.Mode = fs.FileMode(header.Mode).Perm()
			entries = append(entries, entry)
		default:
			return nil, fmt.Errorf("%s has type %c, which no needed package has", header.Name, header.Typeflag)
		}
	}
}

// mergedPath moves what older packages keep in /bin, /sbin and /lib below
// /usr, where links of those names lead (see [userlandLinks]).
func mergedPath(name string) string {
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains(mergedDirs(), first) {
		return "usr/" + name
	}
	return name
}

// mergedDirs are the top folders that are links into usr.
func mergedDirs() []string { return []string{"bin", "lib", "lib64", "sbin"} }

// skipInUserland reports whether a path is left out of the layer.
func skipInUserland(name string) bool {
	if strings.HasPrefix(name, "usr/share/doc/") {
		return path.Base(name) != "copyright"
	}
	for _, skipped := range userlandSkipped() {
		dir := strings.Count(skipped, "/")
		parts := strings.SplitN(name, "/", dir+1)
		if len(parts) <= dir {
			continue
		}
		if ok, err := path.Match(strings.TrimSuffix(skipped, "/"), path.Join(parts[:dir]...)); ok && err == nil {
			return true
		}
	}
	return false
}

// userlandLinks are what a package's installation script would make: the
// merged folders, and iptables in its nftables flavour, the one that every
// supported host kernel has.
func userlandLinks() []layerEntry {
	var links []layerEntry
	for _, dir := range mergedDirs() {
		links = append(links, linkEntry(dir, "usr/"+dir))
	}
	for _, name := range []string{
		"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore",
	} {
		links = append(links, linkEntry("usr/sbin/"+name, "xtables-nft-multi"))
	}
	return links
}
