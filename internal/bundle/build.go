package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/catalog"
)

// recipeVersion is part of every key: raising it makes everything be built
// again. Raise it when a change of this package changes what it produces from
// the same inputs.
const recipeVersion = 1

// ExtraAgnhost adds Kubernetes' test image to a bundle.
const ExtraAgnhost = "agnhost"

// Options say what to build.
type Options struct {
	Kubernetes string   // empty: the catalogue's default
	Output     string   // the bundle's directory; empty: DefaultDir
	Arch       string   // "amd64" or "arm64"; empty: this machine's
	Extras     []string // ExtraAgnhost; extras that the bundle has already are kept
	Builder    string   // quorate's own version, for the manifest
}

// State says what happened to a part.
type State string

// The states of a part, in their order; a cached part only has the last.
const (
	StateStarted  State = "started"
	StateWorking  State = "working" // Detail says at what
	StateFinished State = "finished"
	StateCached   State = "cached" // was there already
)

// Progress is one piece of news of a build. Besides the parts of the bundle it
// tells of "lock" (waiting for another build), "compiler" (installing it) and
// "modules" (downloading them).
type Progress struct {
	Part    string
	State   State
	Detail  string        // in words; may be empty
	Elapsed time.Duration // since the part started
}

// builder is one run of Build.
type builder struct {
	release catalog.Release
	arch    string
	extras  []string
	dir     string // of the bundle
	options Options
	store   store
	work    string // scratch folder, removed at the end
	system  distribution
	goVer   string
	plan    buildPlan
	parts   map[string]part // finished, by name
	mu      sync.Mutex      // guards parts and report
	report  func(Progress)
}

// Build makes the bundle that the options ask for, or returns the one that is
// there when it was made from the same inputs and every byte of it is right.
// progress may be nil; it is called by one goroutine at a time. A build that
// was interrupted leaves the bundle that was there as it was, and its finished
// parts are used by the next one.
func Build(ctx context.Context, o Options, progress func(Progress)) (*Bundle, error) {
	b, err := newBuilder(o, progress)
	if err != nil {
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	if ready, ok := b.upToDate(ctx); ok {
		return ready, nil
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Whoever held the lock may have built the same bundle.
	if ready, ok := b.upToDate(ctx); ok {
		return ready, nil
	}
	if err := b.makeScratch(); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.work)
	if err := b.buildParts(ctx); err != nil {
		return nil, fmt.Errorf("building the bundle of Kubernetes %s: %w", b.release.Kubernetes, err)
	}
	if err := b.assemble(); err != nil {
		return nil, fmt.Errorf("putting the bundle %s together: %w", b.dir, err)
	}
	return Open(b.dir)
}

// newBuilder checks the options and fills in what they leave open.
func newBuilder(o Options, progress func(Progress)) (*builder, error) {
	if o.Kubernetes == "" {
		o.Kubernetes = catalog.Default()
	}
	release, err := catalog.Lookup(o.Kubernetes)
	if err != nil {
		return nil, err
	}
	b := &builder{
		release: release, arch: o.Arch, dir: o.Output, options: o, extras: slices.Clone(o.Extras),
		parts: map[string]part{}, report: progress,
	}
	if b.arch == "" {
		b.arch = runtime.GOARCH
	}
	if b.arch != "amd64" && b.arch != "arm64" {
		return nil, fmt.Errorf("architecture %q is not supported; supported are amd64 and arm64", b.arch)
	}
	for _, extra := range o.Extras {
		if extra != ExtraAgnhost {
			return nil, fmt.Errorf("there is no extra %q; there is %s", extra, ExtraAgnhost)
		}
	}
	if b.dir == "" {
		if b.dir, err = DefaultDir(release.Kubernetes, b.arch); err != nil {
			return nil, err
		}
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	b.store = store{filepath.Join(cache, "parts")}
	return b, checkReplaceable(b.dir)
}

// checkReplaceable refuses to put a bundle over a folder that is something
// else.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the output directory: %w", err)
	}
	isManifest := func(e os.DirEntry) bool { return e.Name() == manifestName }
	if len(entries) > 0 && !slices.ContainsFunc(entries, isManifest) {
		return fmt.Errorf("%s is not empty and not a bundle; name another directory with --output", dir)
	}
	return nil
}

// lock waits until no other build works on the same cache.
func (b *builder) lock(ctx context.Context) (unlock func(), err error) {
	start := time.Now()
	waited := false
	unlock, err = b.store.lock(ctx, func() {
		waited = true
		b.tell(Progress{Part: "lock", State: StateStarted, Detail: "another build is running; waiting for it"})
	})
	if err == nil && waited {
		b.tell(Progress{Part: "lock", State: StateFinished, Elapsed: time.Since(start)})
	}
	return unlock, err
}

// prepare works out what the build is made from. It changes nothing, so it
// needs no lock.
func (b *builder) prepare(ctx context.Context) error {
	module, err := os.MkdirTemp("", "quorate-toolchain-")
	if err != nil {
		return fmt.Errorf("asking for the Go version: %w", err)
	}
	defer os.RemoveAll(module)
	if err := writeSource(kubernetesPart(b.release).Source, module); err != nil {
		return err
	}
	if b.goVer, err = toolchainVersion(ctx, module); err != nil {
		return err
	}
	if b.system, err = thisDistribution(); err != nil {
		return err
	}
	b.keepExtras()
	b.plan, err = newBuildPlan(b.release, b.arch, b.extras, b.goVer, b.system)
	return err
}

// makeScratch makes the scratch folder and removes those of builds that were
// killed; the lock says that none of them is alive.
func (b *builder) makeScratch() error {
	leftovers, err := filepath.Glob(filepath.Join(b.store.dir, "work-*"))
	if err != nil {
		return err
	}
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing what a killed build left: %w", err)
		}
	}
	if b.work, err = os.MkdirTemp(b.store.dir, "work-"); err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	return nil
}

// keepExtras adds the extras that the present bundle has: asking for less is
// no reason to throw something away.
func (b *builder) keepExtras() {
	present, err := open(b.dir)
	if err != nil {
		return
	}
	defer present.Close()
	for _, extra := range present.manifest.Provenance.Extras {
		if extra == ExtraAgnhost && !slices.Contains(b.extras, extra) {
			b.extras = append(b.extras, extra)
		}
	}
	slices.Sort(b.extras)
	b.extras = slices.Compact(b.extras)
}

// upToDate returns the present bundle if the build would make it again.
func (b *builder) upToDate(ctx context.Context) (*Bundle, bool) {
	present, err := Open(b.dir)
	if err != nil {
		return nil, false
	}
	if present.manifest.Provenance.Inputs == b.plan.inputs() && present.Verify(ctx) == nil {
		return present, true
	}
	present.Close()
	return nil, false
}

// tell passes news on, one at a time.
func (b *builder) tell(p Progress) {
	if b.report == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report(p)
}

// ensure takes a part from the store, or makes it, and reports either.
func (b *builder) ensure(name, key string, build func(dir string, line func(string)) ([]File, error)) error {
	start := time.Now()
	p, cached := b.store.load(name, key)
	if cached {
		b.tell(Progress{Part: name, State: StateCached})
		b.keep(name, p)
		return nil
	}
	b.tell(Progress{Part: name, State: StateStarted})
	line := func(detail string) {
		b.tell(Progress{Part: name, State: StateWorking, Detail: strings.TrimSpace(detail), Elapsed: time.Since(start)})
	}
	p, err := b.store.make(name, key, func(dir string) ([]File, error) { return build(dir, line) })
	if err != nil {
		return err
	}
	b.tell(Progress{Part: name, State: StateFinished, Elapsed: time.Since(start)})
	b.keep(name, p)
	return nil
}

// keep notes a finished part.
func (b *builder) keep(name string, p part) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[name] = p
}

// finished returns a part that ensure made or found.
func (b *builder) finished(name string) part {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.parts[name]
}
