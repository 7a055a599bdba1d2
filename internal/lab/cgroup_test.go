package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCgroupLayout(t *testing.T) {
	v1 := []hierarchy{
		{mount: "/sys/fs/cgroup/cpu,cpuacct", options: "cpu,cpuacct"},
		{mount: "/sys/fs/cgroup/cpuset", options: "cpuset"},
		{mount: "/sys/fs/cgroup/freezer", options: "freezer"},
		{mount: "/sys/fs/cgroup/memory", options: "memory"},
		{mount: "/sys/fs/cgroup/systemd", options: "none,name=systemd"},
	}
	for _, test := range []struct {
		mode        string
		hierarchies []hierarchy
		pureV2      bool
		freezer     string
		options     int
	}{
		{"legacy", v1, false, "/sys/fs/cgroup/freezer/quorate-lab/a/cp-1/freezer.state", 2},
		{"hybrid", append(v1[:5:5], hierarchy{mount: "/sys/fs/cgroup/unified", v2: true}), false,
			"/sys/fs/cgroup/unified/quorate-lab/a/cp-1/cgroup.freeze", 1},
		{"unified", []hierarchy{{mount: "/sys/fs/cgroup", v2: true}}, true,
			"/sys/fs/cgroup/quorate-lab/a/cp-1/cgroup.freeze", 0},
	} {
		t.Run(test.mode, func(t *testing.T) {
			mountinfo, err := os.ReadFile("testdata/mountinfo-" + test.mode)
			if err != nil {
				t.Fatal(err)
			}
			layout, err := parseCgroupLayout(string(mountinfo))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.hierarchies, layout.hierarchies, cmp.AllowUnexported(hierarchy{})); diff != "" {
				t.Error(diff)
			}
			if layout.mode() != test.mode || layout.pureV2() != test.pureV2 {
				t.Errorf("mode %s, pure v2 %t", layout.mode(), layout.pureV2())
			}
			freezer, _, _, err := labCgroup(layout, "a").child("cp-1").freezerFile()
			if err != nil || freezer != test.freezer {
				t.Errorf("freezer %s, %v; want %s", freezer, err, test.freezer)
			}
			if got := len(layout.systemdOptions()); got != test.options {
				t.Errorf("%d options for systemd, want %d", got, test.options)
			}
		})
	}
}

func TestParseCgroupLayoutWithoutCgroups(t *testing.T) {
	for _, mountinfo := range []string{"", "garbage", "22 1 254:0 / / rw - ext4 /dev/vda rw\n", "1 2 3 / /sys/fs/cgroup rw\n"} {
		if layout, err := parseCgroupLayout(mountinfo); err == nil {
			t.Errorf("found %v in %q", layout, mountinfo)
		}
	}
}

// fakeV2 makes a folder that looks like the root of cgroup v2.
func fakeV2(t *testing.T, controllers, delegated string) cgroupLayout {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": delegated} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cgroupLayout{root: root, hierarchies: []hierarchy{{mount: root, v2: true}}}
}

func TestUndelegated(t *testing.T) {
	layout := fakeV2(t, "cpuset cpu io memory pids\n", "cpu memory\n")
	got, err := undelegated(layout.root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cpuset", "io", "pids"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestProcessesAreThoseOfTheWholeTree(t *testing.T) {
	layout := fakeV2(t, "", "")
	group := labCgroup(layout, "a").child("cp-1")
	for path, pids := range map[string]string{
		"": "", "init.scope": "10\n", "system.slice/ssh.service": "11\n12\n0\n", "../cp-2": "99\n",
	} {
		dir := filepath.Join(group.dirs()[0], path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pids), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := group.processes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{10, 11, 12}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := labCgroup(layout, "none").processes(); err != nil || len(got) != 0 {
		t.Errorf("a group that does not exist has processes %v, %v", got, err)
	}
}

func TestIsHostInit(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tsystemd\nNSpid:\t500\t1\n":    true,
		"Name:\tsystemd\nNSpid:\t500\n":       false, // a process of the machine
		"Name:\tpause\nNSpid:\t500\t77\t1\n":  false, // the init of a container
		"Name:\tsshd\nNSpid:\t500\t12\n":      false,
		"Name:\tsystemd\nNSpid:\t501\t1\n":    false, // another process
		"Name:\tNSpid:\nState:\tR\n":          false,
		"Name:\tsystemd\nNSpid:\t500\t1\t1\n": false,
	} {
		if got := isHostInit(status, 500); got != want {
			t.Errorf("isHostInit(%q) = %t", status, got)
		}
	}
}

func TestInGroup(t *testing.T) {
	const memberships = "9:name=systemd:/quorate-lab/a/cp-1/init.scope\n4:memory:/quorate-lab/a/cp-1\n0::/quorate-lab/a/cp-1/system.slice\n"
	for group, want := range map[string]bool{
		"quorate-lab/a": true, "quorate-lab/a/cp-1": true,
		"quorate-lab/a/cp": false, "quorate-lab/a/cp-10": false, "lab/a": false, "quorate-lab/b": false,
	} {
		if got := inGroup(memberships, group); got != want {
			t.Errorf("inGroup(%q) = %t", group, got)
		}
	}
	if inGroup(strings.ReplaceAll(memberships, "/quorate-lab", "/x/quorate-lab"), "quorate-lab/a") {
		t.Error("a group of the same name elsewhere counts")
	}
}
