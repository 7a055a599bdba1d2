package reset

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

func inputOf(t *testing.T, facts *protocol.Facts) component.Input {
	t.Helper()
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster.Cluster{
		Name:  "test",
		Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane, cluster.RoleEtcd}}},
		Etcd:  cluster.Etcd{Mode: cluster.EtcdExternal, DataDir: "/data"},
	}
	return component.Input{
		Cluster: c, Release: release,
		Snapshot: &state.Snapshot{Hosts: map[string]*state.Host{"cp-1": {Name: "cp-1", Facts: facts}}},
	}
}

// planOf plans for a host with these facts and returns what the steps change
// ("remove /etc/etcd") and the plan itself.
func planOf(t *testing.T, in component.Input) (changes []string, steps []plan.Step) {
	t.Helper()
	out := &component.Output{}
	Plan(in, &in.Cluster.Hosts[0], out)
	p, err := plan.New("test", "reset", out.Steps)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			changes = append(changes, c.Action+" "+c.What)
		}
	}
	return changes, p.Steps
}

func ourFile() protocol.File {
	return protocol.File{Exists: true, Content: "# Written by quorate; …\n[Unit]\n"}
}

func TestBareHostNeedsNothing(t *testing.T) {
	facts := &protocol.Facts{
		Files: map[string]protocol.File{hostsFile: {Exists: true, Content: "127.0.0.1 localhost\n"}, fstabFile: {Exists: true, Content: "# UUID=1 none swap sw 0 0\n"}},
		Dirs:  map[string][]string{"/var/lib/kubelet": {"lost+found"}, linksDir: {"lo", "eth0"}},
	}
	if changes, steps := planOf(t, inputOf(t, facts)); len(steps) > 0 {
		t.Errorf("steps %v, changes %v", steps, changes)
	}
}

func TestEverythingOfOurs(t *testing.T) {
	facts := &protocol.Facts{
		Files: map[string]protocol.File{
			"/etc/systemd/system/kubelet.service":    ourFile(),
			"/etc/systemd/system/containerd.service": ourFile(),
			"/etc/systemd/system/etcd.service":       ourFile(),
			"/usr/local/bin/kubelet":                 {Exists: true, SHA256: "of another version"},
			"/usr/local/bin/etcd":                    {Exists: true},
			"/etc/kubernetes":                        {Exists: true, Dir: true},
			"/etc/etcd":                              {Exists: true, Dir: true},
			component.QuorateDir:                     {Exists: true, Dir: true},
			sysctlFile:                               {Exists: true},
			hostsFile:                                {Exists: true, Content: "127.0.0.1 localhost\n# begin quorate\n10.0.0.1 lb\n# end quorate\n"},
			fstabFile:                                {Exists: true, Content: "/dev/sda1 / ext4 defaults 0 1\n" + component.SwapOff + "/dev/sda2 none swap sw 0 0\n"},
		},
		Dirs: map[string][]string{
			"/var/lib/kubelet": {"config.yaml", "lost+found"}, "/data/member": {"snap", "wal"}, linksDir: {"lo", "cni0", "flannel.1", "flannel.7"},
		},
		Units: map[string]protocol.Unit{
			"kubelet.service": {Load: "loaded", Active: "active", FragmentPath: "/etc/systemd/system/kubelet.service"},
			"etcd.service":    {Load: "loaded", Active: "activating", FragmentPath: "/etc/systemd/system/etcd.service"},
		},
	}
	changes, steps := planOf(t, inputOf(t, facts))
	want := []string{
		"stop kubelet.service", "stop etcd.service",
		"remove interface cni0", "remove interface flannel.1",
		"remove /var/lib/kubelet", "remove /data/member",
		"remove /usr/local/bin/kubelet", "remove /usr/local/bin/etcd",
		"remove /etc/systemd/system/kubelet.service", "remove /etc/kubernetes",
		"remove /etc/systemd/system/containerd.service",
		"remove /etc/systemd/system/etcd.service", "remove /etc/etcd",
		"remove /etc/sysctl.d/90-quorate.conf", "remove /etc/quorate", "update /etc/hosts", "update /etc/fstab",
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, s := range steps {
		if s.Impact != plan.ImpactDestroy {
			t.Errorf("%s: impact %s", s.ID, s.Impact)
		}
	}
	// The marks that say whose the rest is go last.
	if last := steps[len(steps)-1]; last.ID.Subject() != stepSettings || len(last.Needs) != 3 {
		t.Errorf("last step %s needs %v", last.ID, last.Needs)
	}
}

// A drill's fault that holds still would start units, and put data back, after the
// reset; a unit of an older Quorate would run on. One that another names so is his.
func TestFaultsAndFormerUnits(t *testing.T) {
	for _, test := range []struct {
		what  string
		facts *protocol.Facts
		want  []string
	}{
		{"a fault", &protocol.Facts{Dirs: map[string][]string{protocol.FaultFolder: {"etcd-stopped-1"}}}, []string{"stop the drill's fault etcd-stopped-1"}},
		{"a former unit", &protocol.Facts{Files: map[string]protocol.File{"/etc/systemd/system/quorate-relay.service": ourFile()}},
			[]string{"stop quorate-relay.service", "remove /etc/systemd/system/quorate-relay.service"}},
		{"another's", &protocol.Facts{Files: map[string]protocol.File{
			"/etc/systemd/system/quorate-own.service": {Exists: true, Content: "[Unit]\n"}, "/etc/systemd/system/relay.service": ourFile(),
		}}, nil},
	} {
		changes, _ := planOf(t, inputOf(t, test.facts))
		if d := cmp.Diff(test.want, changes); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, d)
		}
	}
}

// A host with somebody else's kubelet and containerd, where nothing is ours.
func TestOthersAreLeftAlone(t *testing.T) {
	facts := &protocol.Facts{
		Files: map[string]protocol.File{
			"/etc/systemd/system/containerd.service": {Exists: true, Content: "[Unit]\nDescription=containerd\n"},
			"/usr/local/bin/containerd":              {Exists: true, SHA256: "abc"},
			"/etc/kubernetes":                        {Exists: true, Dir: true},
			"/etc/containerd":                        {Exists: true, Dir: true},
		},
		Dirs: map[string][]string{"/var/lib/containerd": {"x"}, "/var/lib/kubelet": {"pods"}, linksDir: {"cni0"}},
		Units: map[string]protocol.Unit{
			"kubelet.service":    {Load: "loaded", Active: "active", FragmentPath: "/usr/lib/systemd/system/kubelet.service"},
			"containerd.service": {Load: "loaded", Active: "active", FragmentPath: "/etc/systemd/system/containerd.service"},
		},
	}
	in := inputOf(t, facts)
	// Even where the program is just the one in the bundle.
	in.Artefacts = &bundle.Manifest{Files: []bundle.File{{Kind: bundle.KindBinary, Name: "containerd", SHA256: "abc"}}}
	if changes, steps := planOf(t, in); len(steps) > 0 {
		t.Errorf("changes %v", changes)
	}
	// Nor where quorate has left its marks.
	facts.Files[component.QuorateDir] = protocol.File{Exists: true, Dir: true}
	changes, steps := planOf(t, in)
	if diff := cmp.Diff([]string{"remove /etc/quorate"}, changes); diff != "" {
		t.Error(diff)
	}
	for _, s := range steps {
		if op, ok := s.Op.(network); ok && !op.skip {
			t.Error("the network of somebody else's kubelet is removed")
		}
		if op, ok := s.Op.(stop); ok {
			for _, p := range op.parts {
				if p.unit == "kubelet.service" || p.unit == "containerd.service" {
					t.Errorf("%s is stopped", p.unit)
				}
			}
		}
	}
}

// A reset that was interrupted after the unit files were removed goes on.
func TestInterruptedResetGoesOn(t *testing.T) {
	facts := &protocol.Facts{
		Files: map[string]protocol.File{component.QuorateDir: {Exists: true, Dir: true}, marker: {Exists: true}, "/usr/local/bin/ctr": {Exists: true}},
		Dirs:  map[string][]string{"/var/lib/containerd": {"io.containerd"}},
	}
	changes, _ := planOf(t, inputOf(t, facts))
	for _, want := range []string{"remove /var/lib/containerd", "remove /usr/local/bin/ctr"} {
		if !slices.Contains(changes, want) {
			t.Errorf("no %q in %v", want, changes)
		}
	}
}

// An apply that was interrupted right after the programs were sent.
func TestKnownProgramsAreOurs(t *testing.T) {
	facts := &protocol.Facts{Files: map[string]protocol.File{
		"/usr/local/bin/kubectl": {Exists: true, SHA256: "abc"},
		"/usr/local/bin/etcdctl": {Exists: true, SHA256: "somebody's own"},
	}}
	in := inputOf(t, facts)
	in.Artefacts = &bundle.Manifest{Files: []bundle.File{{Kind: bundle.KindBinary, Name: "kubectl", SHA256: "abc"}, {Kind: bundle.KindBinary, Name: "etcdctl", SHA256: "def"}}}
	changes, _ := planOf(t, in)
	if diff := cmp.Diff([]string{"remove /usr/local/bin/kubectl"}, changes); diff != "" {
		t.Error(diff)
	}
}

func TestSharedFilesAreRestored(t *testing.T) {
	fstab := "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n# /dev/sda3 none swap sw 0 0\n"
	if got := withSwap(strings.Replace(fstab, "/dev/sda2", component.SwapOff+"/dev/sda2", 1)); got != fstab {
		t.Errorf("%q", got)
	}
	if got := withSwap(fstab); got != fstab {
		t.Errorf("an fstab without our lines became %q", got)
	}
}
