package containerd

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

func TestRegistryFiles(t *testing.T) {
	files := registryFiles(cluster.Registry{
		Mirrors:  map[string][]string{"docker.io": {"https://mirror.local:5000", "http://plain.example", "https://harbor.example/v2/hub"}, "quay.io": {"https://quay.example/\"x"}},
		Insecure: []string{"mirror.local:5000"},
	})
	got := map[string]string{}
	for _, f := range files {
		got[f.Path] = string(f.Content)
	}
	const head = "# Written by quorate; changes by hand are undone by the next apply.\n"
	want := map[string]string{
		"/etc/containerd/certs.d/docker.io/hosts.toml": head + `server = "https://registry-1.docker.io"

[host."https://mirror.local:5000"]
  capabilities = ["pull", "resolve"]
  skip_verify = true

[host."http://plain.example"]
  capabilities = ["pull", "resolve"]

[host."https://harbor.example/v2/hub"]
  capabilities = ["pull", "resolve"]
  # The address has the path of the registry's API in it.
  override_path = true
`,
		"/etc/containerd/certs.d/mirror.local:5000/hosts.toml": head + `server = "http://mirror.local:5000"
# Its certificate is not verified; it may answer without TLS, too.
skip_verify = true
`,
		"/etc/containerd/certs.d/quay.io/hosts.toml": head + `server = "https://quay.io"

[host."https://quay.example/\"x"]
  capabilities = ["pull", "resolve"]
`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// What a host says that was written decides what is removed: only names that
// Quorate could have written, and that the cluster file no longer has.
func TestRegistriesThatGo(t *testing.T) {
	in := component.Input{Cluster: &cluster.Cluster{Registry: cluster.Registry{Insecure: []string{"stays.example"}}}}
	facts := &protocol.Facts{Files: map[string]protocol.File{
		registriesRecord: {Exists: true, Content: "goes.example:5000\nstays.example\n../../etc\n..\n/root\n\n"},
	}}
	out := &component.Output{}
	planRegistries(in, &cluster.Host{Name: "a"}, facts, out)
	if len(out.Steps) != 1 {
		t.Fatalf("%d steps", len(out.Steps))
	}
	op := out.Steps[0].Op.(registries)
	if !slices.Equal(op.remove, []string{"/etc/containerd/certs.d/goes.example:5000"}) {
		t.Errorf("it removes %q", op.remove)
	}
	if string(op.before.Content) != "goes.example:5000\nstays.example\n" || string(op.after.Content) != "stays.example\n" {
		t.Errorf("it notes %q before and %q after", op.before.Content, op.after.Content)
	}
}

func TestNoRegistriesNoStep(t *testing.T) {
	out := &component.Output{}
	planRegistries(component.Input{Cluster: &cluster.Cluster{}}, &cluster.Host{Name: "a"}, &protocol.Facts{}, out)
	if len(out.Steps) != 0 {
		t.Errorf("planned %v", out.Steps)
	}
}
