package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/drill/report"
	"github.com/quorate/quorate/internal/printable"
)

// drillReportOptions are the flags of `drill report`.
type drillReportOptions struct {
	target
	output string
	html   string
}

func newDrillReportCommand() *cobra.Command {
	o := drillReportOptions{}
	cmd := &cobra.Command{
		Use:   "report [RUN]...",
		Short: "List the drills that were done, show a run, or compare two",
		Long: `Without a run it lists those that were recorded on this machine; with one it
shows its report; with two it compares them, drill by drill. A run is named by
its ID, the beginning of it, or its record's file; last is the last one. The
output markdown is the table of the track record, of all runs or of those named.`,
		Example: `  quorate drill report
  quorate drill report last --html report.html
  quorate drill report 3f2a 91cc
  quorate drill report 3f2a --output json
  quorate drill report 3f2a 91cc 7d10 --output markdown`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDrillReport(cmd, o, args)
		},
	}
	o.files.flag(cmd)
	f := cmd.Flags()
	outputFlag(cmd, &o.output, "how to show it", "text", "json", "markdown")
	f.StringVar(&o.html, "html", "", "write the run's report as a web page to this file")
	return cmd
}

func runDrillReport(cmd *cobra.Command, o drillReportOptions, args []string) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if len(args) > 2 && o.output == "text" {
		return usageError(errors.New("two runs can be compared; of more there is --output markdown or json"))
	}
	if o.html != "" && len(args) != 1 {
		return usageError(errors.New("--html is for the report of one run: name it"))
	}
	records, err := findRecords(func() (string, error) {
		s, err := o.read(ctx, cmd.ErrOrStderr())
		if err != nil {
			return "", err
		}
		return drillRecords(s.Cluster.Name)
	}, args)
	if err != nil {
		return err
	}
	if o.html != "" {
		return writeReport(o.html, records[0])
	}
	var text string
	switch {
	case o.output == "json" && len(args) == 1:
		return printable.JSON(out, records[0])
	case o.output == "json":
		return printable.JSON(out, records)
	case o.output == "markdown":
		text = report.TrackRecord(records)
	case len(args) == 0:
		text = report.List(records)
	case len(args) == 1:
		text = report.Text(records[0], lookOf(out))
	default:
		text = report.Compare(records[0], records[1])
	}
	_, err = io.WriteString(out, text)
	return err
}

// findRecords reads the named records, or all of the cluster's.
func findRecords(folder func() (string, error), names []string) ([]drill.Record, error) {
	var paths []string
	for _, name := range names {
		if strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".json") {
			paths = append(paths, name)
			continue
		}
		dir, err := folder()
		if err != nil {
			return nil, err
		}
		path, err := findRecord(dir, name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	if len(names) == 0 {
		dir, err := folder()
		if err != nil {
			return nil, err
		}
		if paths, err = drill.List(dir); err != nil {
			return nil, err
		}
	}
	var out []drill.Record
	for _, path := range paths {
		r, err := drill.Read(path)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// findRecord finds the record of a run by its ID or the beginning of it.
func findRecord(dir, name string) (string, error) {
	all, err := drill.List(dir)
	if err != nil {
		return "", err
	}
	if name == "last" && len(all) > 0 {
		return all[len(all)-1], nil
	}
	var found []string
	for _, path := range all {
		_, id, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".json"), "-")
		if strings.HasPrefix(id, name) {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", usageError(fmt.Errorf("no run %q is recorded; `quorate drill report` lists them", name))
	}
	return "", usageError(fmt.Errorf("%d runs begin with %q; say more of the ID", len(found), name))
}
