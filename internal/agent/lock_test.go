package agent

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// TestLockHolderProcess is no test but the process that others start to hold
// a lock as another operator's agent would.
func TestLockHolderProcess(t *testing.T) {
	path := os.Getenv("QUORATE_TEST_LOCK")
	if path == "" {
		t.Skip("is started by other tests")
	}
	held, err := tryLock(path)
	if held == nil || err != nil {
		t.Fatalf("taking %s: %v", path, err)
	}
	if err := held.describe(protocol.LockRequest{Owner: "alice@desk", Purpose: "apply", RunID: "r1"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	select {} // until it is killed
}

// startHolder starts a process whose program is at exe and that holds path.
func startHolder(t *testing.T, exe, path string) *exec.Cmd {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(exe), filepath.Dir(path)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(exe, self, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestLockHolderProcess$")
	cmd.Env = append(os.Environ(), "QUORATE_TEST_LOCK="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	await(t, "the holder to hold the lock", func() bool {
		holder, err := readHolder(path)
		return err == nil && holder.PID == cmd.Process.Pid
	})
	return cmd
}

func TestLockRefusedNamesTheHolder(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	cmd := startHolder(t, filepath.Join(root, protocol.AgentFolder, "0123"), path)
	held, holder, err := acquireLock(t.Context(), path, protocol.LockRequest{Owner: "bob@lap"})
	if held != nil || err != nil {
		t.Fatalf("took a lock that is held: %v", err)
	}
	if holder.Owner != "alice@desk" || holder.Purpose != "apply" || holder.RunID != "r1" || holder.PID != cmd.Process.Pid {
		t.Errorf("holder: %+v", holder)
	}
	if left := holder.Expires.Sub(holder.Now); left <= 0 || left > time.Minute {
		t.Errorf("the lock expires in %s", left)
	}
}

func TestLockOfADeadHolderIsFree(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	cmd := startHolder(t, filepath.Join(root, protocol.AgentFolder, "0123"), path)
	cmd.Process.Kill()
	cmd.Wait()
	held, holder, err := acquireLock(t.Context(), path, protocol.LockRequest{})
	if held == nil {
		t.Fatalf("refused: %+v, %v", holder, err)
	}
	held.release()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a released lock leaves its file: %v", err)
	}
}

func TestLockWaitsForAnEndingHolder(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	cmd := startHolder(t, filepath.Join(root, protocol.AgentFolder, "0123"), path)
	if err := os.Chtimes(path, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { cmd.Process.Kill() })
	held, holder, err := acquireLock(t.Context(), path, protocol.LockRequest{})
	if held == nil {
		t.Fatalf("refused: %+v, %v", holder, err)
	}
	held.release()
}

func TestBreakLockEndsAnAgent(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		root := t.TempDir()
		path := filepath.Join(root, protocol.LockFile)
		cmd := startHolder(t, filepath.Join(root, protocol.AgentFolder, "0123"), path)
		if stopped {
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		held, holder, err := acquireLock(t.Context(), path, protocol.LockRequest{Break: true})
		if held == nil {
			t.Fatalf("stopped %v: not broken: %+v, %v", stopped, holder, err)
		}
		held.release()
		if testing.Short() {
			return // a stopped one takes breakGrace
		}
	}
}

func TestBreakLockSparesWhatIsNoAgent(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	cmd := startHolder(t, filepath.Join(root, "usr/bin/innocent"), path)
	held, _, err := acquireLock(t.Context(), path, protocol.LockRequest{Break: true})
	if held != nil || err == nil || !strings.Contains(err.Error(), "is no quorate agent") {
		t.Errorf("breaking: %v, %v", held, err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process was ended: %v", err)
	}
}

// A lock whose file names a process that has nothing to do with it.
func TestBreakLockSparesAReusedNumber(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	agents := filepath.Join(root, protocol.AgentFolder)
	startHolder(t, filepath.Join(agents, "0123"), path)
	other := startHolder(t, filepath.Join(agents, "4567"), filepath.Join(root, "other"))
	text, err := json.Marshal(protocol.LockHolder{Owner: "x", PID: other.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if held, _, err := acquireLock(t.Context(), path, protocol.LockRequest{Break: true}); held != nil || err == nil {
		t.Errorf("breaking: %v, %v", held, err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process was ended: %v", err)
	}
}

func TestLockNobodySaysWho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()
	if again, holder, err := acquireLock(t.Context(), path, protocol.LockRequest{}); again != nil || err != nil || holder == nil || holder.Owner != "" {
		t.Errorf("%v, %+v, %v", again, holder, err)
	}
}

func TestLockIsNotASymbolicLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.Symlink(target, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if held, err := tryLock(filepath.Join(dir, "lock")); held != nil || err == nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestAcquireLockEndsWithItsContext(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, protocol.LockFile)
	startHolder(t, filepath.Join(root, protocol.AgentFolder, "0123"), path)
	if err := os.Chtimes(path, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if held, holder, _ := acquireLock(ctx, path, protocol.LockRequest{}); held != nil || holder.Owner != "alice@desk" {
		t.Errorf("%v, %+v", held, holder)
	}
}

// A full disk is what an operator may be here to mend: it does not keep the lock.
func TestLockOnAFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: no small file system can be mounted")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system can be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the file system is not full: %v", err)
	}
	held, err := tryLock(filepath.Join(dir, "lock"))
	if err != nil || held == nil {
		t.Fatal(held, err)
	}
	defer held.release()
	if err := held.describe(protocol.LockRequest{Owner: "alice@desk"}, time.Minute); err != nil {
		t.Errorf("the lock is refused: %v", err)
	}
}
