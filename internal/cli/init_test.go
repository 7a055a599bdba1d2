package cli

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config"
)

var updateStarters = flag.Bool("update-starters", false, "write the golden files of `init` anew")

// starterOptions are the flags' own defaults, but for an endpoint.
func starterOptions(endpoint string) initOptions {
	return initOptions{controlPlanes: 3, workers: 3, loadBalancers: -1, endpoint: endpoint, kubernetes: "v1.36.3", file: "-"}
}

// TestInitWrites checks each mode's file against a golden one, and that it can
// be read as it stands with nothing to be said against it but that its
// addresses are examples.
func TestInitWrites(t *testing.T) {
	single := starterOptions("localhost")
	single.controlPlanes, single.workers = 1, 0
	for name, o := range map[string]initOptions{
		"localhost": starterOptions("localhost"), "managed": starterOptions("managed"),
		"external": starterOptions("external"), "kube-vip": starterOptions("kube-vip"), "single": single,
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := runInit(o, &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "init-"+name+".yaml")
			if *updateStarters {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s (-want +got); run with -update-starters if the change is meant:\n%s", path, diff)
			}
			c, list := config.Parse("cluster.yaml", out.Bytes(), config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()})
			if c == nil {
				t.Fatal(list)
			}
			if c.Kubernetes.Version != "v1.36.3" || len(c.Hosts) != len(c.ExampleAddresses())-strings.Count(out.String(), "192.0.2.10\n") {
				t.Errorf("version %s; %d hosts, and the example addresses %v", c.Kubernetes.Version, len(c.Hosts), c.ExampleAddresses())
			}
			if len(list) != 1 || !strings.Contains(list[0].Summary, "are examples") {
				t.Errorf("%v; want that its addresses are examples, and nothing else", list)
			}
		})
	}
}

// TestInitsSecretsAreTrue checks that the ways to give a password that the
// comments show are ones that can be read once they are no comments.
func TestInitsSecretsAreTrue(t *testing.T) {
	text, err := starter(starterOptions("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for line := range strings.Lines(string(text)) {
		found, isComment := strings.CutPrefix(line, "    # ")
		key, _, isField := strings.Cut(found, ": ")
		if !isComment || !isField || strings.Contains(key, " ") {
			continue
		}
		tried++
		found = strings.Replace(found, "…", "YWdlLWVuY3J5cHRpb24ub3JnL3YxCg==", 1)
		changed := strings.Replace(string(text), line, "    "+found, 1)
		if c, list := config.Parse("x.yaml", []byte(changed), config.Options{DefaultKubernetes: catalog.Default(), Home: "/home/me"}); c == nil {
			t.Errorf("%s: %v", line, list)
		}
	}
	if tried < 6 {
		t.Errorf("only %d comments were tried", tried)
	}
}

func TestInitRefuses(t *testing.T) {
	for want, change := range map[string]func(*initOptions){
		"--endpoint is one of":             func(o *initOptions) { o.endpoint = "haproxy" },
		"--control-planes is from 1 to 7":  func(o *initOptions) { o.controlPlanes = 8 },
		"--workers is from 0":              func(o *initOptions) { o.workers = -1 },
		"--load-balancers is for":          func(o *initOptions) { o.loadBalancers = 2 },
		"needs --load-balancers":           func(o *initOptions) { o.endpoint, o.loadBalancers = "managed", 0 },
		"--load-balancers is at most":      func(o *initOptions) { o.endpoint, o.loadBalancers = "managed", 10 },
		"supported are v1.37.1":            func(o *initOptions) { o.kubernetes = "v1.20.0" },
		"--file is empty":                  func(o *initOptions) { o.file = "" },
		"no such file or directory":        func(o *initOptions) { o.file = filepath.Join(t.TempDir(), "none", "x.yaml") },
		"exists and is not written over; ": func(o *initOptions) { o.file = "init_test.go" },
	} {
		o := starterOptions("localhost")
		change(&o)
		var out bytes.Buffer
		if err := runInit(o, &out, io.Discard); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%v and %q; want %q", err, &out, want)
		}
	}
}

// TestUnchangedStarterIsRefused checks that it is refused by name before anybody
// is called, by what all commands read their cluster file with.
func TestUnchangedStarterIsRefused(t *testing.T) {
	o := starterOptions("external")
	o.file = filepath.Join(t.TempDir(), "cluster.yaml")
	var talk bytes.Buffer
	if err := runInit(o, io.Discard, &talk); err != nil || !strings.Contains(talk.String(), "quorate plan -f "+o.file) {
		t.Fatalf("%v, %s", err, &talk)
	}
	if info, err := os.Stat(o.file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	_, err := (&target{files: filesAt(o.file)}).read(t.Context(), io.Discard)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), "192.0.2.11 is an example") || !strings.Contains(err.Error(), "put your servers' addresses") {
		t.Errorf("%v", err)
	}
}

// TestInitOfEverySize checks that whatever may be asked for makes a file that
// can be read: starter refuses to write any other.
func TestInitOfEverySize(t *testing.T) {
	for _, mode := range balancerModes() {
		for controlPlanes := 1; controlPlanes <= 7; controlPlanes++ {
			for _, workers := range []int{0, 1, 57, 64, 200} {
				o := starterOptions(mode)
				o.controlPlanes, o.workers = controlPlanes, workers
				if _, err := starter(o); err != nil {
					t.Errorf("%s, %d control planes, %d workers: %v", mode, controlPlanes, workers, err)
				}
			}
		}
	}
}
