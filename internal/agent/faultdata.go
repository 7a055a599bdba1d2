package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// guarded refuses to take the data of a unit that would start without it: an
// etcd member that forgot its votes can help to elect a second leader.
func (a *Agent) guarded(ctx context.Context, fault protocol.DataFault) error {
	run, err := a.exec(ctx, Command{Argv: []string{"systemctl", "cat", "--", fault.Unit}, Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	held := filepath.Join(fault.Dir, fault.Holds)
	for line := range strings.Lines(string(run.Stdout)) {
		if rule, ok := strings.CutPrefix(strings.TrimSpace(line), "AssertPathExists="); ok && strings.TrimPrefix(rule, "|") == held {
			return nil
		}
	}
	return protocol.Failure(protocol.KindInvalid, "%s would start without its data (it does not assert that %s exists), and a member that forgot its votes is a danger; `quorate apply` writes a unit that does not", fault.Unit, held)
}

// lose stops a unit, lays an empty file system over its data, and has it
// started: what happens when a disk is lost.
func lose(ctx context.Context, dir, id string, fault protocol.DataFault) error {
	info, err := os.Stat(fault.Dir)
	if err != nil {
		return err
	}
	if err := stopUnit(ctx, dir, fault.Unit); err != nil {
		return err
	}
	if err := syscall.Mount(laidOver(id), fault.Dir, "tmpfs", 0, "size=64m"); err != nil {
		return &os.PathError{Op: "laying an empty file system over", Path: fault.Dir, Err: err}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(fault.Dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(fault.Dir, info.Mode().Perm()); err != nil {
		return err
	}
	// That it refuses to start is the point, and no failure of the drill's.
	_, _ = program(ctx, "", "systemctl", "start", "--no-block", "--", fault.Unit)
	return nil
}

// find gives a unit its data back. Each step is taken though the one before failed:
// a unit without its data is worse than one that was not stopped for it.
func find(ctx context.Context, dir, id string, fault protocol.DataFault) error {
	_, err := os.Stat(filepath.Join(dir, unitFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was not stopped, so nothing was laid over
	}
	laid, err := laidMounts(id)
	if err != nil {
		return err
	}
	var failures []error
	if len(laid) > 0 {
		_, err := program(ctx, "", "systemctl", "stop", "--", fault.Unit)
		failures = append(failures, err, takeOff(id))
	}
	return errors.Join(append(failures, startUnit(ctx, dir, fault.Unit))...)
}
