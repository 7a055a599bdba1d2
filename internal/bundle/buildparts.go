package bundle

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// buildParts makes every part that the store does not have. Compiling uses all
// processors, so it goes one part after the other; what waits for the network
// goes on beside it.
func (b *builder) buildParts(ctx context.Context) error {
	missing := b.missingPrograms()
	_, pauseCached := b.store.load(b.plan.pause.Name, b.plan.pause.Key)
	if err := b.checkCompiler(ctx, missing, !pauseCached); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	fetched := map[string]chan struct{}{}
	for _, p := range missing {
		fetched[p.goPart.Name] = make(chan struct{})
	}
	group.Go(func() error { return b.fetchAll(ctx, missing, fetched) })
	group.Go(func() error { return b.buildFromPackages(ctx) })
	group.Go(func() error {
		for _, p := range b.plan.programs {
			if wait, ok := fetched[p.goPart.Name]; ok {
				select {
				case <-wait:
				case <-ctx.Done():
					return stopped(ctx)
				}
			}
			if err := b.compile(ctx, p); err != nil {
				return err
			}
		}
		return b.buildPause(ctx)
	})
	return group.Wait()
}

// missingPrograms lists the compiled parts that the store does not have.
func (b *builder) missingPrograms() []plannedPrograms {
	var missing []plannedPrograms
	for _, p := range b.plan.programs {
		if _, ok := b.store.load(p.plannedPart.Name, p.Key); !ok {
			missing = append(missing, p)
		}
	}
	return missing
}

// checkCompiler makes sure, before the long work begins, that parts with C code
// can be compiled.
func (b *builder) checkCompiler(ctx context.Context, missing []plannedPrograms, pause bool) error {
	var withC []string
	for _, p := range missing {
		if p.CGO {
			withC = append(withC, p.goPart.Name)
		}
	}
	if pause {
		withC = append(withC, b.plan.pause.Name)
	}
	if len(withC) == 0 {
		return nil
	}
	if b.arch != runtime.GOARCH {
		return fmt.Errorf("%s contain C code, which this %s machine cannot compile for %s; "+
			"build the bundle on a %s machine and copy it here", strings.Join(withC, ", "), runtime.GOARCH, b.arch, b.arch)
	}
	start := time.Now()
	installed := false
	err := ensureBuildPackages(ctx, func(what string) {
		installed = true
		b.tell(Progress{Part: "compiler", State: StateStarted, Detail: what})
	})
	if err == nil && installed {
		b.tell(Progress{Part: "compiler", State: StateFinished, Elapsed: time.Since(start)})
	}
	return err
}

// moduleDir is where a part's source module is written.
func (b *builder) moduleDir(p goPart) string { return filepath.Join(b.work, p.Name) }

// fetchAll downloads the modules of the missing parts, in the order in which
// they are compiled, and closes each part's channel when it may begin.
func (b *builder) fetchAll(ctx context.Context, missing []plannedPrograms, fetched map[string]chan struct{}) error {
	if len(missing) == 0 {
		return nil
	}
	start := time.Now()
	count := 0
	b.tell(Progress{Part: "modules", State: StateStarted, Detail: "downloading what is not in Go's module cache"})
	for _, p := range missing {
		err := p.fetch(ctx, b.moduleDir(p.goPart), b.arch, func(line string) {
			if strings.HasPrefix(line, "go: downloading ") {
				count++
				detail := fmt.Sprintf("downloaded %d, now those of %s", count, p.goPart.Name)
				b.tell(Progress{Part: "modules", State: StateWorking, Detail: detail, Elapsed: time.Since(start)})
			}
		})
		if err != nil {
			return err
		}
		close(fetched[p.goPart.Name])
	}
	b.tell(Progress{Part: "modules", State: StateFinished, Elapsed: time.Since(start)})
	return nil
}

// compile makes a compiled part.
func (b *builder) compile(ctx context.Context, p plannedPrograms) error {
	err := b.ensure(p.plannedPart.Name, p.Key, func(dir string, line func(string)) ([]File, error) {
		count := 0
		return p.compile(ctx, b.moduleDir(p.goPart), dir, b.arch, func(pkg string) {
			count++
			line(fmt.Sprintf("compiled %d packages, last %s", count, pkg))
		})
	})
	return err
}

// buildPause makes the sandbox's program.
func (b *builder) buildPause(ctx context.Context) error {
	err := b.ensure(b.plan.pause.Name, b.plan.pause.Key, func(dir string, _ func(string)) ([]File, error) {
		kubernetes := kubernetesPart(b.release)
		module := filepath.Join(b.work, "pause")
		if err := writeSource(kubernetes.Source, module); err != nil {
			return nil, err
		}
		return compilePause(ctx, b.release, module, dir, b.arch)
	})
	return err
}

// buildFromPackages makes the parts that consist of the distribution's
// packages. The archives' lists are fetched only if a part is missing.
func (b *builder) buildFromPackages(ctx context.Context) error {
	var archives *apt
	fetchLists := func() (apt, error) {
		if archives == nil {
			a, err := newApt(ctx, filepath.Join(b.work, "apt"), b.arch)
			if err != nil {
				return apt{}, err
			}
			archives = &a
		}
		return *archives, nil
	}
	err := b.ensure(b.plan.osPackages.Name, b.plan.osPackages.Key, func(dir string, line func(string)) ([]File, error) {
		line("fetching the lists of the package archives")
		a, err := fetchLists()
		if err != nil {
			return nil, err
		}
		line("resolving and downloading packages")
		return collectOSPackages(ctx, a, b.system, dir)
	})
	if err != nil {
		return err
	}
	err = b.ensure(b.plan.userland.Name, b.plan.userland.Key, func(dir string, _ func(string)) ([]File, error) {
		a, err := fetchLists()
		if err != nil {
			return nil, err
		}
		return buildUserland(ctx, a, filepath.Join(b.work, "userland"), dir)
	})
	if err != nil {
		return err
	}
	err = b.ensure(b.plan.haproxy.Name, b.plan.haproxy.Key, func(dir string, _ func(string)) ([]File, error) {
		a, err := fetchLists()
		if err != nil {
			return nil, err
		}
		return buildSelfContained(ctx, a, filepath.Join(b.work, "haproxy"), dir)
	})
	return err
}
