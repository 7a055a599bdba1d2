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

	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/ui"
)

// applyOptions are the flags of `apply`.
type applyOptions struct {
	target
	reviewed   string // a file with a saved plan, to do just this; empty for none
	fileGiven  bool   // the user named the cluster file
	yes        bool
	breakLock  bool
	output     string
	kubeconfig string
	ignore     []string
}

func newApplyCommand() *cobra.Command {
	o := applyOptions{}
	cmd := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Make the cluster as the file says: build it, or change what differs",
		Long: `Observes every host, shows what differs from the cluster file, asks, and does
only that. Run again, it finds nothing to do. Interrupted at any point, it is
simply run again: what is done stays done.

After a change it waits until the cluster is healthy, two minutes at most. The
exit code is 0 only when nothing differs from the file any more and the cluster
is healthy. It is 1 when the cluster is not healthy, also where there was
nothing to do.

With a PLAN that ` + "`quorate plan -o PLAN`" + ` saved, it does what that says without
asking, or nothing: it observes and plans anew, and refuses a plan that is no
longer what would be done. The cluster file is the one that the plan was made
from; -f says where it is now.`,
		Example: `  quorate apply -f cluster.yaml
  quorate apply -f cluster.yaml --yes --output json > run.jsonl
  quorate plan -f cluster.yaml -o plan.json && quorate apply plan.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError(errors.New("one plan at a time"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.reviewed, o.fileGiven = args[0], cmd.Flags().Changed("file")
			}
			return runApply(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	o.bundleFlag(cmd)
	breakLockFlag(cmd, &o.breakLock)
	ignorePreflightFlag(cmd, &o.ignore)
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	outputFlag(cmd, &o.output, "how to show the run", ui.Modes()...)
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "where to write the administrator's kubeconfig (default: NAME.kubeconfig beside the cluster file)")
	return cmd
}

func runApply(ctx context.Context, o applyOptions, stdout, stderr io.Writer) error {
	if err := ignorable(o.ignore); err != nil {
		return err
	}
	var reviewed *reviewedPlan
	if o.reviewed != "" {
		var err error
		if reviewed, err = readReviewed(o.reviewed); err != nil {
			return err
		}
		reviewed.retarget(&o.target, o.fileGiven)
	}
	s, err := o.load(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	if reviewed != nil {
		if err := reviewed.sameFiles(o.target, s.Inputs); err != nil {
			return err
		}
	}
	s.Connect(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := mayWriteKubeconfig(kubeconfigPath(o, s.Cluster), s.Cluster); err != nil {
		return err
	}
	ctx, unlock, err := s.Lock(ctx, "apply", o.breakLock)
	if err != nil {
		return err
	}
	defer unlock()
	in := s.Input(ctx)
	p, err := planFrom(ctx, in, o.ignore, stderr)
	if err != nil {
		return err
	}
	if reviewed != nil {
		if err := reviewed.compare(o.target, s.Bundle, p); err != nil {
			return err
		}
		o.yes = true // the review was the consent
	}
	if p.Empty() {
		return conclude(ctx, s, o, &session.Judgement{Plan: p, Report: status.Of(s.Cluster, in.Snapshot)}, stderr)
	}
	fmt.Fprint(stderr, ui.PlanSummary(p))
	if err := confirm(ctx, o.yes, "Do this?", stderr); err != nil {
		return err
	}
	result, err := carryOut(ctx, s, p, o.output, kubeconfigPath(o, s.Cluster), stdout, stderr)
	if err != nil {
		return err
	}
	if err := verdict(ctx, result); err != nil {
		keepKubeconfig(ctx, s, o, stderr)
		return err
	}
	return conclude(ctx, s, o, nil, stderr)
}

// carryOut walks a plan, shows it and records it. The kubeconfig is written as soon as
// there is an API, where a place is named for it.
func carryOut(ctx context.Context, s *session.Session, p *plan.Plan, output, kubeconfig string, stdout, stderr io.Writer) (engine.Result, error) {
	out := printable.File(stderr)
	if output == string(ui.JSON) {
		out = printable.File(stdout)
	}
	if out == nil {
		out = os.Stderr
	}
	mode, err := ui.Choose(out, output)
	if err != nil {
		return engine.Result{}, usageError(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	view := ui.New(mode, out, ui.Options{Interrupt: cancel, Force: func() { os.Exit(exitInterrupted) }})
	result := s.Run(ctx, p, kubeconfig, view.Send)
	if err := view.Close(); err != nil {
		return result, err
	}
	if mode != ui.JSON {
		fmt.Fprint(stderr, ui.RunSummary(result))
	}
	return result, nil
}

// confirm asks a yes-or-no question on the terminal.
func confirm(ctx context.Context, yes bool, question string, stderr io.Writer) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError(errors.New("standard input is no terminal to ask on; say --yes to go on without asking"))
	}
	fmt.Fprintf(stderr, "\n%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	}
	fmt.Fprintln(stderr, "Nothing was changed.")
	return silent(exitFailed)
}

// applyForLab is what `lab up` does once the lab's hosts answer.
func applyForLab(ctx context.Context, clusterFile string, yes bool) error {
	o := applyOptions{target: target{files: filesAt(clusterFile)}, yes: yes, output: "auto"}
	return runApply(ctx, o, printable.NewOutput(os.Stdout), printable.NewOutput(os.Stderr))
}
