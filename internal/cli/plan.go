package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
	"github.com/quorate/quorate/internal/ui"
)

// planOptions are the flags of `plan`.
type planOptions struct {
	target
	detailedExitCode bool
	output           string
}

func newPlanCommand() *cobra.Command {
	o := planOptions{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, host by host, with the differences of files",
		Long: `Observes every host and prints what ` + "`quorate apply`" + ` would do, and why. It
changes nothing.`,
		Example: `  quorate plan -f cluster.yaml
  quorate plan -f cluster.yaml --detailed-exitcode   # 3 when there are changes
  quorate plan -f cluster.yaml --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPlan(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	o.bundleFlag(cmd)
	cmd.Flags().BoolVar(&o.detailedExitCode, "detailed-exitcode", false, "exit with 3 when there are changes")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func runPlan(ctx context.Context, o planOptions, stdout, stderr io.Writer) error {
	if o.output != "text" && o.output != "json" {
		return usageError(fmt.Errorf("unknown output %q; it is text or json", o.output))
	}
	s, err := o.open(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	p, err := s.plan(ctx)
	if err != nil {
		return err
	}
	if o.output == "json" {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(p); err != nil {
			return err
		}
	} else if _, err := io.WriteString(stdout, ui.PlanFull(p)); err != nil {
		return err
	}
	if o.detailedExitCode && !p.Empty() {
		return silent(exitPending)
	}
	return nil
}

// plan observes and plans. A refusal is an error with every reason.
func (s *session) plan(ctx context.Context) (*plan.Plan, error) {
	return planFrom(ctx, s.input(ctx))
}

// planFrom plans from what was observed.
func planFrom(ctx context.Context, in component.Input) (*plan.Plan, error) {
	p, list, err := planner.Apply(in)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if list.HasErrors() {
		return nil, &refusal{list}
	}
	return p, nil
}
