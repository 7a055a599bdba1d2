package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// labTestVariable has to be set for the tests that make real hosts.
const labTestVariable = "QUORATE_LAB_TEST"

// newTestLab makes a lab, and takes it down after the test.
func newTestLab(t *testing.T, kind string, spec Spec) *Lab {
	t.Helper()
	if os.Getenv(labTestVariable) == "" {
		t.Skipf("makes real hosts on this machine, as root: set %s=1 to run it", labTestVariable)
	}
	if problems := DefaultStore().Check(); len(problems) > 0 {
		t.Fatal(problemsError(problems))
	}
	spec.Name = fmt.Sprintf("lt-%s-%d", kind, os.Getpid())
	t.Cleanup(func() {
		if err := DefaultStore().Down(context.Background(), spec.Name); err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
	return up(t, spec)
}

func up(t *testing.T, spec Spec) *Lab {
	t.Helper()
	l, err := DefaultStore().Up(t.Context(), spec, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// do fails the test when an operation on a host fails.
func do(t *testing.T, operation func(context.Context, string) error, host string) {
	t.Helper()
	if err := operation(t.Context(), host); err != nil {
		t.Fatal(err)
	}
}

// inHost runs a shell script in a host without its network, and returns what it printed.
func inHost(t *testing.T, l *Lab, host, script string) string {
	t.Helper()
	cmd, err := l.Command(t.Context(), host, "sh", "-ec", script)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return strings.TrimSpace(string(output))
}

// sshRun logs in with OpenSSH's own client, which must accept the host's key.
func sshRun(t *testing.T, l *Lab, host, user, command string) (string, error) {
	t.Helper()
	args, err := l.SSHArgs(host, user)
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), "ssh", append(append([]string{"-o", "BatchMode=yes"}, args...), command)...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func expectState(t *testing.T, l *Lab, host string, want State) {
	t.Helper()
	now, err := l.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	if now.State != want {
		t.Fatalf("%s is %s, want %s", host, now.State, want)
	}
}

// reaches tries to connect from inside one host to another's SSH port.
func reaches(t *testing.T, l *Lab, from, address string) bool {
	t.Helper()
	return inHost(t, l, from, "timeout 1 bash -c '</dev/tcp/"+address+"/22' 2>/dev/null && echo yes || echo no") == "yes"
}

func TestLab(t *testing.T) {
	l := newTestLab(t, "ops", Spec{ControlPlanes: 1, Workers: 1})

	t.Run("hosts are what a server is", func(t *testing.T) {
		for user, want := range map[string]string{"root": "0", "admin": "0"} {
			if got, err := sshRun(t, l, "cp-1", user, "sudo -n id -u"); err != nil || got != want {
				t.Errorf("%s over SSH: %s, %v", user, got, err)
			}
		}
		if got, err := sshRun(t, l, "cp-1", "operator", "true"); err == nil {
			t.Errorf("operator came in without a password: %s", got)
		}
		if got := inHost(t, l, "cp-1", "systemctl is-system-running --wait || systemctl --failed"); got != "running" {
			t.Errorf("systemd: %s", got)
		}
		for _, brought := range []string{"containerd", "runc", "haproxy", "iptables", "nft"} {
			if got := inHost(t, l, "cp-1", "command -v "+brought+" || echo none"); got != "none" {
				t.Errorf("hosts must be bare, and have %s", got)
			}
		}
		if got := inHost(t, l, "cp-1", "findmnt -no FSTYPE /var/lib/containerd; cat /proc/swaps | wc -l; hostname"); !strings.HasSuffix(got, "1\ncp-1") || strings.HasPrefix(got, "overlay") {
			t.Errorf("data, swap, name: %q", got)
		}
		if inHost(t, l, "cp-1", "cat /etc/machine-id /proc/sys/kernel/random/boot_id") == inHost(t, l, "worker-1", "cat /etc/machine-id /proc/sys/kernel/random/boot_id") {
			t.Error("two hosts have the same identity")
		}
	})
	t.Run("the operator's password works for sudo", func(t *testing.T) {
		password, err := os.ReadFile(l.OperatorPasswordPath())
		if err != nil {
			t.Fatal(err)
		}
		cmd, err := l.Command(t.Context(), "cp-1", "su", "operator", "-c", "sudo -S -p '' id -u")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = bytes.NewReader(password)
		if output, err := cmd.Output(); err != nil || strings.TrimSpace(string(output)) != "0" {
			t.Errorf("sudo with the password: %q, %v", output, err)
		}
	})
	t.Run("there is no way out", func(t *testing.T) {
		// Documentation addresses: nothing is there, whatever the machine's routes are.
		if got := inHost(t, l, "cp-1", "timeout 5 bash -c '</dev/tcp/203.0.113.1/80' 2>&1 || true"); !strings.Contains(got, "No route to host") {
			t.Errorf("connecting to the outside: %q, want an immediate refusal", got)
		}
	})
	t.Run("up again is harmless", func(t *testing.T) {
		before, err := l.Hosts()
		if err != nil {
			t.Fatal(err)
		}
		up(t, l.Spec())
		for _, host := range before {
			if now, err := l.Host(host.Name); err != nil || now.Init != host.Init {
				t.Errorf("%s was restarted (%v)", host.Name, err)
			}
		}
	})
	t.Run("power-off keeps the disk", func(t *testing.T) {
		inHost(t, l, "worker-1", "echo kept >/root/file; echo kept >/var/lib/etcd/file; sync")
		do(t, l.Off, "worker-1")
		expectState(t, l, "worker-1", Off)
		do(t, l.Off, "worker-1") // twice is once
		do(t, l.On, "worker-1")
		expectState(t, l, "worker-1", Running)
		if got := inHost(t, l, "worker-1", "cat /root/file /var/lib/etcd/file"); got != "kept\nkept" {
			t.Errorf("the disk has %q", got)
		}
	})
	t.Run("frozen hosts neither work nor die", func(t *testing.T) {
		do(t, l.Freeze, "worker-1")
		expectState(t, l, "worker-1", Frozen)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		config, err := l.sshConfig(l.record.Hosts[1])
		if err != nil {
			t.Fatal(err)
		}
		frozen := make(chan error, 1)
		go func() { frozen <- login(ctx, l.record.Hosts[1], config) }()
		select {
		case err := <-frozen:
			if err == nil {
				t.Error("a frozen host answered")
			}
		case <-ctx.Done():
		}
		do(t, l.Thaw, "worker-1")
		if err := login(t.Context(), l.record.Hosts[1], config); err != nil {
			t.Errorf("after the thaw: %v", err)
		}
	})
	t.Run("a cut cable stays cut until healed", func(t *testing.T) {
		const worker = "10.77.%d.101"
		address := fmt.Sprintf(worker, l.record.Subnet)
		if !reaches(t, l, "cp-1", address) {
			t.Fatal("hosts do not reach each other")
		}
		do(t, l.Cut, "worker-1")
		expectState(t, l, "worker-1", Cut)
		if reaches(t, l, "cp-1", address) {
			t.Error("a host with a cut cable was reached")
		}
		do(t, l.Off, "worker-1")
		do(t, l.On, "worker-1")
		expectState(t, l, "worker-1", Cut)
		do(t, l.Heal, "worker-1")
		expectState(t, l, "worker-1", Running)
		if !reaches(t, l, "cp-1", address) {
			t.Error("a healed host was not reached")
		}
	})
	t.Run("reboot", func(t *testing.T) {
		const boot = "cat /proc/sys/kernel/random/boot_id"
		before := inHost(t, l, "worker-1", boot)
		do(t, l.Reboot, "worker-1")
		if inHost(t, l, "worker-1", boot) == before {
			t.Error("it is the same boot")
		}
	})
	t.Run("programs in hosts", func(t *testing.T) {
		cmd, err := l.Command(t.Context(), "cp-1", "sh", "-c", "exit 7")
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("exit status %v, want 7", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cmd, err = l.Command(ctx, "cp-1", "sh", "-c", "echo started; exec sleep 987654")
		if err != nil {
			t.Fatal(err)
		}
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := output.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := cmd.Wait(); err == nil {
			t.Error("a cancelled program ended well")
		}
		if got := inHost(t, l, "cp-1", "pgrep -f 'sleep 98765[4]' || echo none"); got != "none" {
			t.Errorf("a cancelled program is still there: %s", got)
		}
	})
	t.Run("a killed supervisor takes its host with it, and up brings it back", func(t *testing.T) {
		pid := recordLockHolder(l.supervisorLock("worker-1"))
		if pid == 0 {
			t.Fatal("the host has no supervisor")
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := poll(ctx, 10*time.Millisecond, func() error {
			if now, err := l.Host("worker-1"); err != nil || now.State != Off {
				return fmt.Errorf("it is %s, %v", now.State, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		up(t, l.Spec())
		expectState(t, l, "worker-1", Running)
	})
	t.Run("it grows and does not shrink", func(t *testing.T) {
		spec := l.Spec()
		spec.Workers = 2
		grown := up(t, spec)
		expectState(t, grown, "worker-2", Running)
		if !bytes.Contains(grown.ClusterFile(), []byte("worker-2")) {
			t.Error("the cluster file does not have the new host")
		}
		if _, err := DefaultStore().Up(t.Context(), l.Spec(), func(string) {}); err == nil {
			t.Error("a lab shrank")
		}
	})
}

// TestEnterAgainstRemoval enters a host while somebody removes, as its systemd
// does now and then, every cgroup that is empty.
func TestEnterAgainstRemoval(t *testing.T) {
	l := newTestLab(t, "enter", Spec{ControlPlanes: 1})
	layout, err := readCgroupLayout()
	if err != nil {
		t.Fatal(err)
	}
	dirs := l.hostCgroup(layout, "cp-1").child(enteredGroup).dirs()
	ctx, stop := context.WithCancel(t.Context())
	var removing sync.WaitGroup
	defer removing.Wait()
	defer stop()
	removing.Go(func() {
		for ctx.Err() == nil {
			for _, dir := range dirs {
				_ = unix.Rmdir(dir) // fails while somebody is in it
			}
		}
	})
	for range 20 {
		if got := inHost(t, l, "cp-1", "hostname"); got != "cp-1" {
			t.Fatalf("entered %q", got)
		}
	}
}

func TestTwoLabsSideBySide(t *testing.T) {
	one := newTestLab(t, "one", Spec{ControlPlanes: 1})
	other := newTestLab(t, "other", Spec{ControlPlanes: 1})
	if one.Subnet() == other.Subnet() {
		t.Fatalf("both are on %s", one.Subnet())
	}
	if reaches(t, one, "cp-1", other.record.Hosts[0].Address.String()) {
		t.Error("a host reached one of another lab")
	}
	if err := DefaultStore().Down(t.Context(), one.Name()); err != nil {
		t.Fatal(err)
	}
	expectGone(t, one)
	if got, err := sshRun(t, other, "cp-1", "root", "hostname"); err != nil || got != "cp-1" {
		t.Errorf("the other lab after that: %s, %v", got, err)
	}
	if err := DefaultStore().Down(t.Context(), one.Name()); !errors.Is(err, ErrNotFound) {
		t.Errorf("taking it down twice: %v, want %v", err, ErrNotFound)
	}
}

func TestDownAfterEverythingWasKilled(t *testing.T) {
	l := newTestLab(t, "killed", Spec{ControlPlanes: 1, Workers: 1})
	do(t, l.Freeze, "worker-1")
	for _, host := range l.record.Hosts {
		if err := unix.Kill(recordLockHolder(l.supervisorLock(host.Name)), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := DefaultStore().Down(t.Context(), l.Name()); err != nil {
		t.Fatal(err)
	}
	expectGone(t, l)
}

func TestUpFinishesWhatAnInterruptedOneBegan(t *testing.T) {
	l := newTestLab(t, "cutoff", Spec{ControlPlanes: 1, Workers: 1})
	for _, after := range []time.Duration{20, 50, 100, 200, 400, 800} {
		if err := DefaultStore().Down(t.Context(), l.Name()); err != nil {
			t.Fatal(err)
		}
		expectGone(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
		err := exec.CommandContext(ctx, "/proc/self/exe", "lab", "test-up", l.Name()).Run() // ends it with SIGKILL
		cancel()
		t.Logf("after %d ms: %v", after, err)
		l = up(t, l.Spec())
		expectState(t, l, "cp-1", Running)
		expectState(t, l, "worker-1", Running)
	}
}

func TestUpRepairsTheNetwork(t *testing.T) {
	l := newTestLab(t, "net", Spec{ControlPlanes: 1})
	link, err := netlink.LinkByName(l.record.Subnet.uplinkName())
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SSHArgs("cp-1", "root"); err == nil {
		t.Error("a login would have sent packets out of the machine")
	}
	up(t, l.Spec())
	if err := deleteNetns(l.network().netnsName()); err != nil {
		t.Fatal(err)
	}
	up(t, l.Spec())
	if got, err := sshRun(t, l, "cp-1", "root", "hostname"); err != nil || got != "cp-1" {
		t.Errorf("after the repair: %s, %v", got, err)
	}
}

// expectGone looks for anything that a lab may have left.
func expectGone(t *testing.T, l *Lab) {
	t.Helper()
	if _, err := os.Stat(l.dir); err == nil {
		t.Errorf("%s is still there", l.dir)
	}
	if netnsExists(l.network().netnsName()) {
		t.Error("the switch is still there")
	}
	if link, err := netlink.LinkByName(l.record.Subnet.uplinkName()); err == nil && link.Attrs().Alias == l.network().alias() {
		t.Error("the interface is still there")
	}
	prefixes, err := usedPrefixes()
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range prefixes {
		if prefix == l.Subnet() {
			t.Error("a route is still there")
		}
	}
	layout, err := readCgroupLayout()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range labCgroup(layout, l.Name()).dirs() {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is still there", dir)
		}
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(l.dir+"\x00")) {
			t.Errorf("a process is still there: %q", line)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), l.Name()) {
		t.Error("a mount is still there")
	}
}
