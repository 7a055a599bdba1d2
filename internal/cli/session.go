package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/session"
)

// target are the flags that every command on a cluster has.
type target struct {
	files             clusterFiles
	bundleDir         string
	acceptNewHostKeys bool
	identityFile      string
}

func (t *target) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	t.files.flag(cmd)
	f.BoolVar(&t.acceptNewHostKeys, "accept-new-host-keys", false, "trust the SSH keys of hosts that are not known yet, and write them to known_hosts")
	identityFlag(cmd, &t.identityFile)
}

func (t *target) bundleFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.bundleDir, "bundle", "", "the bundle to install from (default: the one that quorate bundle build made for the cluster's version)")
}

// open reads the cluster file and the bundle, and connects to all hosts at
// once. Hosts that cannot be reached are not an error here.
func (t *target) open(ctx context.Context, stderr io.Writer) (*session.Session, error) {
	s, err := t.load(ctx, stderr)
	if err != nil {
		return nil, err
	}
	s.Connect(ctx)
	if ctx.Err() != nil {
		s.Close()
		return nil, ctx.Err()
	}
	return s, nil
}

// load reads the cluster file and finds the bundle; no host is touched.
func (t *target) load(ctx context.Context, stderr io.Writer) (*session.Session, error) {
	s, err := t.read(ctx, stderr)
	if err != nil {
		return nil, err
	}
	return s, s.OpenBundle(t.bundleDir)
}

// read reads the cluster file alone, for commands that install nothing.
func (t *target) read(ctx context.Context, stderr io.Writer) (*session.Session, error) {
	file, list, err := t.files.read(ctx)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, &fileError{list}
	}
	c := file.Cluster
	if examples := c.ExampleAddresses(); len(examples) > 0 { // nobody answers there
		return nil, usageError(fmt.Errorf("%s: %s is an example, which no server has: put your servers' addresses in the file (%d are to be replaced)",
			t.files, examples[0], len(examples)))
	}
	_ = printList(stderr, list)
	release, err := catalog.Lookup(c.Kubernetes.Version)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", t.files, err))
	}
	s := session.New(file, release,
		func(line string) { fmt.Fprintln(stderr, line) },
		func(line string) { fmt.Fprintln(stderr, "warning:", line) })
	s.Identity, s.AcceptNewHostKeys = t.identityFile, t.acceptNewHostKeys
	return s, nil
}
