package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/ui"
)

// importOptions are what `import` is told.
type importOptions struct {
	files  clusterFiles
	output string
}

func newImportCommand() *cobra.Command {
	o := importOptions{}
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Write another tool's cluster file as one of Quorate's",
		Long: `Reads a file of KubeKey, or an inventory and its variables of KubeSphere 2.x,
kubespray or kubeasz, and writes the cluster file that says the same, to standard output
or to --output. What could not be taken over is named, with file and line, on
standard error and in the comment at the head of what is written.

It is not needed: every command takes such files as they are with -f. It is
for those who want to go on with a file of Quorate's own format.

Passwords that stand in the source are written with --output only, into a file
that is for you alone to read; on standard output the cluster file asks for them.
Better replace them (see docs/secrets.md).`,
		Example: `  quorate import config-sample.yaml --output cluster.yaml
  quorate import conf/hosts.ini --output cluster.yaml     # reads conf/vars.yml too
  quorate import inventory/mycluster --output cluster.yaml
  quorate import old.yaml --with-kubernetes v1.37.1      # the file's own version is too old
  quorate import old.yaml --network-plugin flannel       # where it asks for Calico`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files.paths = args
			return runImport(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.files.insteadFlags(cmd)
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "the file to write, which must not exist yet (default: standard output)")
	return cmd
}

func runImport(_ context.Context, o importOptions, stdout, stderr io.Writer) error {
	options, err := o.files.options()
	if err != nil {
		return err
	}
	imported, list := config.Import(o.files.paths, o.output, options)
	if imported == nil {
		return &fileError{list}
	}
	if o.output == "" {
		if _, err := stdout.Write(imported.Text); err != nil {
			return err
		}
	} else if err := writeNew(o.output, imported.Text); err != nil {
		return err
	}
	_ = printList(stderr, list)
	if imported.Asked > 0 {
		fmt.Fprintf(stderr, "\nPasswords (%d) are not written to standard output: the cluster file asks for them. With --output FILE they are written, into a file for you alone.\n", imported.Asked)
	}
	if list.HasErrors() {
		fmt.Fprintln(stderr, "\nThe cluster file was written; the errors are to be mended in it before it can be used.")
		return silent(exitUsage)
	}
	_, err = io.WriteString(stderr, ui.Lost(imported.Lost))
	return err
}
