package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/ui"
)

// probeOptions are the flags of `probe`.
type probeOptions struct {
	target
	from           string
	path           string
	every, timeout time.Duration
	length         time.Duration
	maxGap         time.Duration
	output         string
}

func newProbeCommand() *cobra.Command {
	o := probeOptions{}
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Watch the API endpoint's availability, as ping does for a host",
		Long: `Asks the cluster's API endpoint again and again, on a new connection each time
and on one that is kept, and shows what came of it. It ends with Ctrl-C or after
--for, and then tells the longest gap, the failures by kind and the latencies.

Without --from it asks from this machine: the virtual address where there is
one; where every worker has a proxy of its own, whichever API server answers.
With --from HOST it asks from that host, under the endpoint's name, as the
host's own kubelet does.

The exit code is 0 when all went well, or with --max-gap when no gap was longer.`,
		Example: `  quorate probe
  quorate probe --from worker-1 --every 20ms
  quorate probe --for 30s --max-gap 1s --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runProbe(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "the host to ask from (default: this machine)")
	f.StringVar(&o.path, "path", "/readyz", "what to ask for")
	f.DurationVar(&o.every, "every", 50*time.Millisecond, "the time between two questions")
	f.DurationVar(&o.timeout, "timeout", time.Second, "how long an answer may take")
	f.DurationVar(&o.length, "for", 0, "end after this long (default: with Ctrl-C)")
	f.DurationVar(&o.maxGap, "max-gap", 0, "fail only when nothing succeeded for longer than this")
	outputFlag(cmd, &o.output, "how to show it", "text", "json")
	return cmd
}

func (o probeOptions) check() error {
	switch {
	case o.every < time.Millisecond:
		return usageError(fmt.Errorf("--every %s is too often; ask at most every millisecond", o.every))
	case o.timeout <= 0 || o.length < 0 || o.maxGap < 0:
		return usageError(errors.New("a time to wait must be more than nothing"))
	case !strings.HasPrefix(o.path, "/"):
		return usageError(fmt.Errorf("--path %s does not begin with /", o.path))
	}
	return nil
}

func runProbe(ctx context.Context, o probeOptions, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	s, err := o.read(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	if o.from != "" && s.Cluster.Host(o.from) == nil {
		return usageError(fmt.Errorf("--from %s: %s has no host of this name", o.from, o.files))
	}
	s.Connect(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	credentials, err := s.Credentials(ctx, warnOf(stderr))
	if err != nil {
		return err
	}
	view, err := viewpoint(s, o.from, credentials)
	if err != nil {
		return err
	}
	report, err := watchEndpoint(ctx, o, view, stderr)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = printable.JSON(stdout, report)
	} else {
		_, err = io.WriteString(stdout, ui.Probe(view.Name, report))
	}
	if err != nil {
		return err
	}
	for _, st := range report {
		if st.Asked == 0 || (o.maxGap == 0 && st.Failed() > 0) || (o.maxGap > 0 && st.Gap.Length > o.maxGap) {
			return silent(exitFailed)
		}
	}
	return nil
}

// watchEndpoint asks until it is told to end, and gives the figures by kind.
func watchEndpoint(ctx context.Context, o probeOptions, v probe.Viewpoint, stderr io.Writer) (map[probe.Kind]probe.Stats, error) {
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	clients := v.Clients()
	defer clients.Close()
	began := time.Now()
	logs := map[probe.Kind]*probe.Log{}
	line := ui.NewProbeLine(stderr, v.Name)
	var wg sync.WaitGroup
	for kind, client := range map[probe.Kind]func(context.Context) error{
		probe.Read:      v.Get(clients.Fresh, o.path),
		probe.KeepAlive: v.Get(clients.Kept, o.path),
	} {
		log := probe.NewLog(began)
		logs[kind] = log
		p := probe.Prober{Every: o.every, Timeout: o.timeout, Ask: client, Turn: v.Turn, Seen: func(s probe.Sample) { line.Seen(kind, s) }}
		wg.Go(func() { p.Run(ctx, log) })
	}
	wg.Go(func() { line.Run(ctx) })
	wg.Wait()
	length := time.Since(began)
	out := map[probe.Kind]probe.Stats{}
	for kind, log := range logs {
		out[kind] = probe.Summarise(log.Samples(), 0, length, o.every)
	}
	return out, nil
}

// viewpoint looks at the endpoint from a host, or from this machine when from
// is empty.
func viewpoint(s *session.Session, from string, credentials kube.Credentials) (probe.Viewpoint, error) {
	config := credentials.Config()
	config.ServerName = s.Cluster.Endpoint.Domain
	verified, err := rest.TLSConfigFor(config)
	if err != nil {
		return probe.Viewpoint{}, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	if from == "" {
		dial, turn := probe.AnyOf(operatorAddresses(s.Cluster))
		return probe.Viewpoint{Name: "operator", Dial: dial, Turn: turn, TLS: verified}, nil
	}
	h := s.Hosts[from]
	if h == nil {
		return probe.Viewpoint{}, fmt.Errorf("%s cannot be asked from: %w", from, s.Failed[from])
	}
	endpoint := net.JoinHostPort(s.Cluster.Endpoint.Domain, strconv.Itoa(s.Cluster.Endpoint.Port))
	return hostViewpoint(h, from, endpoint, verified), nil
}

// operatorAddresses are where this machine reaches the endpoint.
func operatorAddresses(c *cluster.Cluster) []string {
	b, port := c.Endpoint.LoadBalancer, strconv.Itoa(c.Endpoint.Port)
	switch {
	case b.Mode != cluster.BalancerLocalhost && b.VIP.IsValid():
		return []string{net.JoinHostPort(b.VIP.String(), port)}
	case b.Mode != cluster.BalancerLocalhost && b.VIPHost != "":
		return []string{net.JoinHostPort(b.VIPHost, port)}
	}
	var out []string
	for _, h := range c.ControlPlanes() {
		out = append(out, net.JoinHostPort(h.Address, strconv.Itoa(c.Kubernetes.APIServerPort)))
	}
	return out
}
