package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/ui"
)

// drillListOptions are the flags of `drill list`.
type drillListOptions struct {
	files  clusterFiles
	named  bool // a cluster file was
	output string
}

func newDrillListCommand() *cobra.Command {
	o := drillListOptions{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the drills, where they can be done and what they may cost",
		Long: `Lists every drill; with -f those that the cluster has hosts for, on which hosts
each can be done, and what it may cost there as the cluster file says.`,
		Example: `  quorate drill list
  quorate drill list -f cluster.yaml
  quorate drill list --output json | jq -r '.[].name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.named = cmd.Flags().Changed("file")
			return runDrillList(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.files.flag(cmd)
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	return cmd
}

func runDrillList(ctx context.Context, o drillListOptions, stdout, stderr io.Writer) error {
	list, on := drill.Catalogue(), func(d drill.Drill) string { return string(d.On) }
	if o.named {
		file, wrong, err := o.files.read(ctx)
		if err != nil {
			return err
		}
		if file == nil {
			return &fileError{wrong}
		}
		var without []string
		list, without = drillsOf(file.Cluster)
		if len(without) > 0 {
			fmt.Fprintf(stderr, "%s has no host for: %s\n", file.Cluster.Name, strings.Join(without, ", "))
		}
		on = func(d drill.Drill) string { return strings.Join(drill.Candidates(file.Cluster, d), ",") }
	}
	if o.output == "json" {
		return printable.JSON(stdout, list)
	}
	_, err := io.WriteString(stdout, drillTable(list, on))
	return err
}

// drillsOf are the drills that a cluster has hosts for, with what they may cost there,
// and the names of the others.
func drillsOf(c *cluster.Cluster) (list []drill.Drill, without []string) {
	for _, d := range drill.Catalogue() {
		hosts := drill.Candidates(c, d)
		if len(hosts) == 0 {
			without = append(without, d.Name)
			continue
		}
		d.Budget = drill.OwnBudget(c, d, hosts).With(drill.FileBudget(c, d))
		list = append(list, d)
	}
	return list, without
}

func drillTable(list []drill.Drill, on func(drill.Drill) string) string {
	var rows [][]string
	for _, d := range list {
		note := ""
		switch {
		case d.Action == drill.PowerOff:
			note = "lab, or --power-off"
		case d.Lab:
			note = "lab only"
		case d.Hard:
			note = "--hard"
		case d.Majority:
			note = "--break-quorum"
		}
		rows = append(rows, []string{d.Name, on(d), string(d.Target), d.Hold.String(), d.Budget.Of(drill.AnyKind).String(), note, d.About})
	}
	return ui.Table([]string{"DRILL", "ON", "TARGET", "LASTS", "GAP", "", "WHAT HAPPENS"}, rows) + "\n"
}
