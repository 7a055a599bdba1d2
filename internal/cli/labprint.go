package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/internal/printable"
)

// printLabs prints value as JSON, or with text.
func printLabs[T any](out io.Writer, format string, value T, text func(io.Writer, T) error) error {
	switch format {
	case "json":
		return printable.JSON(out, value)
	case "text":
		return text(out, value)
	}
	return usageError(fmt.Errorf("--output %q: it is text or json", format))
}

func printLabStatus(out io.Writer, status lab.Status) error {
	fmt.Fprintf(out, "Lab %s on %s, cluster file %s\n\n", status.Name, status.Subnet, status.ClusterFile)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOST\tADDRESS\tROLES\tSTATE\tPROCESSES\tMEMORY")
	for _, host := range status.Hosts {
		roles := make([]string, len(host.Roles))
		for i, role := range host.Roles {
			roles[i] = string(role)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d MiB\n",
			host.Name, host.Address, strings.Join(roles, ", "), host.State, host.Processes, host.MemoryBytes>>20)
	}
	return table.Flush()
}

func printLabList(out io.Writer, labs []lab.Status) error {
	if len(labs) == 0 {
		_, err := fmt.Fprintln(out, "No labs. Make one with: quorate lab up")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSUBNET\tHOSTS\tRUNNING\tCLUSTER FILE")
	for _, status := range labs {
		running := 0
		for _, host := range status.Hosts {
			if host.State == lab.Running {
				running++
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", status.Name, status.Subnet, len(status.Hosts), running, status.ClusterFile)
	}
	return table.Flush()
}
