package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/internal/ui"
)

// resetOptions are the flags of `reset`.
type resetOptions struct {
	target
	hosts     []string
	yes       bool
	breakLock bool
	force     bool
	output    string
}

func newResetCommand() *cobra.Command {
	o := resetOptions{}
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Take hosts back to bare: remove the cluster and all its data",
		Long: `Stops what Quorate has installed on the hosts, ends the containers, and removes
programs, settings, certificates and DATA. What others have installed stays, and
so do distribution packages and the kernel's present settings (sysctls, modules,
swap), until the next boot. An interrupted reset is simply run again.

Hosts that do not answer are left out and named. Where most control-plane hosts do
not, nothing is done without --force: the cluster may live on there.`,
		Example: `  quorate reset -f cluster.yaml
  quorate reset -f cluster.yaml --host node-3   # a host that is not part of the cluster
  quorate reset -f cluster.yaml --yes --output json > run.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runReset(cmd.Context(), o, os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	o.bundleFlag(cmd)
	breakLockFlag(cmd, &o.breakLock)
	f := cmd.Flags()
	f.StringArrayVar(&o.hosts, "host", nil, "reset this host only; may be given several times")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.force, "force", false, "reset what answers though most control-plane hosts do not")
	outputFlag(cmd, &o.output, "how to show the run", ui.Modes()...)
	return cmd
}

func runReset(ctx context.Context, o resetOptions, stdin *os.File, stdout, stderr io.Writer) error {
	s, err := o.open(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, name := range o.hosts {
		if s.Cluster.Host(name) == nil {
			return usageError(fmt.Errorf("--host %s: %s has no host of this name", name, o.files))
		}
	}
	ctx, unlock, err := s.Lock(ctx, "reset", o.breakLock)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.MostAnswer(o.hosts); err != nil && !o.force {
		return err
	}
	p, left, err := s.PlanReset(ctx, o.hosts, o.force)
	if err != nil {
		return err
	}
	if !p.Empty() {
		fmt.Fprint(stderr, ui.PlanSummary(p))
		if err := confirmName(ctx, o.yes, s.Cluster.Name, stdin, stderr); err != nil {
			return err
		}
		result, err := carryOut(ctx, s, p, o.output, "", stdout, stderr)
		if err != nil {
			return err
		}
		if err := verdict(ctx, result); err != nil {
			return err
		}
		if p, left, err = s.PlanReset(ctx, o.hosts, o.force); err != nil {
			return err
		}
		if !p.Empty() {
			return fmt.Errorf("the run ended well, yet traces are left on %s; run the same command again", strings.Join(p.Hosts(), ", "))
		}
	}
	if err := s.RemoveAgents(ctx, o.hosts); err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("these hosts were not reset, since they could not be reached:\n  %s\nrun the same command again when they are back", strings.Join(left, "\n  "))
	}
	fmt.Fprintln(stderr, "The hosts are bare. Distribution packages stay installed.")
	return nil
}

// confirmName asks for the cluster's name: a thing that cannot be undone is
// not done for a "y" that the fingers typed by themselves.
func confirmName(ctx context.Context, yes bool, name string, stdin *os.File, stderr io.Writer) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(stdin.Fd())) {
		return usageError(errors.New("standard input is no terminal to ask on; say --yes to go on without asking"))
	}
	fmt.Fprintf(stderr, "\nThis cannot be undone. Type the cluster's name (%s) to go on: ", name)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case typed := <-answer:
		if typed == name {
			return nil
		}
	}
	fmt.Fprintln(stderr, "That is not its name. Nothing was changed.")
	return silent(exitFailed)
}
