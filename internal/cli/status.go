package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/observe"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/state"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/ui"
)

// statusConnectTimeout bounds reaching a host for a status, which is asked for
// most when a host is off. A host that needs longer than this is worth a
// problem of its own.
const statusConnectTimeout = 3 * time.Second

// statusAPITimeout bounds what is asked of the API. An API server that lost
// its etcd would keep a status waiting, and that it does is status enough.
const statusAPITimeout = 3 * time.Second

// statusOptions are the flags of `status`.
type statusOptions struct {
	target
	output       string
	certificates bool
	patience     patience
}

func newStatusCommand() *cobra.Command {
	o := statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show whether the cluster is healthy, how many failures it stands, and what to do",
		Long: `Asks every host, etcd and the API once, all at the same time, and shows the etcd
members and their leader, the API servers, who leads, the nodes and their
proxies, the certificates, how many more failures the cluster stands, and for
all that is wrong what to do. It works when parts of the cluster are down, and
changes nothing.

The exit code is 0 when the cluster is healthy and 1 when it is not.`,
		Example: `  quorate status -f cluster.yaml
  quorate status -f cluster.yaml --certificates
  quorate status -f cluster.yaml --output json | jq -r .summary`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStatus(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	f.BoolVar(&o.certificates, "certificates", false, "list every certificate, not only the first of each kind to end")
	o.patience.flag(cmd, statusConnectTimeout)
	return cmd
}

func runStatus(ctx context.Context, o statusOptions, stdout, stderr io.Writer) error {
	if err := o.patience.check(); err != nil {
		return err
	}
	s, err := o.read(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	s.TryUsualBundle() // for what apply would do; without one, it would refuse what needs one
	observer := s.Observer()
	o.patience.bound(s.Cluster, &observer)
	observer.Wait = s.StartConnecting(ctx)
	observer.APITimeout = statusAPITimeout
	snapshot := observer.Snapshot(ctx)
	todo := todoOf(s, snapshot)
	report := status.Of(s.Cluster, snapshot, todo.steps...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.output == "json" {
		err = printable.JSON(stdout, report)
	} else {
		err = printStatus(report, stdout, ui.StatusOptions{Certificates: o.certificates, Next: nextCommands(s, report, todo, o.files, "")})
	}
	if err != nil {
		return err
	}
	if !report.Healthy {
		return silent(exitFailed)
	}
	return nil
}

// todo is what an apply would do now.
type todo struct {
	steps   []plan.Step
	refused bool // it would refuse to do anything
}

// todo plans from what a status observed.
func todoOf(s *session.Session, snapshot *state.Snapshot) todo {
	p, list, err := planner.Apply(s.Planned(snapshot))
	if err != nil || p == nil || list.HasErrors() {
		return todo{refused: true}
	}
	return todo{steps: p.Steps}
}

// patience is how long a host may take.
type patience struct{ timeout, connecting time.Duration }

func (p *patience) flag(cmd *cobra.Command, connecting time.Duration) {
	p.connecting = connecting
	cmd.Flags().DurationVar(&p.timeout, "timeout", 0, fmt.Sprintf(
		"how long a host may take to let Quorate in, and as long again to answer (without it %s and %s)", connecting, observe.AnswerTimeout))
}

func (p *patience) check() error {
	if p.timeout < 0 {
		return usageError(fmt.Errorf("--timeout %s is no time to wait", p.timeout))
	}
	return nil
}

// bound makes the hosts and what asks them go by it.
func (p *patience) bound(c *cluster.Cluster, o *observe.Observer) {
	for i := range c.Hosts {
		session.WaitAtMost(&c.Hosts[i].SSH, cmp.Or(p.timeout, p.connecting))
	}
	o.Within = p.timeout
}

func printStatus(r status.Report, w io.Writer, o ui.StatusOptions) error {
	look := lookOf(w)
	return draw(w, look, ui.Status(r, look, o))
}

// next are the commands worth running after a status. Apply is among them only
// where it would do something. A kubeconfig that is not named is looked for
// where apply puts it.
func nextCommands(s *session.Session, r status.Report, todo todo, files clusterFiles, kubeconfig string) []ui.NextCommand {
	quorate := func(verb, why string) ui.NextCommand {
		return ui.NextCommand{Command: strings.TrimSpace("quorate " + verb + files.flags()), Why: why}
	}
	again := quorate("status", "look again")
	var mend []ui.NextCommand
	switch {
	case todo.refused:
		mend = []ui.NextCommand{quorate("plan", "why apply would refuse to change anything")}
	case len(todo.steps) > 0:
		mend = []ui.NextCommand{quorate("plan", "what apply would put right"), quorate("apply", "put it right")}
	}
	switch r.State {
	case status.Absent:
		return []ui.NextCommand{quorate("plan", "what would be done"), quorate("apply", "build it"), again}
	case status.Unreachable, status.Unknown:
		return append(askSSH(s, r), quorate("status --timeout 60s", "give the hosts more time"))
	case status.Degraded, status.Down:
		if ssh := askSSH(s, r); ssh != nil {
			return append(ssh, again) // apply needs every host
		}
		return append(mend, again)
	}
	if mend != nil {
		return append(mend, again)
	}
	if kubeconfig == "" {
		kubeconfig = kubeconfigPath(applyOptions{target: target{files: files}}, s.Cluster)
	}
	kubectl := ui.NextCommand{Command: "quorate kubectl" + files.flags() + " -- get nodes", Why: "use the cluster"}
	if _, err := os.Stat(kubeconfig); errors.Is(err, os.ErrNotExist) {
		kubectl = quorate("apply", "write the kubeconfig of this cluster")
	}
	return []ui.NextCommand{
		kubectl, quorate("plan", "does anything differ from the file?"), quorate("status --output json", "for monitoring"),
	}
}

// askSSH is the command that shows what SSH itself says of the first host
// that does not answer, if there is one.
func askSSH(s *session.Session, r status.Report) []ui.NextCommand {
	for _, p := range r.Problems {
		if h := s.Cluster.Host(p.Subject); p.Kind == status.HostUnreachable && h != nil && !h.SSH.Local {
			return []ui.NextCommand{{Command: sshCommand(h), Why: "what SSH itself says of " + h.Name}}
		}
	}
	return nil
}

func sshCommand(h *cluster.Host) string {
	who := h.Address
	if login, _, err := session.LoginOf(h); err == nil {
		who = login + "@" + h.Address
	}
	command := "ssh"
	if h.SSH.Port != 0 && h.SSH.Port != 22 {
		command += fmt.Sprintf(" -p %d", h.SSH.Port)
	}
	if h.SSH.PrivateKeyPath != "" {
		command += " -i " + shellWord(h.SSH.PrivateKeyPath)
	}
	if h.SSH.KnownHostsPath != "" {
		command += " -o UserKnownHostsFile=" + shellWord(h.SSH.KnownHostsPath)
	}
	return command + " " + shellWord(who)
}

// shellWord quotes a path for a POSIX shell where it must be.
func shellWord(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,%~", r)
	}) < 0
	if plain && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
