package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

func TestKillEndsAProgramAndNoOther(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var processes []*exec.Cmd
	for _, name := range []string{"shim", "shim", "shim-other"} {
		program := filepath.Join(dir, name)
		if _, err := os.Stat(program); err != nil {
			if err := os.WriteFile(program, content, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(program, "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		processes = append(processes, cmd)
	}
	// A program that was removed while it runs still matches.
	if err := os.Remove(filepath.Join(dir, "shim")); err != nil {
		t.Fatal(err)
	}
	a := New(Options{})
	defer a.Close()
	reply, err := a.kill(t.Context(), protocol.KillRequest{Programs: []string{filepath.Join(dir, "shim")}})
	if err != nil || reply.Ended != 2 {
		t.Fatalf("%+v, %v", reply, err)
	}
	for i, want := range []bool{true, true, false} {
		if got := isDead(filepath.Join("/proc", strconv.Itoa(processes[i].Process.Pid))); got != want {
			t.Errorf("process %d is dead: %v, want %v", i, got, want)
		}
	}
	if reply, err := a.kill(t.Context(), protocol.KillRequest{Programs: []string{filepath.Join(dir, "shim")}}); err != nil || reply.Ended != 0 {
		t.Errorf("once more: %+v, %v", reply, err)
	}
}

func TestKillRefusesTheRoot(t *testing.T) {
	a := New(Options{})
	defer a.Close()
	for _, cgroup := range []string{"/", "", "kubepods", "/kubepods/", "/../x"} {
		if _, err := a.kill(t.Context(), protocol.KillRequest{Cgroups: []string{cgroup}}); err == nil {
			t.Errorf("%q was taken", cgroup)
		}
	}
}

func TestInCgroups(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n", true},
		{"0::/kubepods.slice\n", true},
		{"12:pids:/\n1:name=systemd:/kubepods.slice/a:b\n0::/\n", true},
		{"0::/kubepods.slices/x\n", false},
		{"0::/system.slice/kubepods.slice\n", false},
		{"0::/system.slice/ssh.service\n", false},
		{"garbage\n::\n", false},
		{"", false},
	} {
		if got := inCgroups(c.text, []string{"/kubepods.slice"}); got != c.want {
			t.Errorf("%q: %v", c.text, got)
		}
	}
}
