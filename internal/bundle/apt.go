package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// apt asks the machine's package archives as if nothing were installed: its
// lists, its cache and its idea of what is installed lie in a folder of the
// build, so that neither root is needed nor the machine changed. Sources and
// their keys are the machine's own, and apt verifies what it downloads.
type apt struct {
	dir  string // the private folder
	arch string // Debian's name of the architecture
}

// newApt prepares the private folder and fetches the archives' lists.
func newApt(ctx context.Context, dir, arch string) (apt, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return apt{}, errors.New("collecting operating system packages needs apt-get: build the bundle on Debian or Ubuntu")
	}
	a := apt{dir: dir, arch: arch}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	if err := os.WriteFile(a.status(), nil, 0o644); err != nil {
		return apt{}, err
	}
	if _, err := a.run(ctx, dir, "update"); err != nil {
		return apt{}, fmt.Errorf("fetching the lists of the package archives: %w", err)
	}
	return a, nil
}

// status is the empty list of installed packages.
func (a apt) status() string { return filepath.Join(a.dir, "status") }

// run runs apt-get in a folder.
func (a apt) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	argv := []string{
		"apt-get", "-qq", "-y",
		"-o", "Dir::State::Lists=" + filepath.Join(a.dir, "lists"),
		"-o", "Dir::State::status=" + a.status(),
		"-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
		"-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root",
		"-o", "APT::Architecture=" + a.arch, "-o", "APT::Architectures=" + a.arch,
		// Whatever the machine's own settings allow, no archive is taken unsigned.
		"-o", "APT::Get::AllowUnauthenticated=false", "-o", "Acquire::AllowInsecureRepositories=false",
		"-o", "Acquire::AllowWeakRepositories=false", "-o", "Acquire::AllowDowngradeToInsecureRepositories=false",
		"-o", "APT::Install-Recommends=false", "-o", "APT::Install-Suggests=false",
	}
	return command{dir: dir, env: []string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, argv: append(argv, args...)}.run(ctx)
}

// debianPackage is one package file of an archive.
type debianPackage struct {
	Name, Version string
	File          string // as apt names it, a colon of the version written %3a
}

// closure lists everything that installing the names on an empty system would
// install, sorted by name. Names may be apt patterns.
func (a apt) closure(ctx context.Context, names ...string) ([]debianPackage, error) {
	out, err := a.run(ctx, a.dir, append([]string{"--print-uris", "install"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("resolving packages %s: %w", strings.Join(names, " "), err)
	}
	var list []debianPackage
	for line := range strings.Lines(string(out)) {
		p, err := parsePrintURI(line)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(x, y debianPackage) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}

// parsePrintURI reads a line of apt-get --print-uris: 'URI' FILE SIZE HASH.
func parsePrintURI(line string) (debianPackage, error) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return debianPackage{}, fmt.Errorf("apt-get printed %q, not a package", line)
	}
	parts := strings.Split(strings.TrimSuffix(fields[1], ".deb"), "_")
	if len(parts) != 3 || !strings.HasSuffix(fields[1], ".deb") || strings.ContainsAny(fields[1], "/\\") {
		return debianPackage{}, fmt.Errorf("apt-get printed %q, not a package file", fields[1])
	}
	return debianPackage{Name: parts[0], Version: strings.ReplaceAll(parts[1], "%3a", ":"), File: fields[1]}, nil
}

// download fetches package files into dir, under the names that File gives.
func (a apt) download(ctx context.Context, dir string, packages []debianPackage) error {
	args := []string{"download"}
	for _, p := range packages {
		args = append(args, p.Name+"="+p.Version)
	}
	if _, err := a.run(ctx, dir, args...); err != nil {
		return fmt.Errorf("downloading packages: %w", err)
	}
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(dir, p.File)); err != nil {
			return fmt.Errorf("downloading packages: apt-get did not leave %s: %w", p.File, err)
		}
	}
	return nil
}
