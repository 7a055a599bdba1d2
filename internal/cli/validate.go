package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/ui"
)

// validateOptions are the flags of `validate`.
type validateOptions struct {
	files  clusterFiles
	output string
}

func newValidateCommand() *cobra.Command {
	o := validateOptions{}
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a cluster file; no host is touched",
		Long: `Reads the cluster file and checks it: its keys and values, each by itself and
together (roles, etcd's fault tolerance, the endpoint, address ranges, ports,
versions). All that is wrong is told at once, with its place and what to do.
Whether the hosts are fit for it is what ` + "`quorate preflight`" + ` checks.

The exit code is 0 for a file that can be applied, though there may be
warnings, and 2 for one that cannot.`,
		Example: `  quorate validate -f cluster.yaml
  quorate validate -f config-sample.yaml            # KubeKey's
  quorate validate -f conf/hosts.ini -o json        # KubeSphere 2.x's, for a program`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runValidate(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.files.flag(cmd)
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	return cmd
}

func runValidate(ctx context.Context, o validateOptions, stdout, stderr io.Writer) error {
	file, list, err := o.files.read(ctx)
	if err != nil {
		return err
	}
	if o.output == "json" {
		var lost []string
		if file != nil {
			lost = file.Lost
		}
		err := printable.JSON(stdout, struct {
			Valid       bool      `json:"valid"`
			Diagnostics diag.List `json:"diagnostics"`
			Lost        []string  `json:"lost,omitempty"`
		}{file != nil, append(diag.List{}, list...), lost})
		if err == nil && file == nil {
			err = silent(exitUsage)
		}
		return err
	}
	if file == nil {
		return &fileError{list}
	}
	if err := printList(stderr, list); err != nil {
		return err
	}
	if len(list) > 0 {
		fmt.Fprintln(stderr)
	}
	var read []string
	for _, in := range file.Inputs {
		read = append(read, in.Path)
	}
	_, err = io.WriteString(stdout, ui.ClusterSummary(file.Cluster, read)+ui.Lost(file.Lost))
	return err
}
