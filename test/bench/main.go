// Command bench builds a cluster on fresh lab hosts with quorate and another
// one, on the same kind of hosts and from the same bundle, with the plain
// kubeadm sequence that an expert would script (reference/reference.sh), in
// turns, and prints both times, their ratio and where the time went. It judges
// nothing: what is slow on a busy machine is no failure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/test/hosts"
)

// options are what is measured, and on how much.
type options struct {
	quorate       string // path of the binary under test
	bundle        string // folder of the bundle; empty: where `quorate bundle build` puts it
	kubernetes    string
	runs          int
	controlPlanes int
	workers       int
}

func main() {
	var o options
	flag.StringVar(&o.quorate, "quorate", "bin/quorate", "the binary to measure")
	flag.StringVar(&o.bundle, "bundle", "", "the bundle that both sides install from (default: the one that `quorate bundle build` made)")
	flag.StringVar(&o.kubernetes, "kubernetes", catalog.Default(), "Kubernetes version")
	flag.IntVar(&o.runs, "runs", 1, "how often to build on each side")
	flag.IntVar(&o.controlPlanes, "control-planes", 3, "control-plane hosts of each lab")
	flag.IntVar(&o.workers, "workers", 3, "workers of each lab")
	flag.Parse()
	if flag.NArg() > 0 || o.runs < 1 || o.controlPlanes < 1 || o.workers < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, o)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything and prints the report.
func run(ctx context.Context, o options) error {
	release, err := catalog.Lookup(o.kubernetes)
	if err != nil {
		return err
	}
	o.kubernetes = release.Kubernetes
	if os.Geteuid() != 0 {
		return fmt.Errorf("a lab needs root; run it with sudo")
	}
	b, err := openBundle(o)
	if err != nil {
		return err
	}
	defer b.Close()
	o.bundle = b.Dir()
	work, err := os.MkdirTemp("", "quorate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := refuseLeftovers(); err != nil {
		return err
	}
	machine := hosts.ThisMachine()
	fmt.Fprintln(os.Stderr, machine.Describe())
	var ours []quorateRun
	var theirs []referenceRun
	for n := range o.runs {
		sides := []func() error{
			func() error {
				r, err := measureQuorate(ctx, o, work)
				ours = append(ours, r)
				return err
			},
			func() error {
				r, err := measureReference(ctx, o, release, b, work)
				theirs = append(theirs, r)
				return err
			},
		}
		// Whoever is second finds warmer caches: take turns at that too.
		if n%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return err
			}
		}
	}
	fmt.Print(report(o, machine, ours, theirs))
	return nil
}
