package agent

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
)

func TestFaultsThatAreRefused(t *testing.T) {
	hang := &protocol.ProcessFault{Program: "etcd", Hang: true}
	for name, request := range map[string]protocol.FaultRequest{
		"no kind":     {ID: "a", LastsMillis: 1000},
		"two kinds":   {ID: "a", LastsMillis: 1000, Process: hang, Boot: &protocol.BootFault{}},
		"no ID":       {LastsMillis: 1000, Process: hang},
		"a path":      {ID: "../x", LastsMillis: 1000, Process: hang},
		"no end":      {ID: "a", Process: hang},
		"too long":    {ID: "a", LastsMillis: 2 * longestFault.Milliseconds(), Process: hang},
		"a program":   {ID: "a", LastsMillis: 1000, Process: &protocol.ProcessFault{Program: "/bin/etcd"}},
		"an option":   {ID: "a", LastsMillis: 1000, Unit: &protocol.UnitFault{Name: "-x"}},
		"no address":  {ID: "a", LastsMillis: 1000, Network: &protocol.NetworkFault{In: true, Address: "eth0"}},
		"a peer":      {ID: "a", LastsMillis: 1000, Network: &protocol.NetworkFault{In: true, Address: "10.0.0.1", Peers: []string{"} drop"}}},
		"no packets":  {ID: "a", LastsMillis: 1000, Network: &protocol.NetworkFault{Address: "10.0.0.1"}},
		"a relative":  {ID: "a", LastsMillis: 1000, Disk: &protocol.DiskFault{Dir: "var"}},
		"no shift":    {ID: "a", LastsMillis: 1000, Clock: &protocol.ClockFault{}},
		"two days":    {ID: "a", LastsMillis: 1000, Clock: &protocol.ClockFault{ShiftMillis: (48 * time.Hour).Milliseconds()}},
		"a long line": {ID: "a", LastsMillis: 1000, Network: &protocol.NetworkFault{Address: "10.0.0.1", DelayMillis: 60_000}},
		"no file":     {ID: "a", LastsMillis: 1000, Certificate: &protocol.CertificateFault{File: "x", Authority: "/a", AuthorityKey: "/a", Program: "b"}},
		"no unit":     {ID: "a", LastsMillis: 1000, Data: &protocol.DataFault{Unit: "--now", Dir: "/a", Holds: "b"}},
		"above":       {ID: "a", LastsMillis: 1000, Data: &protocol.DataFault{Unit: "b.service", Dir: "/a", Holds: "../b"}},
		"nothing yet": {ID: "a", LastsMillis: 1000, Disk: &protocol.DiskFault{Dir: "/var", LeaveBytes: -1}},
	} {
		_, err := faultOf(request)
		if failure, ok := errors.AsType[*protocol.Error](err); !ok || failure.Kind != protocol.KindInvalid {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// The undoing is arranged in the very command that does the fault.
func TestArmedBeforeTheFault(t *testing.T) {
	root := t.TempDir()
	var argv []string
	a := New(Options{Root: root, Exec: func(_ context.Context, c Command) (protocol.RunReply, error) {
		argv = c.Argv
		dir := filepath.Join(root, protocol.FaultFolder, "net-1")
		return protocol.RunReply{}, os.WriteFile(filepath.Join(dir, replyFile), []byte(`{"beginsMillis":300}`), 0o600)
	}})
	defer a.Close()
	reply, err := a.fault(t.Context(), protocol.FaultRequest{ID: "net-1", LastsMillis: 20_000, Disk: &protocol.DiskFault{Dir: "/var"}})
	if err != nil || reply.BeginsMillis != 300 {
		t.Fatal(reply, err)
	}
	dir := filepath.Join(root, protocol.FaultFolder, "net-1")
	for _, want := range []string{
		"--unit=quorate-drill-net-1.service", "--property=RuntimeMaxSec=20000ms",
		"--property=ExecStopPost=" + dir + "/agent fault-undo " + dir,
	} {
		if !slices.Contains(argv, want) {
			t.Errorf("%q is not in %q", want, argv)
		}
	}
	if info, err := os.Stat(dir + "/agent"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the fault has no agent of its own: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the fault's folder: %v", err)
	}
}

// Under SELinux, the unit may run the fault's own agent.
func TestFaultUnderSELinux(t *testing.T) {
	for seLinux, want := range map[bool]int{true: 1, false: 0} {
		argv := armArgv("/var/lib/quorate/faults/a", protocol.FaultRequest{ID: "a", LastsMillis: 1000}, seLinux)
		got := 0
		for _, word := range argv[:len(argv)-3] { // what follows is the program
			if word == "--property=SELinuxContext=system_u:system_r:unconfined_service_t:s0" {
				got++
			}
		}
		if got != want {
			t.Errorf("with SELinux %v: %d contexts in %q, want %d", seLinux, got, argv, want)
		}
	}
}

// hold runs a fault in this process as its unit would.
func hold(t *testing.T, request protocol.FaultRequest) (dir string, end func() error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "faults", "fault")
	if err := prepareFault(dir, request); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ready.Close() })
	t.Setenv("NOTIFY_SOCKET", socket)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- HoldFault(ctx, dir) }()
	ready.SetReadDeadline(time.Now().Add(10 * time.Second))
	word := make([]byte, 20)
	n, err := ready.Read(word)
	if err != nil || string(word[:n]) != "READY=1" {
		cancel()
		t.Fatalf("not ready: %v; it ended with %v", err, <-done)
	}
	return dir, func() error { cancel(); return <-done }
}

// state is a process's state letter.
func state(pid int) string {
	stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return fields[0]
}

func TestHungProcessesGoOn(t *testing.T) {
	program := filepath.Join(t.TempDir(), "drilled")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err) // a sleep that is part of a larger program
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	dir, end := hold(t, protocol.FaultRequest{ID: "hang", LastsMillis: 60_000, Process: &protocol.ProcessFault{Program: "drilled", Hang: true}})
	await(t, "the process to hang", func() bool { return state(cmd.Process.Pid) == "T" })
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if state(cmd.Process.Pid) != "T" {
		t.Error("it goes on before it is undone")
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	await(t, "the process to go on", func() bool { return state(cmd.Process.Pid) == "S" })
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the folder of faults is still there: %v", err)
	}
	if n, err := killProgram("drilled"); n != 1 || err != nil {
		t.Errorf("killed %d: %v", n, err)
	}
	cmd.Wait()
	if _, err := killProgram("drilled"); err == nil {
		t.Error("nothing to kill is no error")
	}
}

// A process that took over the number of one that was stopped is left alone.
func TestAnotherProcessIsNotSignalled(t *testing.T) {
	p := process{PID: os.Getppid(), Started: "1"}
	if err := p.signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

func TestFilledDiskIsFreeAgain(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	free := func() int64 {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(mount, &fs); err != nil {
			t.Fatal(err)
		}
		return int64(fs.Bfree) * fs.Bsize
	}
	before := free()
	dir, end := hold(t, protocol.FaultRequest{ID: "full", LastsMillis: 60_000, Disk: &protocol.DiskFault{Dir: mount, LeaveBytes: 64 << 10}})
	if left := free(); left > 64<<10 {
		t.Errorf("%d bytes are still free", left)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if got := free(); got != before {
		t.Errorf("%d bytes are free, %d were before", got, before)
	}
}

func TestNetworkRules(t *testing.T) {
	got := rulesFor(protocol.NetworkFault{Peers: []string{"10.0.0.2", "10.0.0.3", "fd00::2"}, In: true, Out: true, LossPercent: 30}, drillTable("ab12-1"), "eth0")
	want := `table inet quorate_drill_ab12_1 {
  chain prerouting {
    type filter hook prerouting priority -350; policy accept;
    iifname "eth0" ip saddr { 10.0.0.2, 10.0.0.3 } numgen random mod 100 < 30 drop
    iifname "eth0" ip6 saddr { fd00::2 } numgen random mod 100 < 30 drop
  }
  chain postrouting {
    type filter hook postrouting priority 350; policy accept;
    oifname "eth0" ip daddr { 10.0.0.2, 10.0.0.3 } numgen random mod 100 < 30 drop
    oifname "eth0" ip6 daddr { fd00::2 } numgen random mod 100 < 30 drop
  }
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	slow := rulesFor(protocol.NetworkFault{Peers: []string{"10.0.0.2"}, In: true, BytesPerSecond: 65536}, "t", "eth0")
	if !strings.Contains(slow, `ip saddr { 10.0.0.2 } limit rate over 65536 bytes/second burst 32768 bytes drop`) {
		t.Error(slow)
	}
	if got := rulesFor(protocol.NetworkFault{In: true}, "t", "eth0"); !strings.Contains(got, "iifname \"eth0\" drop\n") || strings.Contains(got, "postrouting") {
		t.Error(got)
	}
	if name, err := interfaceOf("127.0.0.1"); err != nil || name != "lo" {
		t.Errorf("127.0.0.1 is on %q: %v", name, err)
	}
}
