package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

const (
	// ProofTime is how long a balancer has to find its backends: cloud
	// balancers ask every 5 to 10 seconds, and believe the third answer.
	ProofTime = time.Minute
	// callPace is between two calls of one node.
	callPace = 100 * time.Millisecond
	// progressPace is how often people are told how far it is.
	progressPace = 2 * time.Second
	// certainCalls, times the number of backends, is how many calls in a row
	// must do for a node that a balancer keeps to some of the backends.
	certainCalls = 8
)

// Prove proves the user's balancer of mode external: every control-plane host
// must be reached through it from every node. Where no API server runs yet,
// the host's agent stands in for one, over TLS on the API server's port, for
// as long as the proof takes; both are told from all others by their
// certificates. An API server that is to be there and is not ready is left out
// and named.
//
// It waits until the balancer's health checks have found the backends, at most
// for the time given, and changes nothing. The error is *Unproven when the
// balancer, or a way to it or from it, is wrong.
func Prove(ctx context.Context, rt *component.Runtime, limit time.Duration, say func(string)) error {
	p := &proof{
		cluster: rt.Cluster, port: apiPort(rt.Cluster), began: time.Now(),
		addresses: map[string]string{}, say: say, reportOf: func(b *backend) protocol.ListenReport { return b.stand.Report() },
	}
	for _, h := range rt.Cluster.Hosts {
		p.addresses[h.InternalAddress.String()] = h.Name
	}
	defer p.close()
	if err := p.openBackends(ctx, rt); err != nil {
		return err
	}
	if err := p.checkBackends(); err != nil {
		return err
	}
	for _, h := range rt.Cluster.Nodes() {
		handle, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		target, err := calledFrom(ctx, handle, rt.Cluster, h)
		if err != nil {
			return err
		}
		p.callers = append(p.callers, newCaller(h.Name, handle, target))
	}
	if err := p.run(ctx, limit); err != nil {
		return err
	}
	if findings := p.judge(); len(findings) > 0 {
		return &Unproven{Balancer: balancerName(rt.Cluster), Findings: findings}
	}
	return nil
}

// apiPort is the port that API servers listen on, and that a balancer's
// backends must have.
func apiPort(c *cluster.Cluster) int { return c.Kubernetes.APIServerPort }

// balancerFrom is where a node reaches the balancer: at its address, or under
// the endpoint's own name where it has none. A control-plane host takes that
// name for itself.
func balancerFrom(c *cluster.Cluster, h *cluster.Host) string {
	lb := &c.Endpoint.LoadBalancer
	name := c.Endpoint.Domain
	switch {
	case lb.VIP.IsValid():
		name = lb.VIP.String()
	case h.Has(cluster.RoleControlPlane):
		name = lb.VIPHost
	}
	return net.JoinHostPort(name, strconv.Itoa(c.Endpoint.Port))
}

// calledFrom is where a node calls in a proof: balancerFrom, but for a worker
// whose hosts file leads the endpoint's name elsewhere still. It calls the
// balancer by the balancer's own name.
func calledFrom(ctx context.Context, handle *host.Host, c *cluster.Cluster, h *cluster.Host) (string, error) {
	if c.Endpoint.LoadBalancer.VIP.IsValid() || h.Has(cluster.RoleControlPlane) {
		return balancerFrom(c, h), nil
	}
	text, err := handle.ReadFile(ctx, component.HostsFile)
	if err != nil {
		return "", err
	}
	if slices.Contains(namesIn(string(text)), c.Endpoint.Domain) {
		return targetOf(c, h), nil
	}
	return balancerFrom(c, h), nil
}

// balancerName is the balancer as people know it.
func balancerName(c *cluster.Cluster) string {
	lb := &c.Endpoint.LoadBalancer
	name := lb.VIPHost
	if lb.VIP.IsValid() {
		name = lb.VIP.String()
	}
	return net.JoinHostPort(name, strconv.Itoa(c.Endpoint.Port))
}

// proof is one proof while it runs.
type proof struct {
	cluster   *cluster.Cluster
	port      int
	addresses map[string]string // of the cluster's hosts, to their names
	backends  []*backend
	began     time.Time
	say       func(string)
	single    bool                                 // the way leads to one API server at a time, whichever that is
	reportOf  func(*backend) protocol.ListenReport // of a backend that something stands in for

	mu      sync.Mutex // guards what callers have found out
	callers []*caller
}

// run lets every node call through the balancer until all have seen enough,
// or time is up, which is no error here.
func (p *proof) run(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeUp)
	defer cancel()
	stop := p.tellProgress(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range p.callers {
		group.Go(func() error { return p.callUntilDone(ctx, c) })
	}
	err := group.Wait()
	if errors.Is(err, errTimeUp) {
		return nil
	}
	return err
}

// tellProgress tells people how far it is until stop is called.
func (p *proof) tellProgress(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressPace)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				p.say(p.progress())
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

var errTimeUp = errors.New("the time of the proof is up")

// callUntilDone makes one node's calls. They go on until all nodes are done:
// what others find may be what this one needs.
func (p *proof) callUntilDone(ctx context.Context, c *caller) error {
	var kept []net.Conn
	defer func() {
		for _, conn := range kept {
			_ = conn.Close() // nothing was sent that could be lost
		}
	}()
	for !p.done() {
		outcome, backend, conn, err := p.call(ctx, c)
		if conn != nil {
			kept = append(kept, conn)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(kept) > keptCalls {
			_ = kept[0].Close()
			kept = kept[1:]
		}
		if errors.Is(err, host.ErrUnreachable) {
			return err
		}
		p.mu.Lock()
		c.note(outcome, backend, err)
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause()):
		}
	}
	return nil
}

// pause is the time until the next call: callPace, give or take a half. With another
// client that asks just as regularly, a balancer that goes around would give each of
// them the same backends for ever.
func pause() time.Duration { return callPace/2 + rand.N(callPace) }

// needed are the names of the backends that must be seen from a node.
func (p *proof) needed(c *caller) []string {
	var out []string
	for _, b := range p.backends {
		if b.away == "" && (b.name != c.name || !p.cluster.Endpoint.LoadBalancer.NoHairpin) {
			out = append(out, b.name)
		}
	}
	return out
}

// done reports whether every node has seen enough.
func (p *proof) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.callers, func(c *caller) bool { return !p.satisfied(c) })
}

// satisfied reports whether a node has seen every backend in a row of calls of
// which none failed. Where a balancer keeps a client to some of the backends,
// a long row does, as long as others see the rest.
func (p *proof) satisfied(c *caller) bool {
	if p.single {
		return c.row > 0
	}
	needed := p.needed(c)
	has := func(set map[string]bool) bool {
		return !slices.ContainsFunc(needed, func(name string) bool { return !set[name] })
	}
	if p.cluster.Endpoint.LoadBalancer.NoHairpin && slices.ContainsFunc(p.backends, func(b *backend) bool { return b.name == c.name }) {
		// Its calls to itself fail, and no row of calls is without them.
		return has(keysOf(c.seen))
	}
	return has(c.streak) && c.row > 0 || c.row >= certainCalls*len(p.backends) && has(p.seenByAny())
}

func keysOf(seen map[string]int) map[string]bool {
	out := map[string]bool{}
	for name := range seen {
		out[name] = true
	}
	return out
}

// seenByAny are the backends that any node has seen. The lock is held.
func (p *proof) seenByAny() map[string]bool {
	out := map[string]bool{}
	for _, c := range p.callers {
		for name := range c.seen {
			out[name] = true
		}
	}
	return out
}

// progress words how far the proof is, as a balancer's console would: which
// backends are active.
func (p *proof) progress() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seenByAny()
	var words []string
	for _, b := range p.backends {
		state := "unavailable"
		switch {
		case b.away != "":
			state = "not ready itself"
		case seen[b.name]:
			state = "active"
		}
		words = append(words, b.name+" "+state)
	}
	var waiting []string
	for _, c := range p.callers {
		if !p.satisfied(c) {
			waiting = append(waiting, c.name+" ("+c.latest()+")")
		}
	}
	return fmt.Sprintf("through the balancer: %s; waiting for %s", strings.Join(words, ", "), strings.Join(waiting, ", "))
}
