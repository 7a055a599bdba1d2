package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/catalog"
)

// buildMachine gives a test an empty cache and the tools in testdata instead of
// a compiler and a package archive. It returns a function that reads, and
// forgets, what the tools were asked to make.
func buildMachine(t *testing.T) (made func() []string) {
	t.Helper()
	tools, err := filepath.Abs(filepath.Join("testdata", "tools"))
	must(t, err)
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("PATH", tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("TOOLS_LOG", log)
	t.Setenv("TOOLS_FAIL", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return func() []string {
		data, err := os.ReadFile(log)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		must(t, err)
		must(t, os.Remove(log))
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// mustBuild builds a bundle for the length of a test.
func mustBuild(t *testing.T, o Options) *Bundle {
	t.Helper()
	b, err := Build(t.Context(), o, nil)
	must(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBuild(t *testing.T) {
	made := buildMachine(t)
	b := mustBuild(t, Options{Builder: "v0.0.1"})
	must(t, b.Verify(t.Context()))
	r, err := catalog.Lookup(catalog.Default())
	must(t, err)
	for _, name := range []string{"kubelet", "etcd", "runc", "cni-flannel"} {
		if _, ok := b.Binary(name); !ok {
			t.Errorf("the bundle has no %s", name)
		}
	}
	var images []string
	for _, img := range b.Images() {
		images = append(images, img.Name)
	}
	want := append(r.KubeadmImages(), r.FlannelImage())
	slices.Sort(want)
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	checkLayout(t, filepath.Join(b.Dir(), "images"), images...)
	system, err := thisDistribution()
	must(t, err)
	files, err := b.Packages(system.ID, system.Version, "haproxy")
	must(t, err)
	var packages []string
	for _, f := range files {
		packages = append(packages, f.Name+" "+f.Version)
	}
	if diff := cmp.Diff([]string{"haproxy 1", "libssl3 3"}, packages); diff != "" {
		t.Errorf("haproxy's closure on top of a minimal system (-want +got):\n%s", diff)
	}
	m := b.Manifest()
	var own []string
	for _, f := range m.SelfContained("haproxy") {
		own = append(own, f.InstallPath)
	}
	if !slices.Contains(own, SelfContainedRoot+"haproxy/usr/sbin/haproxy") || !slices.Contains(own, SelfContainedRoot+"haproxy/bin/sh") {
		t.Errorf("HAProxy with all that it needs: %v", own)
	}
	if p := m.Provenance; p.GoVersion != "go1.26.0" || p.Builder != "v0.0.1" || len(p.Sources) == 0 {
		t.Errorf("provenance %+v", p)
	}
	if len(made()) == 0 {
		t.Error("the bundle was made without the tools")
	}
	leftover, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "quorate", "*", "work-*"))
	if err != nil || len(leftover) != 0 {
		t.Errorf("scratch folders are left: %v (%v)", leftover, err)
	}
}

func TestBuildAgainDoesNothing(t *testing.T) {
	made := buildMachine(t)
	first := mustBuild(t, Options{}).Manifest()
	made()
	var news []Progress
	b, err := Build(t.Context(), Options{}, func(p Progress) { news = append(news, p) })
	must(t, err)
	defer b.Close()
	if again := made(); again != nil || news != nil {
		t.Errorf("the second build made %v and reported %v", again, news)
	}
	if diff := cmp.Diff(first, b.Manifest()); diff != "" {
		t.Errorf("the second build changed the bundle:\n%s", diff)
	}
}

// TestBuildReproducible builds on two machines with nothing in common.
func TestBuildReproducible(t *testing.T) {
	buildMachine(t)
	first := mustBuild(t, Options{}).Manifest()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if diff := cmp.Diff(first, mustBuild(t, Options{Output: filepath.Join(t.TempDir(), "elsewhere")}).Manifest()); diff != "" {
		t.Errorf("two builds differ:\n%s", diff)
	}
}

// TestBuildRepairs makes a part again, and only it, when a file of the bundle
// was damaged. They share the file, so the kept part is damaged too.
func TestBuildRepairs(t *testing.T) {
	made := buildMachine(t)
	b := mustBuild(t, Options{})
	made()
	f, _ := b.Binary("runc")
	path := filepath.Join(b.Dir(), f.Path)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt([]byte("XX"), 4)
	must(t, err)
	must(t, file.Close())
	must(t, mustBuild(t, Options{}).Verify(t.Context()))
	if diff := cmp.Diff([]string{"build github.com/opencontainers/runc"}, made()); diff != "" {
		t.Errorf("made again (-want +got):\n%s", diff)
	}
}

// TestBuildResumes goes on after a failure with what was finished before it.
func TestBuildResumes(t *testing.T) {
	made := buildMachine(t)
	r, err := catalog.Lookup(catalog.Default())
	must(t, err)
	coredns := "quorate.dev/source/coredns-" + r.CoreDNS
	t.Setenv("TOOLS_FAIL", coredns)
	_, err = Build(t.Context(), Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "compiling coredns") || !strings.Contains(err.Error(), "cannot compile "+coredns) {
		t.Fatalf("error %v does not say what failed and why", err)
	}
	if !slices.Contains(made(), "build go.etcd.io/etcd/server/v3") {
		t.Fatal("etcd was not built before CoreDNS")
	}
	t.Setenv("TOOLS_FAIL", "")
	mustBuild(t, Options{})
	again := made()
	if slices.Contains(again, "build go.etcd.io/etcd/server/v3") || !slices.Contains(again, "build "+coredns) {
		t.Errorf("the second build made %v", again)
	}
}

// TestBuildKeepsExtras does not throw the test image away when a later build
// does not ask for it.
func TestBuildKeepsExtras(t *testing.T) {
	made := buildMachine(t)
	mustBuild(t, Options{})
	made()
	hasAgnhost := func(b *Bundle) bool {
		return slices.ContainsFunc(b.Images(), func(img Image) bool { return strings.Contains(img.Name, "/agnhost:") })
	}
	if !hasAgnhost(mustBuild(t, Options{Extras: []string{ExtraAgnhost}})) {
		t.Error("the extra was not added")
	}
	if diff := cmp.Diff([]string{"build k8s.io/kubernetes/test/images/agnhost"}, made()); diff != "" {
		t.Errorf("made for the extra (-want +got):\n%s", diff)
	}
	if !hasAgnhost(mustBuild(t, Options{})) || made() != nil {
		t.Error("a build without the extra dropped it, or made something")
	}
}

func TestBuildCancelled(t *testing.T) {
	buildMachine(t)
	b := mustBuild(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, Options{Extras: []string{ExtraAgnhost}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	must(t, b.Verify(t.Context()))
}
