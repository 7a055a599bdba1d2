package bundle

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

// hostPackages are the packages that hosts may be asked to install: what
// kubelet and kube-proxy call, and the balancers of every endpoint mode.
func hostPackages() []string {
	return []string{
		"conntrack", "ethtool", "haproxy", "ipset", "iproute2", "iptables", "keepalived", "kmod",
		"libnginx-mod-stream", "nftables", "nginx", "socat",
	}
}

// minimalSystem is what every host has already: what debootstrap's smallest
// variant installs, systemd and an SSH server.
func minimalSystem() []string {
	return []string{"?essential", "?priority(required)", "apt", "systemd", "systemd-sysv", "openssh-server"}
}

// osPackagesKey is a digest of what decides which packages are collected. The
// archives' content is not among it: a bundle changes only when it is asked to.
func osPackagesKey(system distribution, arch string) string {
	return keyOf(recipeVersion, system, arch, hostPackages(), minimalSystem())
}

// collectOSPackages downloads the host packages and, for each, what it needs
// on top of a minimal system.
func collectOSPackages(ctx context.Context, a apt, system distribution, out string) ([]File, error) {
	base, err := a.closure(ctx, minimalSystem()...)
	if err != nil {
		return nil, err
	}
	neededBy := map[debianPackage][]string{}
	for _, root := range hostPackages() {
		closure, err := a.closure(ctx, append(minimalSystem(), root)...)
		if err != nil {
			return nil, err
		}
		for _, p := range closure {
			// A package that was asked for is kept even if a minimal system
			// happens to have it today.
			if p.Name == root || !slices.Contains(base, p) {
				neededBy[p] = append(neededBy[p], root)
			}
		}
	}
	var packages []debianPackage
	for p := range neededBy {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(x, y debianPackage) int { return strings.Compare(x.File, y.File) })
	if err := a.download(ctx, out, packages); err != nil {
		return nil, err
	}
	var files []File
	for _, p := range packages {
		f, err := digestFile(filepath.Join(out, p.File))
		if err != nil {
			return nil, err
		}
		f.Path, f.Kind, f.Name, f.Version = p.File, KindOSPackage, p.Name, p.Version
		f.OS, f.NeededBy = system.key(), neededBy[p]
		files = append(files, f)
	}
	return files, nil
}
