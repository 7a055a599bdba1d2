package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/internal/lab"
)

// applyLab builds the cluster that a lab's cluster file describes; yes means
// without asking.
type applyLab func(ctx context.Context, clusterFile string, yes bool) error

// newLabCommand makes and operates labs. apply is what `lab up` does once the
// hosts answer.
func newLabCommand(apply applyLab) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Make real systemd hosts on this machine and a cluster on them",
		Long: `A lab is a set of hosts on this one machine: each with systemd, an SSH server, a
disk and a network of its own, bare as a freshly installed server. ` + "`lab up`" + ` makes
them and builds a cluster on them just as ` + "`quorate apply`" + ` does on servers; the
other commands switch them off, freeze them or cut their cables, to see what
the cluster makes of it. Needs root, on Debian or Ubuntu.`,
		Example: `  quorate lab up                       # three control planes, three workers, a cluster
  quorate lab up --hosts-only --name try --workers 1
  quorate lab off cp-2                 # pull the plug of a host
  quorate lab ssh cp-1
  quorate lab down`,
		Args: cobra.NoArgs,
	}
	name := cmd.PersistentFlags().String("name", "default", "the lab's name; several can be up side by side")
	cmd.AddCommand(
		newLabUpCommand(name, apply), newLabDownCommand(name), newLabStatusCommand(name), newLabListCommand(),
		newLabSSHCommand(name), newLabExecCommand(name),
		newLabHostCommand(name, "off HOST", "Pull a host's plug: every process gone at once, the disk stays", (*lab.Lab).Off),
		newLabHostCommand(name, "on HOST", "Boot a host that is off, and wait until SSH answers", (*lab.Lab).On),
		newLabHostCommand(name, "reboot HOST", "Reboot a host in an orderly way, and wait until SSH answers", (*lab.Lab).Reboot),
		newLabHostCommand(name, "freeze HOST", "Stop every process of a host, as a hung machine does", (*lab.Lab).Freeze),
		newLabHostCommand(name, "thaw HOST", "Let a frozen host go on", (*lab.Lab).Thaw),
		newLabHostCommand(name, "cut HOST", "Pull a host's network cable", (*lab.Lab).Cut),
		newLabHostCommand(name, "heal HOST", "Plug a host's network cable in again", (*lab.Lab).Heal),
	)
	cmd.AddCommand(newLabInternalCommands()...)
	return cmd
}

// labUpOptions are the flags of `lab up`.
type labUpOptions struct {
	spec           lab.Spec
	hostsOnly, yes bool
}

func newLabUpCommand(name *string, apply applyLab) *cobra.Command {
	o := labUpOptions{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make a lab, or what is missing of it, and build its cluster",
		Long: `Makes the lab's hosts and builds the cluster on them. Run again, it starts the
hosts that are off and adds those that are asked for on top; an interrupted run
is simply run again. The first lab on a machine builds the hosts' root file
system from Debian packages, which takes about a minute.`,
		Example: `  quorate lab up
  quorate lab up --control-planes 1 --workers 0 --name small
  quorate lab up --workers 4           # add a worker to the lab that is up
  quorate lab up --hosts-only`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec := labSpec(lab.DefaultStore(), *name, o.spec, cmd.Flags().Changed)
			if err := spec.Validate(); err != nil {
				return usageError(err)
			}
			return runLabUp(cmd.Context(), spec, o, apply, cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.spec.ControlPlanes, "control-planes", 3, "number of control-plane hosts, cp-1 and on")
	flags.IntVar(&o.spec.Workers, "workers", 3, "number of workers, worker-1 and on")
	flags.IntVar(&o.spec.LoadBalancers, "load-balancers", 0, "number of load-balancer hosts, lb-1 and on; two or more carry the endpoint")
	flags.IntVar(&o.spec.Etcds, "etcds", 0, "number of etcd hosts, etcd-1 and on; 0 puts etcd on the control-plane hosts")
	flags.BoolVar(&o.spec.ExternalLB, "external-lb", false, "add the host balancer-1, whose HAProxy Quorate does not manage, and let it carry the endpoint unless load balancers do")
	flags.BoolVar(&o.spec.SharedLB, "vip-on-control-planes", false, "let the control planes carry the endpoint, each beside its API server")
	flags.StringVar(&o.spec.Kubernetes, "kubernetes", "", "Kubernetes version to build (default: that of quorate apply)")
	flags.BoolVar(&o.hostsOnly, "hosts-only", false, "make the hosts and stop before the cluster")
	flags.BoolVarP(&o.yes, "yes", "y", false, "build the cluster without asking")
	return cmd
}

// labSpec is the lab to bring up: for a lab that exists, what it has, changed
// by the flags that were given; for a new one, the flags and their defaults.
func labSpec(store lab.Store, name string, flags lab.Spec, given func(flag string) bool) lab.Spec {
	flags.Name = name
	existing, err := store.Open(name)
	if err != nil {
		return flags // Up finds out what is wrong, if something is
	}
	spec := existing.Spec()
	if given("control-planes") {
		spec.ControlPlanes = flags.ControlPlanes
	}
	if given("workers") {
		spec.Workers = flags.Workers
	}
	if given("load-balancers") {
		spec.LoadBalancers = flags.LoadBalancers
	}
	if given("etcds") {
		spec.Etcds = flags.Etcds
	}
	if given("external-lb") {
		spec.ExternalLB = flags.ExternalLB
	}
	if given("vip-on-control-planes") {
		spec.SharedLB = flags.SharedLB
	}
	if given("kubernetes") {
		spec.Kubernetes = flags.Kubernetes
	}
	return spec
}

func runLabUp(ctx context.Context, spec lab.Spec, o labUpOptions, apply applyLab, errOut io.Writer) error {
	start := time.Now()
	l, err := lab.DefaultStore().Up(ctx, spec, func(line string) { fmt.Fprintln(errOut, line) })
	if err != nil {
		return err
	}
	if err := setUpBalancer(ctx, l, errOut); err != nil {
		return fmt.Errorf("setting up the external balancer: %w", err)
	}
	hosts, err := l.Hosts()
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "%d hosts are up on %s, after %s. Their cluster file: %s\n",
		len(hosts), l.Subnet(), time.Since(start).Round(10*time.Millisecond), l.ClusterFilePath())
	if !o.hostsOnly {
		return apply(ctx, l.ClusterFilePath(), o.yes)
	}
	fmt.Fprintf(errOut, "\nLog in:        quorate lab ssh --name %[1]s %[2]s\nBuild on them: quorate apply -f %[3]s\nTake it down:  quorate lab down --name %[1]s\n",
		l.Name(), hosts[0].Name, l.ClusterFilePath())
	return nil
}

func newLabDownCommand(name *string) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove a lab and everything that was made for it",
		Long: `Removes the lab's hosts, their disks, its network and its folder; with the last
lab, the kernel settings of the machine return to what they were. Works after
any interruption. The hosts' root file system stays cached for the next lab.

On a terminal it asks first; scripts are not asked.`,
		Example: "  quorate lab down\n  quorate lab down --name small --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// What is a lab's can be made again, and a script that takes one down means it.
			if _, err := lab.DefaultStore().Open(*name); err == nil && term.IsTerminal(int(os.Stdin.Fd())) {
				question := fmt.Sprintf("Remove the hosts of lab %s and their disks?", *name)
				if err := confirm(cmd.Context(), yes, question, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			if err := lab.DefaultStore().Down(cmd.Context(), *name); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Lab %s is gone.\n", *name)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newLabStatusCommand(name *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show a lab's hosts and what each is doing",
		Example: "  quorate lab status\n  quorate lab status --output json | jq -r '.hosts[] | select(.state != \"running\") | .name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.DefaultStore().Open(*name)
			if err != nil {
				return err
			}
			status, err := l.Status()
			if err != nil {
				return err
			}
			return printLabs(cmd.OutOrStdout(), output, status, printLabStatus)
		},
	}
	labOutputFlag(cmd, &output)
	return cmd
}

func newLabListCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the labs of this machine",
		Example: "  quorate lab list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.DefaultStore().List()
			if err != nil {
				return err
			}
			list := make([]lab.Status, len(labs))
			for i, l := range labs {
				if list[i], err = l.Status(); err != nil {
					return err
				}
			}
			return printLabs(cmd.OutOrStdout(), output, list, printLabList)
		},
	}
	labOutputFlag(cmd, &output)
	return cmd
}

func labOutputFlag(cmd *cobra.Command, output *string) {
	outputFlag(cmd, output, "how to show it", "text", "json")
}

// newLabHostCommand is an operation on one host.
func newLabHostCommand(name *string, use, short string, operation func(*lab.Lab, context.Context, string) error) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use:     use,
		Short:   short,
		Example: fmt.Sprintf("  quorate lab %s cp-1\n  quorate lab %[1]s --name small worker-1", verb),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.DefaultStore().Open(*name)
			if err != nil {
				return err
			}
			return operation(l, cmd.Context(), args[0])
		},
	}
}

// newLabInternalCommands are what the lab starts this program as.
func newLabInternalCommands() []*cobra.Command {
	internal := func(use, short string, run func(ctx context.Context, args []string) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Hidden: true, DisableFlagParsing: true, Args: cobra.MinimumNArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) },
		}
	}
	return []*cobra.Command{
		internal(lab.SupervisorCommand, "Keep a lab host running", func(ctx context.Context, args []string) error {
			return lab.SuperviseHost(ctx, args[0], args[1])
		}),
		internal(lab.InitCommand, "Become a lab host's first process", func(_ context.Context, args []string) error {
			return lab.InitHost(args[0], args[1])
		}),
		internal(lab.EnterCommand, "Run a program inside a lab host", func(_ context.Context, args []string) error {
			status, err := lab.EnterHost(args[0], args[1], args[2:])
			if err == nil {
				os.Exit(status)
			}
			return err
		}),
	}
}
