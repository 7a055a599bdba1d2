package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/api/v1alpha1"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show a cluster file as it is understood, and the schema for editors",
		Example: `  quorate config show -f cluster.yaml --defaults
  quorate config schema > quorate.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShowCommand(), newConfigSchemaCommand())
	return cmd
}

// configShowOptions are the flags of `config show`.
type configShowOptions struct {
	files    clusterFiles
	defaults bool
}

func newConfigShowCommand() *cobra.Command {
	o := configShowOptions{}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the cluster file as it was read, with --defaults as a whole",
		Long: `Prints what was understood of the cluster file, whatever its format, as one of
Quorate's own. With --defaults it is the whole effective file: each default that
was filled in, with a comment that says why.

No password is printed. Where one stands in the file, what is printed asks for it
instead, and a comment says so.`,
		Example: `  quorate config show -f cluster.yaml --defaults
  quorate config show -f config-sample.yaml      # what is read of a KubeKey file`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runConfigShow(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.files.flag(cmd)
	cmd.Flags().BoolVar(&o.defaults, "defaults", false, "print all that was filled in too, and why")
	return cmd
}

func runConfigShow(ctx context.Context, o configShowOptions, stdout, stderr io.Writer) error {
	file, list, err := o.files.read(ctx)
	if err != nil {
		return err
	}
	if file == nil {
		return &fileError{list}
	}
	_ = printList(stderr, list)
	_, err = stdout.Write(file.Show(o.defaults))
	return err
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of cluster files, for editors",
		Long: `Prints the JSON schema of cluster files. Editors with a YAML language server
complete, explain and check with it what is typed, in files that begin with

  # yaml-language-server: $schema=quorate.schema.json`,
		Example: `  quorate config schema > quorate.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(v1alpha1.Schema())
			return err
		},
	}
}
