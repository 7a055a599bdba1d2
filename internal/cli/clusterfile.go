package cli

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/diag"
)

// defaultClusterFile is the one that is read when none is named.
const defaultClusterFile = "cluster.yaml"

// clusterFiles are the files that a cluster is read from, as the user named
// them: most often one, and several where an inventory and its variables are.
type clusterFiles []string

// flag adds -f to a command.
func (f *clusterFiles) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP((*[]string)(f), "file", "f", []string{defaultClusterFile},
		"the cluster file: Quorate's, KubeKey's, or an inventory of KubeSphere 2.x or kubespray (its folder, too); - is standard input; may be repeated")
}

// String names the files in a message.
func (f clusterFiles) String() string { return strings.Join(f, ", ") }

// flags is how a further command is given the files, with a space before it;
// empty for the default.
func (f clusterFiles) flags() string {
	if len(f) == 0 || slices.Equal(f, clusterFiles{defaultClusterFile}) {
		return ""
	}
	var b strings.Builder
	for _, file := range f {
		b.WriteString(" -f " + shellWord(file))
	}
	return b.String()
}

// folder is where what belongs to the cluster file is put.
func (f clusterFiles) folder() string {
	if len(f) == 0 || f[0] == "-" {
		return "."
	}
	return filepath.Dir(f[0])
}

// read reads the files, which may be a pipe or a terminal that keeps the reader
// waiting: an interrupt ends the wait. The file is nil if there are errors.
func (f clusterFiles) read(ctx context.Context) (*config.File, diag.List, error) {
	type result struct {
		file *config.File
		list diag.List
	}
	done := make(chan result, 1)
	go func() {
		file, list := config.Read(f, config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()})
		done <- result{file, list}
	}()
	select {
	case r := <-done:
		return r.file, r.list, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}
