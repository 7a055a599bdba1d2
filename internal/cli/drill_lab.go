package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/lab"
)

// labSwitches switches the hosts of a lab, and sees to it that each is
// switched back.
type labSwitches struct{ lab *lab.Lab }

// labMachines gives the switches of the lab that a cluster's hosts are of, if
// they are of one.
func labMachines(c *cluster.Cluster) (drill.Machines, bool, error) {
	labs, err := lab.DefaultStore().List()
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, false, nil // labs are root's; who is not root has none
		}
		return nil, false, err
	}
	for _, l := range labs {
		addresses := map[string]string{}
		hosts, err := l.Hosts()
		if err != nil {
			continue // being made or removed
		}
		for _, h := range hosts {
			addresses[h.Name] = h.Address.String()
		}
		all := true
		for _, h := range c.Hosts {
			all = all && addresses[h.Name] == h.Address
		}
		if all {
			return labSwitches{l}, true, nil
		}
	}
	return nil, false, nil
}

// Off pulls a host's plug.
func (s labSwitches) Off(ctx context.Context, host string, lasts time.Duration) (func(context.Context) error, error) {
	return s.do(ctx, host, "on", lasts, s.lab.Off)
}

// Freeze stops a host.
func (s labSwitches) Freeze(ctx context.Context, host string, lasts time.Duration) (func(context.Context) error, error) {
	return s.do(ctx, host, "thaw", lasts, s.lab.Freeze)
}

// backCommand is what this program is started as to switch a host back.
const backCommand = "lab-back"

// do switches a host. Before that it starts a process of its own that switches
// it back when it is told to, when this process is gone, and when the time is
// over.
func (s labSwitches) do(ctx context.Context, host, back string, lasts time.Duration, now func(context.Context, string) error) (func(context.Context) error, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Not bound to the context: it outlives an interrupt, in a session of its own.
	cmd := exec.Command(self, "drill", backCommand, s.lab.Name(), host, back, lasts.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting what switches %s back: %w", host, err)
	}
	undo := func(context.Context) error {
		hold.Close()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("switching %s back: %w: %s", host, err, strings.TrimSpace(said.String()))
		}
		return nil
	}
	return undo, now(ctx, host)
}

// newDrillInternalCommands are what drills start this program as.
func newDrillInternalCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use: backCommand + " LAB HOST on|thaw AFTER", Short: "Switch a lab host back", Hidden: true, Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			after, err := time.ParseDuration(args[3])
			if err != nil {
				return usageError(err)
			}
			return switchBack(cmd.Context(), args[0], args[1], args[2], after, os.Stdin)
		},
	}}
}

// switchBack waits until its standard input ends or the time is over, and then
// switches the host back.
func switchBack(ctx context.Context, labName, host, back string, after time.Duration, in io.Reader) error {
	l, err := lab.DefaultStore().Open(labName)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	ctx = context.WithoutCancel(ctx)
	switch back {
	case "on":
		return l.On(ctx, host)
	case "thaw":
		return l.Thaw(ctx, host)
	}
	return usageError(fmt.Errorf("a host is not switched %q", back))
}
