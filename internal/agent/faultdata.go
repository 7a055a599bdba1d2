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

// dataFault takes the data of a unit away, as the loss of a disk does.
type dataFault struct{ *protocol.DataFault }

func (f dataFault) check() error {
	if f.Holds == "" || strings.ContainsAny(f.Holds, "/\x00") {
		return malformed("%q is not the name of a file in %s", f.Holds, f.Dir)
	}
	return errors.Join(checkUnitRequest(protocol.UnitRequest{Name: f.Unit, Verb: "stop"}), checkPath(f.Dir))
}

// able refuses to take the data of a unit that would start without it: an
// etcd member that forgot its votes can help to elect a second leader.
func (f dataFault) able(ctx context.Context, a *Agent) error {
	run, err := a.exec(ctx, Command{Argv: []string{"systemctl", "cat", "--", f.Unit}, Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	held := filepath.Join(f.Dir, f.Holds)
	for line := range strings.Lines(string(run.Stdout)) {
		if rule, ok := strings.CutPrefix(strings.TrimSpace(line), "AssertPathExists="); ok && strings.TrimPrefix(rule, "|") == held {
			return nil
		}
	}
	return protocol.Failure(protocol.KindInvalid, "%s would start without its data (it does not assert that %s exists), and a member that forgot its votes is a danger; `quorate apply` writes a unit that does not", f.Unit, held)
}

func (f dataFault) prepare(ctx context.Context, in faultPlace) (func() (begun, error), error) {
	return func() (begun, error) { return begun{}, f.lose(ctx, in) }, nil
}

// lose stops the unit, lays an empty file system over its data, and has it started.
func (f dataFault) lose(ctx context.Context, in faultPlace) error {
	info, err := os.Stat(f.Dir)
	if err != nil {
		return err
	}
	if err := stopUnit(ctx, in, f.Unit); err != nil {
		return err
	}
	if err := syscall.Mount(laidOver(in.id), f.Dir, "tmpfs", 0, "size=64m"); err != nil {
		return &os.PathError{Op: "laying an empty file system over", Path: f.Dir, Err: err}
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(f.Dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(f.Dir, info.Mode().Perm()); err != nil {
		return err
	}
	// That it refuses to start is the point, and no failure of the drill's.
	_, _ = program(ctx, "", "systemctl", "start", "--no-block", "--", f.Unit)
	return nil
}

// undo gives the unit its data back. Each step is taken though the one before failed: a
// unit without its data is worse than one that was not stopped for it.
func (f dataFault) undo(ctx context.Context, in faultPlace) error {
	_, err := os.Stat(in.file(unitFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was not stopped, so nothing was laid over
	}
	laid, err := laidMounts(in.id)
	if err != nil {
		return err
	}
	var failures []error
	if len(laid) > 0 {
		_, err := program(ctx, "", "systemctl", "stop", "--", f.Unit)
		failures = append(failures, err, takeOff(in.id))
	}
	return errors.Join(append(failures, startUnit(ctx, in, f.Unit))...)
}
