package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/lock"
	"github.com/quorate/quorate/internal/preflight"
	"github.com/quorate/quorate/internal/preflight/probe"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/ui"
)

// preflightConnectTimeout bounds reaching a host, and asking the API: a host
// that is off is told soon, and the others are checked meanwhile.
const (
	preflightConnectTimeout = 10 * time.Second
	preflightAPITimeout     = 3 * time.Second
)

// Progress is told from the first on, and then at every second.
const (
	progressAfter = 2 * time.Second
	progressEvery = 10 * time.Second
)

// preflightOptions are the flags of `preflight`.
type preflightOptions struct {
	target
	ignore   []string
	list     bool
	verbose  bool
	output   string
	patience patience
}

func newPreflightCommand() *cobra.Command {
	o := preflightOptions{}
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Check whether the hosts are fit for the cluster, before anything is changed",
		Long: `Looks at every host and tries what the cluster will need: it connects each host
to the ports of the others, times synced writes to etcd's disks, asks who has
the virtual address. All checks run and all are told, whatever the others find.
It changes nothing on the hosts.

An error can be made a warning by the name of its check. The exit code is 0
without errors, and 1 with any that is not ignored.`,
		Example: `  quorate preflight -f cluster.yaml
  quorate preflight -f cluster.yaml -v                          # the figures, too
  quorate preflight -f cluster.yaml --ignore-preflight etcd-fsync,swap
  quorate preflight --list                                      # what it looks at`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPreflight(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	o.bundleFlag(cmd)
	ignorePreflightFlag(cmd, &o.ignore)
	f := cmd.Flags()
	f.BoolVar(&o.list, "list", false, "list the checks and what they look at, and do nothing")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show what is well, too, with its figures")
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	o.patience.flag(cmd, preflightConnectTimeout)
	return cmd
}

func ignorePreflightFlag(cmd *cobra.Command, names *[]string) {
	cmd.Flags().StringSliceVar(names, "ignore-preflight", nil, "make errors of these preflight checks warnings; may be repeated (names: quorate preflight --list)")
}

// knownChecks refuses names that no check has.
func knownChecks(names []string) error {
	known := preflight.Names()
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		err := fmt.Errorf("--ignore-preflight %q: no check has this name; the checks are %s", name, strings.Join(known, ", "))
		if near := strict.Nearest(name, known); near != "" {
			err = fmt.Errorf("--ignore-preflight %q: no check has this name; did you mean %q? The checks are %s", name, near, strings.Join(known, ", "))
		}
		return usageError(err)
	}
	return nil
}

// ignorable refuses names of checks without which nothing can be planned.
func ignorable(names []string) error {
	if err := knownChecks(names); err != nil {
		return err
	}
	for _, c := range preflight.Checks() {
		if c.Vital && slices.Contains(names, c.Name) {
			return usageError(fmt.Errorf("--ignore-preflight %s: without this nothing can be planned", c.Name))
		}
	}
	return nil
}

func runPreflight(ctx context.Context, o preflightOptions, stdout, stderr io.Writer) error {
	if err := o.patience.check(); err != nil {
		return err
	}
	if err := knownChecks(o.ignore); err != nil {
		return err
	}
	if o.list {
		return listChecks(o.output, stdout)
	}
	s, err := o.load(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	observation := preflightLook(ctx, s, o)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	observation.Probes = try(ctx, s, observation, stderr)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	report := preflight.Judge(observation, o.ignore)
	if o.output == "json" {
		err = printable.JSON(stdout, report)
	} else {
		look := lookOf(stdout)
		err = draw(stdout, look, ui.Preflight(report, look, ui.PreflightOptions{Verbose: o.verbose}))
	}
	if err != nil {
		return err
	}
	if !report.OK {
		return silent(exitFailed)
	}
	return nil
}

// preflightLook connects to the hosts and observes all that planning does, and
// what only the checks look at.
func preflightLook(ctx context.Context, s *session.Session, o preflightOptions) *preflight.Observation {
	observer := s.Observer()
	o.patience.bound(s.Cluster, &observer)
	observer.Wait = s.StartConnecting(ctx)
	observer.APITimeout = preflightAPITimeout
	var in component.Input
	for range session.Looks {
		if in = s.Planned(observer.Snapshot(ctx)); ctx.Err() != nil || len(in.Snapshot.Unknown()) == 0 {
			break
		}
	}
	silent := map[string]error{}
	for name, observed := range in.Snapshot.Hosts {
		if observed.Unreachable && s.Hosts[name] != nil {
			silent[name] = errors.New(observed.Error)
		}
	}
	s.Leave(silent) // nothing is tried there, and no lock waited for
	return &preflight.Observation{Input: in}
}

// try tries what looking cannot tell. Listeners are opened under the hosts'
// lock only: a run that starts a part meanwhile must find its port free.
func try(ctx context.Context, s *session.Session, o *preflight.Observation, stderr io.Writer) *preflight.Probes {
	prober := &probe.Prober{Observation: o, Hosts: s.Hosts}
	locked, unlock, err := s.Lock(ctx, "preflight", false)
	switch refused, ok := errors.AsType[*lock.RefusedError](err); {
	case err == nil:
		defer unlock()
		ctx = locked
	case ok:
		prober.NoListeners = refused.Locked[0].Error()
	default:
		prober.NoListeners = err.Error()
	}
	stop := tellProgress(prober, stderr)
	defer stop()
	return prober.Run(ctx)
}

// tellProgress says what is still being tried, until it is stopped.
func tellProgress(p *probe.Prober, stderr io.Writer) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(progressAfter)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
				if pending := p.Pending(); len(pending) > 0 {
					fmt.Fprintf(stderr, "still trying: %s\n", strings.Join(pending, ", "))
				}
				timer.Reset(progressEvery)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func listChecks(output string, stdout io.Writer) error {
	checks := preflight.Checks()
	if output == "text" {
		look := lookOf(stdout)
		return draw(stdout, look, ui.PreflightList(checks, look))
	}
	type entry struct {
		Name    string `json:"name"`
		About   string `json:"about"`
		Refuses bool   `json:"refuses"` // apply refuses on its errors
	}
	var list []entry
	for _, c := range checks {
		list = append(list, entry{c.Name, c.About, c.Refuses})
	}
	return printable.JSON(stdout, list)
}
