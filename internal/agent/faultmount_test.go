package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// disk mounts a file system of a member's own, with its data.
func disk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "etcd")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	over(t, dir, "disk")
	if err := os.WriteFile(filepath.Join(dir, "member"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func over(t *testing.T, dir, source string) {
	t.Helper()
	if err := syscall.Mount(source, dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func lost(dir string) protocol.FaultRequest {
	return protocol.FaultRequest{ID: "x-1", LastsMillis: 60_000, Data: &protocol.DataFault{Unit: "etcd.service", Dir: dir, Holds: "member"}}
}

// began prepares a fault and does it as its unit would, with an error if that fails.
func began(t *testing.T, request protocol.FaultRequest) (dir string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "faults", request.ID)
	if err := prepareFault(dir, request); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	return dir, HoldFault(t.Context(), dir) // it ends where it is to say that it is done
}

// The member's data has a disk of its own, and the fault came to lay nothing over it:
// the member did not stop in time.
func TestUndoLeavesTheDataDisk(t *testing.T) {
	data := disk(t)
	calls := fakePrograms(t, map[string]string{"systemctl": `[ $1 != stop ] || { echo "Job for etcd.service timed out."; exit 1; }`})
	dir, err := began(t, lost(data))
	if err == nil || !strings.Contains(err.Error(), "timed out") {
		t.Fatal(err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if !has(data, "member") {
		t.Error("the member's own disk was taken off")
	}
	if got := calls(); !slices.Contains(got, "systemctl start --no-block -- etcd.service\n") {
		t.Errorf("the member was not started again: %q", got)
	}
}

// An undoing that failed at its last step is tried again, and takes nothing more off.
func TestSecondUndoLeavesTheDataDisk(t *testing.T) {
	data := disk(t)
	fakePrograms(t, map[string]string{"systemctl": `[ $1 != start ] || { echo "Connection timed out"; exit 1; }`})
	dir, err := began(t, lost(data))
	if err == nil || !strings.Contains(err.Error(), "not started by systemd") {
		t.Fatal(err)
	}
	if has(data, "member") {
		t.Fatal("nothing was laid over the data")
	}
	for range 2 {
		if err := UndoFault(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "Connection timed out") {
			t.Errorf("a member that was not started: %v", err)
		}
		if !has(data, "member") {
			t.Fatal("the data is not back, or the member's own disk was taken off")
		}
	}
	fakePrograms(t, map[string]string{"systemctl": ""})
	if err := UndoFault(t.Context(), dir); err != nil || !has(data, "member") {
		t.Error(err)
	}
	if began, err := faultBegan(dir); began || err != nil {
		t.Errorf("it is not undone: %v", err)
	}
}

// The unit cannot be stopped while its data is to be given back: it is, all the same,
// and the undoing counts as one that failed.
func TestDataIsBackThoughTheStopFails(t *testing.T) {
	data := disk(t)
	fakePrograms(t, map[string]string{"systemctl": ""})
	dir, err := began(t, lost(data))
	if err == nil || has(data, "member") {
		t.Fatal(err)
	}
	calls := fakePrograms(t, map[string]string{"systemctl": `[ $1 != stop ] || exit 1`})
	if err := UndoFault(t.Context(), dir); err == nil || !has(data, "member") {
		t.Errorf("%v", err)
	}
	if got := calls(); !slices.Equal(got, []string{"systemctl stop -- etcd.service\n", "systemctl start --no-block -- etcd.service\n"}) {
		t.Errorf("%q", got)
	}
}

// What somebody mounted over a drill's own is not taken off in its place.
func TestForeignMountOverADrills(t *testing.T) {
	data := disk(t)
	fakePrograms(t, map[string]string{"systemctl": ""})
	dir, _ := began(t, lost(data))
	over(t, data, "somebody")
	if err := os.WriteFile(filepath.Join(data, "theirs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := UndoFault(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "unmount that first") || !has(data, "theirs") {
		t.Errorf("the undoing says %v", err)
	}
	if err := syscall.Unmount(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := UndoFault(t.Context(), dir); err != nil || !has(data, "member") {
		t.Error(err)
	}
}

// A unit that did not run is not stopped, and not started afterwards.
func TestUnitThatDidNotRun(t *testing.T) {
	calls := fakePrograms(t, map[string]string{"systemctl": `[ $1 != is-active ] || exit 3`})
	dir, err := began(t, protocol.FaultRequest{ID: "x-1", LastsMillis: 1000, Unit: &protocol.UnitFault{Name: "quorate-haproxy.service"}})
	if err == nil || !strings.Contains(err.Error(), "quorate-haproxy.service does not run") {
		t.Error(err)
	}
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if got := calls(); !slices.Equal(got, []string{"systemctl is-active --quiet -- quorate-haproxy.service\n"}) {
		t.Errorf("%q", got)
	}
}

// The expired certificate is taken off, and the file's own is not; an undoing that
// was killed in between is finished: the program runs on the expired one still.
func TestExpiredCertificateIsTakenOff(t *testing.T) {
	cmd := drilled(t)
	files := t.TempDir()
	ca, key, leaf := authority(t, files, "kubernetes")
	own, err := os.ReadFile(leaf)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(leaf, leaf, "", syscall.MS_BIND, ""); err != nil { // somebody's own
		t.Skipf("mounting needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(leaf, syscall.MNT_DETACH) })
	before, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	fault := protocol.CertificateFault{File: leaf, Authority: ca, AuthorityKey: key, Program: filepath.Base(cmd.Path)}
	dir, err := began(t, protocol.FaultRequest{ID: "x-1", LastsMillis: 60_000, Certificate: &fault})
	if err == nil || !strings.Contains(err.Error(), "not started by systemd") {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(leaf); err != nil || slices.Equal(got, own) {
		t.Fatalf("no other certificate was laid over: %v", err)
	}
	cmd.Wait() // killed for whoever starts it
	if err := takeOff("x-1"); err != nil {
		t.Fatal(err)
	}
	again := drilled(t)
	if err := UndoFault(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(); err == nil {
		t.Error("the program still runs")
	}
	after, err := readMounts()
	if got, err := os.ReadFile(leaf); err != nil || !slices.Equal(got, own) || len(after) != len(before) {
		t.Errorf("%d mounts, %d before: %v", len(after), len(before), err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
