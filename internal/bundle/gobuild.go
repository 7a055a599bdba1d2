package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
)

// key is a digest of everything that a compiled part depends on. The C
// compiler is not among it: a newer one is no reason to compile again.
func (p goPart) key(goVersion, arch string) (string, error) {
	files, err := sourceFiles(p.Source)
	if err != nil {
		return "", err
	}
	return keyOf(recipeVersion, goVersion, arch, p, files), nil
}

// source describes the part for the manifest.
func (p goPart) source() (Source, error) {
	files, err := sourceFiles(p.Source)
	if err != nil {
		return Source{}, err
	}
	s := Source{
		Name: p.Name, Modules: p.Modules, Tags: p.Tags, LDFlags: p.LDFlags, CGO: p.CGO,
		GoMod: hexSHA256(files["go.mod"]), GoSum: hexSHA256(files["go.sum"]),
	}
	for _, prog := range p.Programs {
		s.Packages = append(s.Packages, prog.Package)
	}
	return s, nil
}

// environment is what makes a compilation the same everywhere, whatever the
// user's own Go settings are. Where modules come from stays the user's choice.
func (p goPart) environment(arch string) []string {
	cgo := "0"
	if p.CGO {
		cgo = "1"
	}
	return []string{
		"CGO_ENABLED=" + cgo, "GOOS=linux", "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GODEBUG=", "CGO_CFLAGS=-O2", "CGO_LDFLAGS=",
	}
}

// packages are the import paths of the part's programs.
func (p goPart) packages() []string {
	var list []string
	for _, prog := range p.Programs {
		list = append(list, prog.Package)
	}
	return list
}

// fetch downloads the modules that the part is compiled from into Go's module
// cache; go.sum verifies them.
func (p goPart) fetch(ctx context.Context, dir, arch string, line func(string)) error {
	if err := writeSource(p.Source, dir); err != nil {
		return err
	}
	argv := []string{"go", "list", "-mod=readonly", "-tags", p.Tags, "-deps"}
	_, err := command{dir: dir, env: p.environment(arch), argv: append(argv, p.packages()...), line: line}.run(ctx)
	if err != nil {
		return fmt.Errorf("downloading the modules of %s: %w", p.Name, err)
	}
	return nil
}

// compile builds the part's programs in dir, which holds its source module, and
// stores them compressed in out.
func (p goPart) compile(ctx context.Context, dir, out, arch string, line func(string)) ([]File, error) {
	raw := filepath.Join(dir, "out")
	if err := os.Mkdir(raw, 0o755); err != nil {
		return nil, err
	}
	argv := []string{
		"go", "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", p.Tags,
		"-ldflags", strings.TrimSpace("-s -w -buildid= " + p.LDFlags), "-o", raw + string(filepath.Separator),
	}
	_, err := command{dir: dir, env: p.environment(arch), argv: append(argv, p.packages()...), line: line}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w", p.Name, err)
	}
	files := make([]File, len(p.Programs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, prog := range p.Programs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			stored := prog.Name + ".zst"
			f, err := writeCompressed(filepath.Join(out, stored), func(w io.Writer) error {
				return copyFile(w, filepath.Join(raw, prog.goName()))
			})
			f.Path, f.Name, f.Version, f.Mode, f.Kind = stored, prog.Name, prog.Version, 0o755, KindBinary
			files[i] = f
			return err
		})
	}
	return files, group.Wait()
}

// copyFile writes a file's content to w.
func copyFile(w io.Writer, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}

// toolchainVersion asks the go command for its version, in a module of ours so
// that a toolchain which the module asks for is counted.
func toolchainVersion(ctx context.Context, dir string) (string, error) {
	out, err := command{dir: dir, env: []string{"GOFLAGS=", "GOWORK=off"}, argv: []string{"go", "env", "GOVERSION"}}.run(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("building a bundle from source needs the Go toolchain, and there is no `go` in PATH; " +
			"install Go 1.26 or newer from https://go.dev/dl/ and run the command again")
	}
	if err != nil {
		return "", fmt.Errorf("asking for the Go version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
