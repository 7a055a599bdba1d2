package cli

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/lab"
)

// runLab runs a lab command on a store of its own, in which nothing is, and
// returns what it printed.
func runLab(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("QUORATE_LAB_ROOT", filepath.Join(t.TempDir(), "labs"))
	var out bytes.Buffer
	cmd := newLabCommand(func(context.Context, string, bool) error { return errors.New("applied") })
	cmd.SilenceUsage = true
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestLabErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"up", "--name", "No_Name"}, "lower-case letters"},
		{[]string{"up", "--control-planes", "10"}, "0 to 9"},
		{[]string{"up", "--control-planes", "0", "--workers", "0"}, "at least one host"},
		{[]string{"up", "cp-1"}, "unknown command"},
		{[]string{"status"}, "no such lab"},
		{[]string{"status", "--name", "../../etc"}, "lower-case letters"},
		{[]string{"list", "--output", "yaml"}, "text or json"},
		{[]string{"off"}, "accepts 1 arg"},
		{[]string{"off", "cp-1"}, "quorate lab list"},
		{[]string{"ssh"}, "at least 1 arg"},
		{[]string{"exec", "cp-1"}, "at least 2 arg"},
	} {
		if _, err := runLab(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("lab %v: error %v, want one with %q", c.args, err, c.want)
		}
	}
}

func TestLabListOfNone(t *testing.T) {
	if out, err := runLab(t, "list"); err != nil || !strings.Contains(out, "quorate lab up") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := runLab(t, "list", "--output", "json"); err != nil || out != "[]\n" {
		t.Errorf("%q, %v; want an empty list", out, err)
	}
}

// TestLabHelp holds that every command that is shown says how it is used, and
// that what the lab starts for itself is not shown.
func TestLabHelp(t *testing.T) {
	var hidden []string
	for _, cmd := range newLabCommand(nil).Commands() {
		switch {
		case cmd.Hidden:
			hidden = append(hidden, cmd.Name())
		case cmd.Example == "" || cmd.Short == "":
			t.Errorf("lab %s has no example or no description", cmd.Name())
		}
	}
	slices.Sort(hidden)
	want := []string{lab.EnterCommand, lab.InitCommand, lab.SupervisorCommand}
	slices.Sort(want)
	if diff := cmp.Diff(want, hidden); diff != "" {
		t.Error(diff)
	}
}

// TestLabSpecKeepsWhatWasNotAskedFor brings a lab up again without repeating
// the flags it was made with.
func TestLabSpecKeepsWhatWasNotAskedFor(t *testing.T) {
	store := lab.Store{Root: t.TempDir()}
	const state = `{"spec": {"name": "a", "controlPlanes": 1, "workers": 5, "etcds": 3, "kubernetes": "v1.36.3"}}`
	if err := os.MkdirAll(filepath.Join(store.Root, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store.Root, "a", "lab.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := lab.Spec{ControlPlanes: 3, Workers: 6, LoadBalancers: 2}
	given := func(names ...string) func(string) bool {
		return func(flag string) bool { return slices.Contains(names, flag) }
	}
	for _, test := range []struct {
		name  string
		given func(string) bool
		want  lab.Spec
	}{
		{"new", given(), lab.Spec{Name: "new", ControlPlanes: 3, Workers: 6, LoadBalancers: 2}},
		{"a", given(), lab.Spec{Name: "a", ControlPlanes: 1, Workers: 5, Etcds: 3, Kubernetes: "v1.36.3"}},
		{"a", given("workers", "load-balancers"), lab.Spec{Name: "a", ControlPlanes: 1, Workers: 6, LoadBalancers: 2, Etcds: 3, Kubernetes: "v1.36.3"}},
		{"a", given("control-planes", "etcds", "kubernetes"), lab.Spec{Name: "a", ControlPlanes: 3, Workers: 5}},
	} {
		if diff := cmp.Diff(test.want, labSpec(store, test.name, flags, test.given)); diff != "" {
			t.Errorf("lab %s: %s", test.name, diff)
		}
	}
}

func TestLabStatusTable(t *testing.T) {
	status := lab.Status{
		Name: "a", Subnet: netip.MustParsePrefix("10.77.4.0/24"), ClusterFile: "/labs/a/cluster.yaml",
		Hosts: []lab.Host{
			{Name: "cp-1", Address: netip.MustParseAddr("10.77.4.11"), Roles: []lab.Role{lab.ControlPlane, lab.Etcd}, State: lab.Running, Processes: 70, MemoryBytes: 400 << 20},
			{Name: "worker-1", Address: netip.MustParseAddr("10.77.4.101"), Roles: []lab.Role{lab.Worker}, State: lab.Off},
		},
	}
	var out bytes.Buffer
	if err := printLabs(&out, "text", status, printLabStatus); err != nil {
		t.Fatal(err)
	}
	const want = `Lab a on 10.77.4.0/24, cluster file /labs/a/cluster.yaml

HOST      ADDRESS      ROLES                STATE    PROCESSES  MEMORY
cp-1      10.77.4.11   control-plane, etcd  running  70         400 MiB
worker-1  10.77.4.101  worker               off      0          0 MiB
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := printLabs(&out, "text", []lab.Status{status}, printLabList); err != nil {
		t.Fatal(err)
	}
	const list = `NAME  SUBNET        HOSTS  RUNNING  CLUSTER FILE
a     10.77.4.0/24  2      1        /labs/a/cluster.yaml
`
	if diff := cmp.Diff(list, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestLabClusterFilesAreOrdinary reads what labs write as what users write.
func TestLabClusterFilesAreOrdinary(t *testing.T) {
	files, err := filepath.Glob("../lab/testdata/cluster-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cluster files: %v", err)
	}
	for _, file := range files {
		desired, found := config.Load([]string{file}, config.Options{DefaultKubernetes: "v1.37.1"})
		if desired == nil { // a lab of control planes alone has nobody who takes workloads, which is told
			t.Errorf("%s: %v", file, found)
		}
		if desired != nil && len(desired.With(cluster.RoleWorker)) > 0 && len(found) > 0 {
			t.Errorf("%s: %v", file, found)
		}
	}
}
