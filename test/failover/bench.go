package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/lab"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/test/gap"
	"github.com/quorate/quorate/test/hosts"
)

// bench is a lab to measure on.
type bench struct {
	options
	l          *lab.Lab
	cluster    *cluster.Cluster
	kubeconfig string
	view       probe.Viewpoint // of the VIP
	now        side
	touched    int // how often API servers were restarted
	results    []result
}

// result is one event, done once.
type result struct {
	side  string
	event event
	// unwell: it was not over when it was undone, after this long.
	unwell time.Duration
	gap.Result
}

func newBench(o options, l *lab.Lab) (*bench, error) {
	c, findings := config.Load([]string{l.ClusterFilePath()}, config.Options{DefaultKubernetes: catalog.Default()})
	if c == nil {
		return nil, fmt.Errorf("reading %s: %v", l.ClusterFilePath(), findings)
	}
	if len(c.Balancers()) < 2 || len(c.ControlPlanes()) < 3 {
		return nil, fmt.Errorf("lab %s has %d load balancers and %d control planes; 2 and 3 are the least to break one of", l.Name(), len(c.Balancers()), len(c.ControlPlanes()))
	}
	b := &bench{options: o, l: l, cluster: c, kubeconfig: filepath.Join(l.Dir(), c.Name+".kubeconfig"), now: ours}
	for _, h := range c.ControlPlanes() {
		b.load.Direct = append(b.load.Direct, b.address(h))
	}
	var err error
	b.view, err = gap.Viewpoint(b.kubeconfig)
	return b, err
}

// address is where a host has the endpoint's port.
func (b *bench) address(h *cluster.Host) string { return address(b.cluster, h) }

func address(c *cluster.Cluster, h *cluster.Host) string {
	return net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(c.Endpoint.Port))
}

// measure does every event on every side, and leaves the lab with Quorate's own
// configuration.
func (b *bench) measure(ctx context.Context) (err error) {
	defer func() {
		if ctx.Err() == nil && b.now.name != ours.name {
			err = errors.Join(err, b.use(ctx, ours))
		}
	}()
	for _, s := range b.sides {
		if err := b.use(ctx, s); err != nil {
			return fmt.Errorf("changing to the %s configuration: %w", s.name, err)
		}
		for _, e := range b.events {
			for n := range b.runs {
				if err := b.once(ctx, e, n+1); err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, e.name, err)
				}
			}
		}
	}
	return nil
}

// once does an event on a cluster that is well, and undoes it.
func (b *bench) once(ctx context.Context, e event, n int) error {
	if err := b.steady(ctx); err != nil {
		return err
	}
	target, err := e.target(b, ctx)
	if err != nil {
		return err
	}
	r, err := gap.Measure(ctx, b.kubeconfig, b.load, func() error { return e.do(b, ctx, target) })
	if e.undo != nil {
		// Also after Ctrl-C: a lab of somebody's goes on.
		undone := e.undo(b, context.WithoutCancel(ctx), target)
		if undone != nil {
			return errors.Join(err, undone)
		}
	}
	measured := result{side: b.now.name, event: e, Result: r}
	if errors.Is(err, gap.ErrUnwell) && e.undo != nil {
		measured.unwell, err = b.load.Patience, nil
	}
	if err != nil {
		return err
	}
	b.results = append(b.results, measured)
	fmt.Fprintf(os.Stderr, "%-9s %-16s %d on %s: gap %s, %d of %d failed %v, %d without a server, disturbed for %s; kept connections: stuck %s, %d cut; watches: behind %s, %d cut\n",
		b.now.name, e.name, n, target, seconds(r.New.Gap.Length), r.New.Failed(), r.New.Asked, r.New.Failures, r.NotConnected(), seconds(r.New.Disturbed.Length),
		seconds(r.Sessions.Stuck), r.Sessions.Cut, seconds(r.Watches.Behind), r.Watches.Cut)
	if b.verbose {
		for _, f := range r.Failures {
			fmt.Fprintf(os.Stderr, "    %s: %s after %s: %s\n", seconds(f.At), f.Outcome, seconds(f.Took), f.Detail)
		}
	}
	return nil
}

const (
	// steadyWithin bounds how long a cluster may take to be well again.
	steadyWithin = 4 * time.Minute
	// steadyCalls are made through each load balancer, and must all succeed and
	// reach every API server.
	steadyCalls = 24
	// stays is how long the VIP must have been where it is: a host that comes
	// back may take it or give it up a moment later, and what is then done to the
	// holder is done to another host.
	stays = 3 * time.Second
)

// steady waits until every load balancer carries calls to every API server and
// the VIP stays where it is.
func (b *bench) steady(ctx context.Context) error {
	var holder string
	var since time.Time
	return b.await(ctx, "the load balancers to carry to all API servers", func(ctx context.Context) error {
		now, err := b.holder(ctx)
		if err != nil {
			holder = ""
			return err
		}
		if now != holder {
			holder, since = now, time.Now()
		}
		for _, h := range b.cluster.Balancers() {
			for _, unit := range []string{b.now.proxy, b.now.vip} {
				if _, err := b.run(ctx, h.Name, "systemctl", "is-active", "--quiet", unit); err != nil {
					return err
				}
			}
			seen, err := b.reached(ctx, b.address(h))
			if err != nil {
				return fmt.Errorf("through %s: %w", h.Name, err)
			}
			if seen < len(b.cluster.ControlPlanes()) {
				return fmt.Errorf("%s carries to %d API servers", h.Name, seen)
			}
		}
		if time.Since(since) < stays {
			return fmt.Errorf("%s has the VIP only now", holder)
		}
		return nil
	})
}

// reached counts the API servers, known by their certificates, that calls to an
// address reach; all calls must succeed.
func (b *bench) reached(ctx context.Context, address string) (int, error) {
	view := b.view
	view.Dial = func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", address) }
	view.TLS = b.view.TLS.Clone()
	seen := map[[sha256.Size]byte]bool{}
	view.TLS.VerifyConnection = func(s tls.ConnectionState) error {
		seen[sha256.Sum256(s.PeerCertificates[0].Raw)] = true
		return nil
	}
	// Each keeps its connection, so that a balancer that counts them gives the
	// next one to another API server.
	for range steadyCalls {
		clients := view.Clients()
		defer clients.Close()
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := view.Get(clients.Pooled, "/readyz")(try)
		cancel()
		if err != nil {
			return len(seen), err
		}
	}
	return len(seen), nil
}

// await looks until a condition is met.
func (b *bench) await(ctx context.Context, what string, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, steadyWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// run runs a command on a host without using its network.
func (b *bench) run(ctx context.Context, host string, argv ...string) (string, error) {
	out, err := hosts.Command(ctx, syscall.SIGINT, b.quorate, append([]string{"lab", "exec", "--name", b.l.Name(), host, "--"}, argv...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("on %s: %s: %w: %s", host, strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// holder is the load balancer that carries the VIP; all of them must be up.
func (b *bench) holder(ctx context.Context) (string, error) {
	vip := b.cluster.Endpoint.LoadBalancer.VIP.String() + "/"
	var found []string
	for _, h := range b.cluster.Balancers() {
		out, err := b.run(ctx, h.Name, "ip", "-4", "-brief", "address", "show")
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(strings.Fields(out), func(f string) bool { return strings.HasPrefix(f, vip) }) {
			found = append(found, h.Name)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the VIP is carried by %d hosts %v", len(found), found)
	}
	return found[0], nil
}

// follower is a control-plane host whose etcd member does not lead: what is
// measured is the endpoint, not etcd's election.
func (b *bench) follower(ctx context.Context) (string, error) {
	var found string
	err := b.await(ctx, "etcd to have a leader", func(ctx context.Context) error {
		// Not healthy (the load balancers' own units are off on the published
		// side) is an exit status; the report comes all the same.
		out, _ := hosts.Command(ctx, syscall.SIGINT, b.quorate, "status", "-f", b.l.ClusterFilePath(), "--output", "json").Output()
		var r status.Report
		if err := json.Unmarshal(out, &r); err != nil {
			return fmt.Errorf("reading quorate status: %w", err)
		}
		leader := slices.IndexFunc(r.Etcd.Members, func(m status.Member) bool { return m.Leader })
		follower := slices.IndexFunc(r.Etcd.Members, func(m status.Member) bool { return m.Healthy && !m.Leader })
		if leader < 0 || follower < 0 {
			return errors.New("not yet")
		}
		found = r.Etcd.Members[follower].Host
		return nil
	})
	return found, err
}

// ready asks one host's API server.
func (b *bench) ready(ctx context.Context, h *cluster.Host) error {
	view := b.view
	view.Dial = func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", b.address(h))
	}
	clients := view.Clients()
	defer clients.Close()
	try, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return view.Get(clients.Fresh, "/readyz")(try)
}
