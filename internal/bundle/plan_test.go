package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
)

// everyRelease runs a test for each supported release.
func everyRelease(t *testing.T, test func(t *testing.T, r catalog.Release)) {
	for _, v := range catalog.Supported() {
		t.Run(v, func(t *testing.T) {
			r, err := catalog.Lookup(v)
			must(t, err)
			test(t, r)
		})
	}
}

// TestSourcesPinTheCatalogue makes sure that each source module requires
// exactly the version that the catalogue promises, and that go.sum pins it.
func TestSourcesPinTheCatalogue(t *testing.T) {
	everyRelease(t, func(t *testing.T, r catalog.Release) {
		for _, p := range goParts(r, "amd64", []string{ExtraAgnhost}) {
			files, err := sourceFiles(p.Source)
			must(t, err)
			for _, module := range p.Modules {
				name, version, _ := strings.Cut(module, "@")
				if !strings.Contains(string(files["go.mod"]), name+" "+version) {
					t.Errorf("%s: go.mod does not require %s", p.Name, module)
				}
				if !strings.Contains(string(files["go.sum"]), name+" "+version+" h1:") {
					t.Errorf("%s: go.sum does not pin %s", p.Name, module)
				}
			}
		}
	})
}

// TestPlanIsComplete makes sure that every binary of the catalogue is compiled,
// that every image that a host or kubeadm asks for is made, and that every
// program an image holds is compiled.
func TestPlanIsComplete(t *testing.T) {
	everyRelease(t, func(t *testing.T, r catalog.Release) {
		extras := []string{ExtraAgnhost}
		programs := map[string]string{pauseName: r.Pause}
		for _, p := range goParts(r, "amd64", extras) {
			for _, prog := range p.Programs {
				if _, twice := programs[prog.Name]; twice {
					t.Errorf("%s is compiled twice", prog.Name)
				}
				programs[prog.Name] = prog.Version
			}
		}
		images := map[string]bool{}
		layers := map[string]string{}
		for _, spec := range imageSpecs(r, extras) {
			images[spec.Name] = true
			for _, layer := range spec.Layers {
				text, err := json.Marshal(layer)
				must(t, err)
				if other, ok := layers[layer.Name]; ok && other != string(text) {
					t.Errorf("two layers are named %s", layer.Name)
				}
				layers[layer.Name] = string(text)
				for _, f := range layer.Files {
					if _, ok := programs[f.Program]; f.Program != "" && !ok {
						t.Errorf("%s holds %s, which is not compiled", spec.Name, f.Program)
					}
				}
			}
		}
		needed := append(r.KubeadmImages(), r.AgnhostImage())
		for _, role := range []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker, cluster.RoleEtcd} {
			needed = append(needed, r.Images(role)...)
			for _, binary := range r.Binaries(role) {
				if programs[binary.Name] != binary.Version {
					t.Errorf("%s %s is compiled as %q", binary.Name, binary.Version, programs[binary.Name])
				}
			}
		}
		for _, name := range needed {
			if !images[name] {
				t.Errorf("image %s is not made", name)
			}
		}
	})
}

// TestInputsFollowWhatMatters changes one input at a time.
func TestInputsFollowWhatMatters(t *testing.T) {
	r, err := catalog.Lookup("v1.37.1")
	must(t, err)
	inputs := func(r catalog.Release, arch, goVersion, osVersion string, extras ...string) string {
		plan, err := newBuildPlan(r, arch, extras, goVersion, distribution{"debian", osVersion})
		must(t, err)
		return plan.inputs()
	}
	seen := map[string]string{inputs(r, "amd64", "go1.26.8", "12"): "the first"}
	if got := inputs(r, "amd64", "go1.26.8", "12"); seen[got] == "" {
		t.Error("the same inputs give another digest")
	}
	other := r
	other.Pause = "3.99"
	for name, got := range map[string]string{
		"architecture": inputs(r, "arm64", "go1.26.8", "12"),
		"Go":           inputs(r, "amd64", "go1.26.9", "12"),
		"distribution": inputs(r, "amd64", "go1.26.8", "13"),
		"extra":        inputs(r, "amd64", "go1.26.8", "12", ExtraAgnhost),
		"pause":        inputs(other, "amd64", "go1.26.8", "12"),
	} {
		if same, ok := seen[got]; ok {
			t.Errorf("changing the %s gives the digest of %s", name, same)
		}
		seen[got] = name
	}
}

func TestGoName(t *testing.T) {
	for pkg, want := range map[string]string{
		"k8s.io/kubernetes/cmd/kubelet": "kubelet", "go.etcd.io/etcd/server/v3": "server", "example.com/v2ray": "v2ray",
	} {
		if got := (program{Package: pkg}).goName(); got != want {
			t.Errorf("goName of %s is %q, want %q", pkg, got, want)
		}
	}
}

func TestKubernetesStamps(t *testing.T) {
	r, err := catalog.Lookup("v1.36.3")
	must(t, err)
	stamps := kubernetesStamps(r)
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=v1.36.3", "-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
		"version.gitMajor=1 ", "version.gitMinor=36 ", "version.buildDate=2026-07-22T18:07:38Z",
	} {
		if !strings.Contains(stamps+" ", want) {
			t.Errorf("stamps lack %q: %s", want, stamps)
		}
	}
}

func TestBuildOptions(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	notABundle := t.TempDir()
	must(t, os.WriteFile(filepath.Join(notABundle, "thesis.tex"), nil, 0o644))
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"unknown version":      {Options{Kubernetes: "v1.12.0"}, "supported are v1.37.1"},
		"unknown architecture": {Options{Arch: "riscv64"}, "amd64 and arm64"},
		"unknown extra":        {Options{Extras: []string{"doom"}}, "agnhost"},
		"somebody's folder":    {Options{Output: notABundle}, "is not empty and not a bundle"},
		"a file":               {Options{Output: filepath.Join(notABundle, "thesis.tex")}, "output directory"},
	} {
		if _, err := Build(t.Context(), c.options, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	b, err := newBuilder(Options{}, nil)
	must(t, err)
	if want := filepath.Join("bundles", catalog.Default()+"-linux-"); !strings.Contains(b.dir, want) {
		t.Errorf("default directory %s lacks %s", b.dir, want)
	}
}

// TestMissingGo says what to install when there is no Go toolchain.
func TestMissingGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := toolchainVersion(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "go.dev/dl") {
		t.Errorf("error %v does not say where to get Go", err)
	}
}
