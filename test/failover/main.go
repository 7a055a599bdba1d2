// Command failover measures what clients of the endpoint see when a part of it
// fails: on the load-balancer hosts of one lab, with the configuration that the
// KubeSphere Enterprise guide publishes (published/) and with Quorate's own,
// every event several times, and prints both beside what is aimed at. It judges
// nothing: what is slow on a busy machine is no failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/test/gap"
	"github.com/quorate/quorate/test/hosts"
)

// options are what is measured, and how often.
type options struct {
	quorate    string // path of the binary under test
	kubernetes string
	lab        string // an existing lab to measure on; empty: one of its own
	runs       int
	events     []event
	sides      []side
	load       gap.Load // without addresses
	verbose    bool
}

// ownLab is the lab that is made for a run.
const ownLab = "bench-failover"

func main() {
	var o options
	flag.StringVar(&o.quorate, "quorate", "bin/quorate", "the binary to measure")
	flag.StringVar(&o.kubernetes, "kubernetes", "", "Kubernetes version (default: that of `quorate lab up`)")
	flag.StringVar(&o.lab, "lab", "", "a lab that is up, with load balancers, instead of one made for this run")
	flag.IntVar(&o.runs, "runs", 3, "how often each event is done on each side")
	flag.IntVar(&o.load.Sessions, "sessions", 8, "clients that keep their connection")
	flag.IntVar(&o.load.Watches, "watches", 6, "watches; one whose load balancer is gone notices after up to 30 s, so that 0 makes a run shorter")
	flag.DurationVar(&o.load.Timeout, "timeout", gap.Timeout, "when a client that connects anew gives up; a longer one tells on a busy machine what is lost from what is slow")
	flag.BoolVar(&o.verbose, "v", false, "tell of every request that failed")
	flag.DurationVar(&o.load.Patience, "patience", time.Minute, "how long an event may take to be over before it is undone")
	events := flag.String("events", "", "comma-separated events to do (default: all; "+strings.Join(names(allEvents()), ", ")+")")
	sides := flag.String("sides", "", "comma-separated sides (default: "+strings.Join(names(allSides()), ",")+")")
	flag.Parse()
	var err, wrongSides error
	o.events, err = choose(allEvents(), *events)
	o.sides, wrongSides = choose(allSides(), *sides)
	if err = errors.Join(err, wrongSides); err != nil || flag.NArg() > 0 || o.runs < 1 {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench-failover:", err)
		}
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = run(ctx, o)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench-failover: interrupted")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(1)
	}
}

// named is what can be chosen by name.
type named interface{ id() string }

func names[T named](all []T) []string {
	var out []string
	for _, e := range all {
		out = append(out, e.id())
	}
	return out
}

// choose finds what is named in a comma-separated list; an empty one is all.
func choose[T named](all []T, list string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var out []T
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(e T) bool { return e.id() == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q; there are %s", name, strings.Join(names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// run makes the lab, measures on it, and prints the report of what was
// measured, also when it ended early.
func run(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("a lab needs root; run it with sudo")
	}
	machine := hosts.ThisMachine()
	fmt.Fprintln(os.Stderr, machine.Describe())
	on := func(l *lab.Lab) error {
		b, err := newBench(o, l)
		if err != nil {
			return err
		}
		err = b.measure(ctx)
		fmt.Print(report(o, machine, b.results))
		return err
	}
	if o.lab != "" {
		l, err := lab.DefaultStore().Open(o.lab)
		if err != nil {
			return err
		}
		return on(l)
	}
	if _, err := lab.DefaultStore().Open(ownLab); !errors.Is(err, lab.ErrNotFound) {
		return fmt.Errorf("lab %s exists already; take it down: quorate lab down --name %[1]s; or measure on it: -lab %[1]s", ownLab)
	}
	fmt.Fprintln(os.Stderr, "making lab", ownLab)
	up := []string{"--control-planes", "3", "--load-balancers", "2", "--workers", "1", "--yes"}
	if o.kubernetes != "" {
		up = append(up, "--kubernetes", o.kubernetes)
	}
	return hosts.WithLab(ctx, o.quorate, ownLab, up, on)
}
