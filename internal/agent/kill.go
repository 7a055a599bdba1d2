package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// killPoll is how often the processes are looked at again: a killed process
// is gone as soon as the kernel has scheduled it.
const killPoll = 20 * time.Millisecond

// killTimeout bounds the wait for killed processes to be gone. One that is
// still there hangs inside the kernel, on a dead disk or network file system.
const killTimeout = 30 * time.Second

// kill ends the processes that match until none is left.
func (a *Agent) kill(ctx context.Context, request protocol.KillRequest) (protocol.KillReply, error) {
	if err := checkKillRequest(request); err != nil {
		return protocol.KillReply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	tick := time.NewTicker(killPoll)
	defer tick.Stop()
	ended := map[int]bool{}
	for {
		left, err := killMatching(request)
		if err != nil {
			return protocol.KillReply{}, err
		}
		for _, pid := range left {
			ended[pid] = true
		}
		if len(left) == 0 {
			removeCgroups(request.Cgroups)
			return protocol.KillReply{Ended: len(ended)}, nil
		}
		select {
		case <-ctx.Done():
			return protocol.KillReply{}, protocol.Failure(protocol.KindOther,
				"%d processes are still there %s after SIGKILL (%v): they hang inside the kernel; reboot the host, then run the same command again",
				len(left), killTimeout, left)
		case <-tick.C:
		}
	}
}

// checkKillRequest refuses what could match more than was meant.
func checkKillRequest(request protocol.KillRequest) error {
	for _, path := range slices.Concat(request.Cgroups, request.Programs) {
		if err := checkPath(path); err != nil {
			return err
		}
		if path == "/" {
			return protocol.Failure(protocol.KindInvalid, "refusing to end every process")
		}
	}
	return nil
}

// killMatching sends SIGKILL to every process that matches and returns them.
func killMatching(request protocol.KillRequest) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var matched []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid <= 1 || pid == os.Getpid() || !matches(pid, request) {
			continue
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		// Looked at once more, now that the number cannot pass to another.
		if matches(pid, request) {
			matched = append(matched, pid)
			err = process.Kill()
		}
		process.Release()
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			return nil, err
		}
	}
	return matched, nil
}

// matches reports whether a process is of the cgroups or the programs; one
// that is dead and not yet reaped is not.
func matches(pid int, request protocol.KillRequest) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	program, err := os.Readlink(proc + "/exe")
	if err == nil && slices.Contains(request.Programs, strings.TrimSuffix(program, " (deleted)")) {
		return true
	}
	if err != nil && isDead(proc) {
		return false
	}
	if len(request.Cgroups) == 0 {
		return false
	}
	text, err := os.ReadFile(proc + "/cgroup")
	return err == nil && inCgroups(string(text), request.Cgroups)
}

// removeCgroups removes what is empty of the groups, in every hierarchy.
// One that stays does no harm and is gone with the next boot.
func removeCgroups(cgroups []string) {
	if len(cgroups) == 0 {
		return
	}
	mounts, err := readMounts()
	if err != nil {
		return
	}
	for _, m := range mounts {
		if m.kind != "cgroup" && m.kind != "cgroup2" {
			continue
		}
		for _, cgroup := range cgroups {
			removeEmptyTree(m.point + cgroup)
		}
	}
}

// removeEmptyTree removes a directory and those below it, the deepest first.
// The files of a cgroup go with it.
func removeEmptyTree(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() {
			removeEmptyTree(filepath.Join(dir, entry.Name()))
		}
	}
	syscall.Rmdir(dir)
}

// isDead reports whether a process is a zombie, which has ended already.
func isDead(proc string) bool {
	stat, err := os.ReadFile(proc + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return true
	}
	// The state follows the name, which is in brackets and may hold any.
	at := strings.LastIndexByte(string(stat), ')')
	return err == nil && at >= 0 && at+2 < len(stat) && (stat[at+2] == 'Z' || stat[at+2] == 'X')
}

// inCgroups reads /proc/PID/cgroup: a line hierarchy:controllers:path each.
func inCgroups(text string, cgroups []string) bool {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		_, path, found := strings.Cut(rest, ":")
		if !found {
			continue
		}
		for _, cgroup := range cgroups {
			if path == cgroup || strings.HasPrefix(path, cgroup+"/") {
				return true
			}
		}
	}
	return false
}
