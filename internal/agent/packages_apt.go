package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// lockWait is how long a package database that another program has locked is
// waited for. unattended-upgrades may take minutes on a fresh machine.
const lockWait = 5 * time.Minute

// databaseWait is how long a request waits for the package database.
func databaseWait(request protocol.PackagesRequest) time.Duration {
	if request.LockWaitMillis > 0 {
		return time.Duration(request.LockWaitMillis) * time.Millisecond
	}
	return lockWait
}

// aptEnv keeps apt and its maintainer scripts from asking anything.
var aptEnv = [...]string{"DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "APT_LISTCHANGES_FRONTEND=none", "UCF_FORCE_CONFFOLD=1"}

// aptGet is the beginning of every call of apt-get.
func aptGet(args ...string) []string {
	return append([]string{"apt-get", "--yes", "--quiet", "--no-install-recommends",
		"-o", "DPkg::Lock::Timeout=" + strconv.Itoa(int(lockWait.Seconds())),
		"-o", "Dpkg::Use-Pty=0",
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"}, args...)
}

// aptInstall installs what is missing of names from the host's sources, or,
// when there are files, what of the files is not installed at that version or
// a newer one.
func (a *Agent) aptInstall(ctx context.Context, names, files []string, wait time.Duration) (protocol.PackagesReply, error) {
	wanted, described, err := a.aptMissing(ctx, names, files)
	if err != nil || len(wanted) == 0 {
		return protocol.PackagesReply{}, err
	}
	if err := a.awaitDpkgLock(ctx, wait); err != nil {
		return protocol.PackagesReply{}, err
	}
	restore, err := a.forbidServiceStarts()
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	defer restore()
	before, err := a.installedVersions(ctx, described)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	argv := aptGet(append([]string{"install", "--no-remove"}, wanted...)...)
	if len(files) > 0 {
		// The files are complete, so dpkg alone orders and configures them;
		// apt-get would look for the network.
		argv = append([]string{"dpkg", "--install", "--force-confdef", "--force-confold", "--"}, wanted...)
	}
	output, err := a.packageTool(ctx, argv, aptEnv[:])
	if err != nil && len(files) == 0 && ctx.Err() == nil {
		// The lists of a host that was just installed are empty or stale.
		if _, updateErr := a.packageTool(ctx, aptGet("update"), aptEnv[:]); updateErr != nil {
			return protocol.PackagesReply{}, fmt.Errorf("%w (and refreshing the package lists: %w)", err, updateErr)
		}
		output, err = a.packageTool(ctx, argv, aptEnv[:])
	}
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	return a.changedSince(ctx, before, described, output)
}

// aptMissing gives apt-get's arguments for what is missing, and the names of
// these packages.
func (a *Agent) aptMissing(ctx context.Context, names, files []string) (wanted, described []string, err error) {
	if len(files) == 0 {
		installed, err := a.installedVersions(ctx, names)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			if _, ok := installed[name]; !ok {
				wanted = append(wanted, name)
			}
		}
		return wanted, wanted, nil
	}
	var debs []deb
	for _, file := range files {
		d, ok := debOfName(file)
		if !ok {
			if d, err = a.showDeb(ctx, file); err != nil {
				return nil, nil, err
			}
		}
		debs = append(debs, d)
		described = append(described, d.name)
	}
	installed, err := a.installedVersions(ctx, described)
	if err != nil {
		return nil, nil, err
	}
	described = nil
	for _, deb := range debs {
		if have, ok := installed[deb.name]; ok {
			reply, err := a.exec(ctx, Command{Argv: []string{"dpkg", "--compare-versions", have, "ge", deb.version}, Timeout: 10 * time.Second})
			if err != nil {
				return nil, nil, err
			}
			if reply.ExitCode == 0 {
				continue
			}
		}
		wanted = append(wanted, deb.file)
		described = append(described, deb.name)
	}
	return wanted, described, nil
}

// deb is a package file.
type deb struct{ file, name, version string }

// debOfName reads name and version out of a file's name as apt-get gives it:
// name_version_arch.deb, the colon after an epoch written as %3a. It spares a
// process for each of the files. Whether the file keeps what its name promises
// is dpkg's to see when it is installed.
func debOfName(file string) (deb, bool) {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(file), ".deb"), "_")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || !strings.HasSuffix(file, ".deb") {
		return deb{}, false
	}
	return deb{file, parts[0], strings.ReplaceAll(parts[1], "%3a", ":")}, true
}

// showDeb asks the package file itself for its name and version.
func (a *Agent) showDeb(ctx context.Context, file string) (deb, error) {
	reply, err := a.exec(ctx, Command{Argv: []string{"dpkg-deb", "--show", `--showformat=installed\t${Package}\t${Version}\n`, "--", file}, Timeout: 30 * time.Second})
	if err != nil {
		return deb{}, err
	}
	for name, version := range parseInstalled(string(reply.Stdout)) {
		if reply.ExitCode == 0 {
			return deb{file, name, version}, nil
		}
	}
	return deb{}, protocol.Failure(protocol.KindInvalid, "%s is not a Debian package: %s", file, strings.TrimSpace(string(reply.Stderr)))
}

// aptRemove removes what is installed of names, their configuration included.
func (a *Agent) aptRemove(ctx context.Context, names []string, wait time.Duration) (protocol.PackagesReply, error) {
	before, err := a.installedVersions(ctx, names)
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	if len(before) == 0 {
		return protocol.PackagesReply{}, nil
	}
	if err := a.awaitDpkgLock(ctx, wait); err != nil {
		return protocol.PackagesReply{}, err
	}
	args := []string{"purge"}
	for _, name := range names {
		if _, ok := before[name]; ok {
			args = append(args, name)
		}
	}
	output, err := a.packageTool(ctx, aptGet(args...), aptEnv[:])
	if err != nil {
		return protocol.PackagesReply{}, err
	}
	return a.changedSince(ctx, before, names, output)
}

// awaitDpkgLock waits until no other program holds dpkg's lock, and names the
// one that does when the wait is over. apt-get waits by itself too, but cannot
// say for whom on all versions.
func (a *Agent) awaitDpkgLock(ctx context.Context, wait time.Duration) error {
	path := filepath.Join("/", a.root, "var/lib/dpkg/lock-frontend")
	deadline := time.Now().Add(wait)
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		holder := lockHolder(path)
		if holder == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return protocol.Failure(protocol.KindBusy,
				"the package database is locked by %s (process %d): wait until it has finished, or stop it",
				firstLine(fmt.Sprintf("/proc/%d/comm", holder)), holder)
		}
		select {
		case <-ctx.Done():
			return protocol.Failure(protocol.KindCancelled, "waiting for %s (process %d), which holds the package database's lock: %v",
				firstLine(fmt.Sprintf("/proc/%d/comm", holder)), holder, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// lockHolder is the process that holds a record lock on a file, 0 if none does.
func lockHolder(path string) int {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0 // no lock file: dpkg has not run yet, or will say what is wrong
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil || lock.Type == syscall.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}

// forbidServiceStarts keeps Debian's packages from starting their services
// as they are installed: a proxy must not run before it has its configuration.
// An administrator's own policy is left in force. The policy permits
// everything again once this process is gone, whoever has its number then, so
// that a cut connection cannot leave a host whose packages never start anything.
func (a *Agent) forbidServiceStarts() (restore func(), err error) {
	path := filepath.Join("/", a.root, "usr/sbin/policy-rc.d")
	const mark = "# Written by quorate for the length of one installation."
	if existing := text(path); existing != "" && !strings.Contains(existing, mark) {
		return func() {}, nil
	}
	policy := fmt.Sprintf("#!/bin/sh\n%s\n"+
		"[ \"$(cat /proc/sys/kernel/random/boot_id)\" = %s ] || exit 0\n"+
		// The 22nd field, counted from the name's end: a name may hold spaces.
		"[ \"$(sed 's/.*) //' /proc/%d/stat 2>/dev/null | cut -d' ' -f20)\" = %s ] && exit 101\nexit 0\n",
		mark, firstLine("/proc/sys/kernel/random/boot_id"), os.Getpid(), startOf(os.Getpid()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, []byte(policy), 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o755); err != nil {
		return nil, err
	}
	return func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.log.Error("removing the policy that keeps services from starting", "path", path, "error", err)
		}
	}, nil
}
