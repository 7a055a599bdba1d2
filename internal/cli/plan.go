package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/ui"
)

// planOptions are the flags of `plan`.
type planOptions struct {
	target
	detailedExitCode bool
	output           string // text, json, or a file
	ignore           []string
}

func newPlanCommand() *cobra.Command {
	o := planOptions{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, host by host, with the differences of files",
		Long: `Observes every host and prints what ` + "`quorate apply`" + ` would do, and why. It
changes nothing.

With -o FILE (a name that ends in .json, or has a folder in it) it also saves the
plan. ` + "`quorate apply FILE`" + ` then does what the file says, or nothing: a plan
that is no longer what would be done is refused.`,
		Example: `  quorate plan -f cluster.yaml
  quorate plan -f cluster.yaml --detailed-exitcode   # 3 when there are changes
  quorate plan -f cluster.yaml -o json               # the steps, for machines
  quorate plan -f cluster.yaml -o plan.json          # saved, to review it and then
  quorate apply plan.json                            # to do exactly this`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPlan(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	o.bundleFlag(cmd)
	ignorePreflightFlag(cmd, &o.ignore)
	cmd.Flags().BoolVar(&o.detailedExitCode, "detailed-exitcode", false, "exit with 3 when there are changes")
	outputFlag(cmd, &o.output, "how to show the plan, or a file to save it to", "text", "json", fileOutput)
	return cmd
}

func runPlan(ctx context.Context, o planOptions, stdout, stderr io.Writer) error {
	save := namesFile(o.output)
	if err := ignorable(o.ignore); err != nil {
		return err
	}
	if save {
		if err := maySave(o.output, o.files); err != nil {
			return err
		}
	}
	s, err := o.open(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	in := s.Input(ctx)
	p, err := planFrom(ctx, in, o.ignore, stderr)
	if err != nil {
		return err
	}
	if o.output == "json" {
		if err := printable.JSON(stdout, p); err != nil {
			return err
		}
	} else if _, err := io.WriteString(stdout, ui.PlanFull(p)); err != nil {
		return err
	}
	if save {
		if err := savePlan(s, o.output, p, in.Snapshot.Taken, o.files, o.bundleDir); err != nil {
			return fmt.Errorf("saving the plan: %w", err)
		}
		fmt.Fprintf(stderr, "\nThe plan is in %[1]s. To do exactly this: quorate apply %[1]s\n", shellWord(o.output))
	}
	if o.detailedExitCode && !p.Empty() {
		return silent(exitPending)
	}
	return nil
}

// planFrom plans, and prints the warnings.
func planFrom(ctx context.Context, in component.Input, ignore []string, stderr io.Writer) (*plan.Plan, error) {
	p, warnings, err := session.Plan(ctx, in, ignore)
	_ = printList(stderr, warnings)
	return p, err
}
