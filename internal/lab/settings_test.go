package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeSysctl makes a folder that looks like /proc/sys, and a machine on it.
func fakeSysctl(t *testing.T, settings map[string]string) machine {
	t.Helper()
	dir := t.TempDir()
	for name, value := range settings {
		path := filepath.Join(dir, "sys", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return machine{path: filepath.Join(dir, "machine.json"), sysctl: filepath.Join(dir, "sys"), netns: filepath.Join(dir, "netns")}
}

func (m machine) get(t *testing.T, name string) string {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(m.sysctl, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func TestSettingsComeBack(t *testing.T) {
	before := map[string]string{
		"kernel/panic": "1", "vm/overcommit_memory": "0", "fs/inotify/max_user_instances": "128",
		"kernel/keys/root_maxkeys": "2000000", "net/netfilter/nf_conntrack_max": "262144",
	}
	m := fakeSysctl(t, before)
	layout := fakeV2(t, "cpu memory", "cpu")
	if err := m.prepare(layout); err != nil {
		t.Fatal(err)
	}
	if got := m.get(t, "fs/inotify/max_user_instances"); got != "8192" {
		t.Errorf("inotify instances were not raised: %s", got)
	}
	if got := m.get(t, "kernel/keys/root_maxkeys"); got != "2000000" {
		t.Errorf("a value that is high enough was changed to %s", got)
	}
	if got := m.get(t, "net/netfilter/nf_conntrack_max"); got == "262144" {
		t.Error("kube-proxy would not see the number it computes")
	}
	// What the kubelet does, and then a second lab: the first notes must stand.
	if err := writeFile(filepath.Join(m.sysctl, "kernel/panic"), "10"); err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(layout); err != nil {
		t.Fatal(err)
	}
	if err := m.restore(layout); err != nil {
		t.Fatal(err)
	}
	after := map[string]string{}
	for name := range before {
		after[name] = m.get(t, name)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(m.path); err == nil {
		t.Error("the notes are still there")
	}
	if down, err := os.ReadFile(filepath.Join(layout.root, "cgroup.subtree_control")); err != nil || string(down) != "-memory" {
		t.Errorf("the last word to the cgroup root was %q, %v; want -memory", down, err)
	}
	if err := m.restore(layout); err != nil {
		t.Errorf("restoring twice: %v", err)
	}
}

func TestNotesOfAnEarlierBootDoNotCount(t *testing.T) {
	m := fakeSysctl(t, map[string]string{"kernel/panic": "1"})
	stale := machineRecord{Boot: "another", Settings: map[string]string{"kernel/panic": "77"}}
	if err := writeJSON(m.path, stale); err != nil {
		t.Fatal(err)
	}
	layout := fakeV2(t, "", "")
	if err := m.restore(layout); err != nil {
		t.Fatal(err)
	}
	if got := m.get(t, "kernel/panic"); got != "1" {
		t.Errorf("a value from before the reboot was restored: %s", got)
	}
	if err := m.prepare(layout); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(m.sysctl, "kernel/panic"), "10"); err != nil {
		t.Fatal(err)
	}
	if err := m.restore(layout); err != nil {
		t.Fatal(err)
	}
	if got := m.get(t, "kernel/panic"); got != "1" {
		t.Errorf("the value of this boot did not come back: %s", got)
	}
}

func TestUnreadableNotesAreNotOverwritten(t *testing.T) {
	m := fakeSysctl(t, map[string]string{"kernel/panic": "1"})
	if err := os.WriteFile(m.path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(fakeV2(t, "", "")); err == nil {
		t.Error("the machine's original settings were forgotten")
	}
}

func TestLockWaitsAndNoticesReplacement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "a")
	first, err := acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := acquire(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a lock that is held was given: %v", err)
	}
	second := make(chan error, 1)
	go func() {
		lock, err := acquire(t.Context(), path)
		if err == nil {
			lock.release()
		}
		second <- err
	}()
	first.remove()
	if err := <-second; err != nil {
		t.Errorf("the lock was not given after its file was removed: %v", err)
	}
}

func TestRecordLockTellsItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "supervisor.lock")
	if recordLockHolder(path) != 0 || recordLockHeld(path) {
		t.Error("a lock without a file has a holder")
	}
	lock, err := holdRecordLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	// One's own record locks never conflict, so another process has to look.
	if holder := holderSeenFromOutside(t, path); holder != os.Getpid() {
		t.Errorf("the holder is %d, want %d", holder, os.Getpid())
	}
}

func TestMountsBelow(t *testing.T) {
	const mountinfo = "1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /a/b rw - tmpfs x rw\n3 2 0:3 / /a/b/c rw - tmpfs x rw\n4 1 0:4 / /a/bc rw - tmpfs x rw\n5 1 0:5 / /a rw - tmpfs x rw\nshort\n"
	if diff := cmp.Diff([]string{"/a/bc", "/a/b/c", "/a/b"}, mountsBelow(mountinfo, "/a")); diff != "" { // innermost first
		t.Error(diff)
	}
	if got := mountsBelow(mountinfo, "/a/b"); len(got) != 1 || got[0] != "/a/b/c" {
		t.Errorf("below /a/b: %q", got)
	}
}

func TestUUID(t *testing.T) {
	one := uuid([]byte("seed"))
	if len(one) != 37 || one[14] != '4' || !strings.ContainsRune("89ab", rune(one[19])) || one[36] != '\n' {
		t.Errorf("%q is no version 4 UUID", one)
	}
	if uuid([]byte("seed")) != one || uuid([]byte("other")) == one {
		t.Error("the UUID does not follow from the seed")
	}
}
