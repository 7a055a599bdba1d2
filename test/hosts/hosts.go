// Package hosts is what the benchmarks share: lab hosts to measure on, and a
// word on the machine that the figures are of.
package hosts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/lab"
)

// Command prepares a child that ends with ctx: it gets the signal, and is
// killed when that does not help. A process group of its own keeps the
// terminal's Ctrl-C from reaching it a second time.
func Command(ctx context.Context, sig syscall.Signal, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if sig == syscall.SIGTERM { // a script: its children have to hear it too
			return syscall.Kill(-cmd.Process.Pid, sig)
		}
		return cmd.Process.Signal(sig)
	}
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// WithLab makes a lab (up: what `quorate lab up` is told beside its name), calls
// what is to be done with it, and takes it down again, also after Ctrl-C.
func WithLab(ctx context.Context, quorate, name string, up []string, do func(*lab.Lab) error) (err error) {
	defer func() {
		down := exec.Command(quorate, "lab", "down", "--name", name)
		// Not of the terminal's process group: a second Ctrl-C must not stop it.
		down.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if out, downErr := down.CombinedOutput(); downErr != nil {
			fmt.Fprintf(os.Stderr, "bench: lab %s is still there: %v\n%s\ntake it down: quorate lab down --name %[1]s\n", name, downErr, out)
			err = errors.Join(err, fmt.Errorf("taking lab %s down: %w", name, downErr))
		}
	}()
	out, err := Command(ctx, syscall.SIGINT, quorate, append([]string{"lab", "up", "--name", name}, up...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("making lab %s: %w\n%s", name, err, out)
	}
	l, err := lab.DefaultStore().Open(name)
	if err != nil {
		return err
	}
	return do(l)
}

// Run runs a command on a lab host as root and returns its output.
func Run(ctx context.Context, l *lab.Lab, host string, argv ...string) (string, error) {
	args, err := l.SSHArgs(host, "root")
	if err != nil {
		return "", err
	}
	out, err := Command(ctx, syscall.SIGINT, "ssh", append(args, argv...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("on %s: %s: %w", host, strings.Join(argv, " "), err)
	}
	return string(out), nil
}
