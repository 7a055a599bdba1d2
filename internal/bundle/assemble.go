package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// assemble puts the parts together beside the bundle's place and moves the
// result there.
func (b *builder) assemble() error {
	stage, old := b.dir+".unfinished", b.dir+".replaced"
	for _, dir := range []string{stage, old} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	m := Manifest{
		FormatVersion: FormatVersion, Kubernetes: b.release.Kubernetes, OS: "linux", Arch: b.arch,
		Provenance: Provenance{
			Method: "source", Builder: b.options.Builder, GoVersion: b.goVer, Inputs: b.plan.inputs(), Extras: b.extras,
		},
	}
	for _, p := range b.plan.programs {
		source, err := p.source()
		if err != nil {
			return err
		}
		m.Provenance.Sources = append(m.Provenance.Sources, source)
	}
	for _, add := range []func(string, *Manifest) error{b.addBinaries, b.addImages, b.addPackages} {
		if err := add(stage, &m); err != nil {
			return err
		}
	}
	slices.SortFunc(m.Files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(stage, manifestName), append(data, '\n'), 0o644); err != nil {
		return err
	}
	return replaceDir(stage, b.dir, old)
}

// replaceDir moves stage to final; what was there is removed afterwards.
func replaceDir(stage, final, old string) error {
	if err := os.Rename(final, old); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Rename(stage, final); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// program finds a compiled program among the finished parts.
func (b *builder) program(name string) (part, File, error) {
	for _, planned := range b.plan.programs {
		p := b.finished(planned.plannedPart.Name)
		if f, err := p.file(name); err == nil {
			return p, f, nil
		}
	}
	pause := b.finished(b.plan.pause.Name)
	f, err := pause.file(name)
	return pause, f, err
}

// addBinaries adds the executables of every role.
func (b *builder) addBinaries(stage string, m *Manifest) error {
	index := map[string]int{}
	for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker, cluster.RoleEtcd} {
		for _, binary := range b.release.Binaries(role) {
			if i, ok := index[binary.Name]; ok {
				m.Files[i].Roles = append(m.Files[i].Roles, role)
				continue
			}
			f, err := b.addBinary(stage, binary)
			if err != nil {
				return err
			}
			f.Roles = []cluster.Role{role}
			index[binary.Name] = len(m.Files)
			m.Files = append(m.Files, f)
		}
	}
	return nil
}

// addBinary adds one executable.
func (b *builder) addBinary(stage string, binary catalog.Binary) (File, error) {
	p, f, err := b.program(binary.Name)
	if err != nil {
		return File{}, err
	}
	from := filepath.Join(p.dir, f.Path)
	f.Path, f.InstallPath, f.Mode = "bin/"+f.Path, binary.InstallPath, Mode(binary.Mode)
	return f, linkOrCopy(from, filepath.Join(stage, filepath.FromSlash(f.Path)))
}

// addImages makes the layers that are missing and the images over them.
func (b *builder) addImages(stage string, m *Manifest) error {
	layout := newLayout(stage, b.arch)
	layers, err := b.buildLayers()
	if err != nil {
		return err
	}
	for _, spec := range b.plan.images {
		var stack []part
		for _, layer := range spec.Layers {
			stack = append(stack, layers[layer.Name])
		}
		if err := layout.addImage(spec, stack); err != nil {
			return fmt.Errorf("making image %s: %w", spec.Name, err)
		}
	}
	if err := layout.finish(); err != nil {
		return err
	}
	m.Images = layout.list
	for _, f := range layout.files {
		m.Files = append(m.Files, f)
	}
	return nil
}

// buildLayers makes every layer of the images once.
func (b *builder) buildLayers() (map[string]part, error) {
	specs := map[string]layerSpec{}
	for _, img := range b.plan.images {
		for _, layer := range img.Layers {
			specs[layer.Name] = layer
		}
	}
	group := errgroup.Group{}
	group.SetLimit(runtime.NumCPU())
	for _, spec := range specs {
		if spec.Userland {
			continue
		}
		group.Go(func() error {
			key, err := spec.key(b.program)
			if err != nil {
				return err
			}
			err = b.ensure(layerPart(spec), key, func(dir string, _ func(string)) ([]File, error) {
				entries, err := spec.entries(b.program)
				if err != nil {
					return nil, err
				}
				return layerFile(dir, spec.Name, entries)
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	layers := map[string]part{}
	for name, spec := range specs {
		layers[name] = b.finished(layerPart(spec))
	}
	return layers, nil
}

// layerPart is the name of a layer's part.
func layerPart(spec layerSpec) string {
	if spec.Userland {
		return spec.Name
	}
	return "layer-" + spec.Name
}

// addPackages adds the operating system packages, and what is made of them for
// hosts that can have none.
func (b *builder) addPackages(stage string, m *Manifest) error {
	for _, add := range []struct {
		part  plannedPart
		below func(File) string
	}{
		{b.plan.osPackages, func(f File) string { return path.Join("os", f.OS) }},
		{b.plan.haproxy, func(f File) string { return path.Join("self-contained", f.Name) }},
	} {
		p := b.finished(add.part.Name)
		for _, f := range p.files {
			from := filepath.Join(p.dir, f.Path)
			f.Path = path.Join(add.below(f), f.Path)
			if err := linkOrCopy(from, filepath.Join(stage, filepath.FromSlash(f.Path))); err != nil {
				return err
			}
			m.Files = append(m.Files, f)
		}
	}
	return nil
}
