package cli

import (
	"context"
	"errors"
	"fmt"
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
// them, and what the command line says in their place.
type clusterFiles struct {
	// paths are most often one, and several where an inventory and its variables
	// are.
	paths []string
	// kubernetes is the version that takes the place of the files' own; empty
	// for theirs.
	kubernetes string
	// networkPlugin takes the place of the files' own; empty for theirs.
	networkPlugin string
}

// filesAt are the cluster files at some paths.
func filesAt(paths ...string) clusterFiles { return clusterFiles{paths: paths} }

// flag adds -f, --with-kubernetes and --network-plugin to a command.
func (f *clusterFiles) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.paths, "file", "f", []string{defaultClusterFile},
		"the cluster file: Quorate's, KubeKey's, or an inventory of KubeSphere 2.x, kubespray or kubeasz (its folder, too); - is standard input; may be repeated")
	f.insteadFlags(cmd)
}

// insteadFlags adds to a command the flags that take the place of what files say.
func (f *clusterFiles) insteadFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubernetes, "with-kubernetes", "",
		"the Kubernetes version in place of the file's own, for files of other tools that name an old one: "+strings.Join(catalog.Supported(), ", "))
	cmd.Flags().StringVar(&f.networkPlugin, "network-plugin", "",
		"the network plugin in place of the file's own, for files of other tools that ask for another one or for IPv6: "+strings.Join(config.NetworkPlugins(), " or "))
}

// options are what reading the files needs to know, or why what the command line
// says cannot be.
func (f clusterFiles) options() (config.Options, error) {
	o := config.Options{DefaultKubernetes: catalog.Default(), Supported: catalog.Supported()}
	if f.networkPlugin != "" && !slices.Contains(config.NetworkPlugins(), f.networkPlugin) {
		return o, usageError(fmt.Errorf("--network-plugin must be %s, not %q", strings.Join(config.NetworkPlugins(), " or "), f.networkPlugin))
	}
	o.NetworkPlugin = f.networkPlugin
	if f.kubernetes == "" {
		return o, nil
	}
	release, err := catalog.Lookup(f.kubernetes)
	if err != nil {
		return o, usageError(fmt.Errorf("--with-kubernetes: %w", err))
	}
	o.Kubernetes = release.Kubernetes
	return o, nil
}

// String names the files in a message.
func (f clusterFiles) String() string { return strings.Join(f.paths, ", ") }

// flags is how a further command is given the files, with a space before it;
// empty for the default.
func (f clusterFiles) flags() string {
	var b strings.Builder
	if !slices.Equal(f.paths, []string{defaultClusterFile}) {
		for _, path := range f.paths {
			b.WriteString(" -f " + shellWord(path))
		}
	}
	if f.kubernetes != "" {
		b.WriteString(" --with-kubernetes " + shellWord(f.kubernetes))
	}
	if f.networkPlugin != "" {
		b.WriteString(" --network-plugin " + shellWord(f.networkPlugin))
	}
	return b.String()
}

// folder is where what belongs to the cluster file is put.
func (f clusterFiles) folder() string {
	if len(f.paths) == 0 || f.paths[0] == "-" {
		return "."
	}
	return filepath.Dir(f.paths[0])
}

// read reads the files, which may be a pipe or a terminal that keeps the reader
// waiting: an interrupt ends the wait. The file is nil if there are errors.
func (f clusterFiles) read(ctx context.Context) (*config.File, diag.List, error) {
	type result struct {
		file *config.File
		list diag.List
	}
	o, err := f.options()
	if err != nil {
		return nil, nil, err
	}
	if count := len(slices.DeleteFunc(slices.Clone(f.paths), func(path string) bool { return path != "-" })); count > 1 {
		return nil, nil, usageError(errors.New("standard input can be read once: name - once with -f"))
	}
	done := make(chan result, 1)
	go func() {
		file, list := config.Read(f.paths, o)
		done <- result{file, list}
	}()
	select {
	case r := <-done:
		return r.file, r.list, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}
