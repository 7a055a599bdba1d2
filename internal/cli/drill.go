package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/journal"
)

func newDrillCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Break things on purpose, measure what clients saw, and prove that nothing was lost",
		Long: `A drill does one fault to one host, watches the API from several viewpoints
meanwhile, undoes the fault, waits until the cluster is healthy again, and checks
that every write that was acknowledged is there, once, and was seen in order.

What undoes a fault is arranged on the host before the fault is done: it is
undone though this program is killed, or its own connection is what was cut.`,
		Example: `  quorate drill list
  quorate drill run etcd-killed@leader -f cluster.yaml
  quorate drill report`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDrillListCommand(), newDrillRunCommand(), newDrillReportCommand(), newDrillEndCommand())
	cmd.AddCommand(newDrillInternalCommands()...)
	return cmd
}

// drillOptions are the flags of `drill run`.
type drillOptions struct {
	target
	picks             []string
	all               bool
	on                string // --target
	budget            string
	soak              time.Duration
	seed              uint64
	replay            string
	every, timeout    time.Duration
	lasts             time.Duration
	hard, breakQuorum bool
	powerOff          bool
	yes, breakLock    bool
	output            string
	html              string
}

func newDrillRunCommand() *cobra.Command {
	o := drillOptions{}
	cmd := &cobra.Command{
		Use:   "run NAME[@TARGET]... | --all | --soak DURATION",
		Short: "Do drills, one after another, each on a healthy cluster",
		Long: `Does the drills in the order given, each from a healthy cluster to a healthy
cluster. It refuses what the cluster does not stand: when it is not healthy, and
where the fault would take etcd's quorum, the last API server or the last load
balancer. It says what it will do and asks first.

A target is a host, or a rule: leader, vip-holder or random. While drills run,
the API is read and written at a fixed rate from this machine, from workers, and
from a pod through the service address.

The exit code is 0 only when every gap was within its budget, the cluster was
healthy again in time, and nothing was lost. It is 4 where nothing else is wrong than
gaps beyond a budget that the time before the fault had broken already: this machine is
too busy to judge the cluster.`,
		Example: `  quorate drill run etcd-killed@leader
  quorate drill run haproxy-stopped host-rebooted@worker-1 --budget gap=2s
  quorate drill run --all --yes --html report.html
  quorate drill run --soak 30m --seed 7
  quorate drill run nothing                  # what the measurement itself sees`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.picks = args
			return runDrill(cmd.Context(), o, cmd.Flags().Changed("seed"), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	breakLockFlag(cmd, &o.breakLock)
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "every drill that this cluster has hosts for and that is allowed")
	f.StringVar(&o.on, "target", "", "the host or rule for drills that name none: leader, vip-holder, random or a host")
	f.StringVar(&o.budget, "budget", "", "what each drill may cost, as gap=2s,write=3s,recovery=1m, or x3 for three times its own (default: its own)")
	f.DurationVar(&o.soak, "soak", 0, "drills at random for this long")
	f.Uint64Var(&o.seed, "seed", 0, "what the random choices are made from (default: a new one, which is told)")
	f.StringVar(&o.replay, "replay", "", "the drills of an earlier run, by its record's file")
	f.DurationVar(&o.every, "every", 100*time.Millisecond, "the time between two questions of each kind from each viewpoint")
	f.DurationVar(&o.timeout, "timeout", time.Second, "how long an answer may take")
	f.BoolVar(&o.hard, "hard", false, "allow resetting servers at once")
	f.BoolVar(&o.powerOff, "power-off", false, "allow switching servers off at once; only their own clock switches them on again")
	f.DurationVar(&o.lasts, "lasts", 0, "how long each fault lasts (default: its own time)")
	f.BoolVar(&o.breakQuorum, "break-quorum", false, "allow taking most etcd members, which stops all writes for a while")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	f.StringVar(&o.html, "html", "", "write the report as a web page to this file, too")
	return cmd
}

// check reads what the flags say, and gives the picks unless they are random.
func (o *drillOptions) check(seeded bool) ([]drill.Pick, drill.Budget, error) {
	var budget drill.Budget
	ways := 0
	for _, given := range []bool{len(o.picks) > 0, o.all, o.soak > 0, o.replay != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, budget, usageError(errors.New("say which drills: by name, --all, --soak or --replay; `quorate drill list` shows them"))
	case o.every < 10*time.Millisecond || o.timeout <= 0 || o.soak < 0:
		return nil, budget, usageError(errors.New("--every is at least 10ms, and --timeout and --soak are more than nothing"))
	case o.lasts != 0 && (o.lasts < time.Second || o.lasts > drill.LongestHold):
		return nil, budget, usageError(fmt.Errorf("--lasts is from 1s to %s: a host that is cut off for longer is lost to this run", drill.LongestHold))
	}
	if !seeded {
		o.seed = rand.Uint64N(1_000_000)
	}
	if o.budget != "" {
		var err error
		if budget, err = drill.ParseBudget(o.budget); err != nil {
			return nil, budget, usageError(fmt.Errorf("--budget: %w", err))
		}
	}
	names := o.picks
	if o.replay != "" {
		r, err := drill.Read(o.replay)
		if err != nil {
			return nil, budget, usageError(err)
		}
		for _, f := range r.Faults {
			names = append(names, strings.TrimSuffix(f.Drill+"@"+strings.Join(f.Targets[:min(1, len(f.Targets))], ""), "@"))
		}
	}
	var picks []drill.Pick
	for _, name := range names {
		p, err := drill.ParsePick(name)
		if err != nil {
			return nil, budget, usageError(err)
		}
		if p.Target == "" {
			p.Target = drill.Rule(o.on)
		}
		p.Drill = p.Drill.Lasting(o.lasts)
		picks = append(picks, p)
	}
	return picks, budget, nil
}

// drillRecords is where the records of a cluster's drills are kept, beside the
// journals of its runs.
func drillRecords(cluster string) (string, error) {
	dir, err := journal.Dir(cluster)
	return filepath.Join(dir, "drills"), err
}

func newDrillEndCommand() *cobra.Command {
	o := struct {
		target
		breakLock bool
	}{}
	cmd := &cobra.Command{
		Use:   "end",
		Short: "End every fault that is still under way on the hosts",
		Long: `Ends the faults that a killed run has left, at once; they end by themselves
when their time is over. A fault that could not be undone is named, and is tried
again by each further call; a reboot of its host ends it.`,
		Example: "  quorate drill end -f cluster.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDrillEnd(cmd.Context(), o.target, o.breakLock, cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	breakLockFlag(cmd, &o.breakLock)
	return cmd
}

func runDrillEnd(ctx context.Context, t target, breakLock bool, stderr io.Writer) error {
	s, err := t.read(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Connect(ctx)
	ctx, unlock, err := s.Lock(ctx, "drill end", breakLock)
	if err != nil {
		return err
	}
	defer unlock()
	ended, failures := endFaults(ctx, s.Cluster, s.Hosts)
	for _, line := range ended {
		fmt.Fprintln(stderr, line)
	}
	for _, h := range s.Cluster.Hosts {
		if err := s.Failed[h.Name]; err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 && len(ended) == 0 {
		fmt.Fprintf(stderr, "No fault is under way on the hosts of %s.\n", s.Cluster.Name)
	}
	return errors.Join(failures...)
}

// endFaults ends the faults of all hosts that are connected, at the same time. It
// says what was ended, and gives an error for each host where something is left.
func endFaults(ctx context.Context, c *cluster.Cluster, hosts map[string]*host.Host) (ended []string, failures []error) {
	ctx, cancel := context.WithTimeout(ctx, protocol.FaultEndTime+20*time.Second)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, h := range c.Hosts {
		handle := hosts[h.Name]
		if handle == nil {
			continue
		}
		wg.Go(func() {
			ids, err := handle.Undo(ctx, "")
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				ended = append(ended, fmt.Sprintf("%s: ended %s", h.Name, id))
			}
			if err != nil {
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	slices.Sort(ended)
	return ended, failures
}
