package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/version"
)

func newVersionCommand() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show which quorate this is, and the Kubernetes versions it installs",
		Example: `  quorate version
  quorate version --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVersion(output, cmd.OutOrStdout()) },
	}
	outputFlag(cmd, &output, "how to show it", "text", "json")
	return cmd
}

func runVersion(output string, stdout io.Writer) error {
	if output == "json" {
		return printable.JSONLine(stdout, struct {
			Quorate    string   `json:"quorate"`
			Kubernetes []string `json:"kubernetes"`
			Default    string   `json:"defaultKubernetes"`
		}{version.String(), catalog.Supported(), catalog.Default()})
	}
	_, err := fmt.Fprintf(stdout, "quorate %s\nKubernetes %s (default %s)\n",
		version.String(), strings.Join(catalog.Supported(), ", "), catalog.Default())
	return err
}
