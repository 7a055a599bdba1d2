package endpoint

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
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
	for _, h := range rt.Cluster.Nodes() {
		handle, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		p.callers = append(p.callers, newCaller(h.Name, handle, balancerFrom(rt.Cluster, h)))
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
func apiPort(c *cluster.Cluster) int { return c.Endpoint.Port }

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
	reportOf  func(*backend) protocol.ListenReport // of a backend that something stands in for

	mu      sync.Mutex // guards what callers have found out
	callers []*caller
}

// backend is a control-plane host as the balancer must know it.
type backend struct {
	name, address string // with its port
	certificate   []byte // DER; what it proves itself with
	stand         *host.StandIn
	// away is why it cannot be reached even without the balancer: an API server
	// that is not ready, a port that is taken.
	away string
}

// openBackends finds out how each control-plane host is told from the others,
// and lets the agent stand in where no API server is to be yet.
func (p *proof) openBackends(ctx context.Context, rt *component.Runtime) error {
	p.backends = make([]*backend, len(rt.Cluster.ControlPlanes()))
	group, ctx := errgroup.WithContext(ctx)
	for i, h := range rt.Cluster.ControlPlanes() {
		b := &backend{name: h.Name, address: net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(p.port))}
		p.backends[i] = b
		group.Go(func() error {
			handle, err := rt.Host(h.Name)
			if err != nil {
				return err
			}
			return b.open(ctx, handle, p.port)
		})
	}
	return group.Wait()
}

// openTimeout bounds a host's part in openBackends.
const openTimeout = 10 * time.Second

func (b *backend) open(ctx context.Context, h *host.Host, port int) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, Files: []protocol.FileQuery{{Path: apiServerManifest}}})
	if err != nil {
		return err
	}
	if facts.Files[apiServerManifest].Exists {
		leaf, err := leafAt(ctx, h, b.address, "")
		if err != nil {
			b.away = fmt.Sprintf("its API server does not answer: %v", err)
		}
		b.certificate = leaf
		return nil
	}
	everywhere := ":" + strconv.Itoa(port)
	if b.stand, err = h.StandIn(ctx, []string{everywhere}, rand.Text()); err != nil {
		return err
	}
	b.certificate, b.away = b.stand.Certificate, b.stand.Errors[everywhere]
	return nil
}

// close ends what stands in for API servers.
func (p *proof) close() {
	for _, b := range p.backends {
		if b != nil && b.stand != nil {
			b.stand.Stop()
		}
	}
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
	tick := time.NewTicker(callPace)
	defer tick.Stop()
	for !p.done() {
		outcome, backend, err := p.call(ctx, c)
		if ctx.Err() != nil {
			return context.Cause(ctx)
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
		case <-tick.C:
		}
	}
	return nil
}

// Bounds of one call: a balancer's own tries at a dead backend take seconds.
const (
	connectTimeout = 2 * time.Second
	answerTimeout  = 5 * time.Second
)

// call makes one call through the balancer.
func (p *proof) call(ctx context.Context, c *caller) (outcome, string, error) {
	dialling, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.host.Dial(dialling, "tcp", c.target)
	if err != nil {
		return notConnected(err), "", err
	}
	defer conn.Close()
	shaking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	leaf, err := leafOf(shaking, conn, p.cluster.Endpoint.Domain)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		return hung, "", err
	default:
		return cut, "", err
	}
	for _, b := range p.backends {
		if bytes.Equal(b.certificate, leaf) {
			return reached, b.name, nil
		}
	}
	return stranger, "", errors.New(describeLeaf(leaf))
}

// notConnected classes why a connection was not made; the agent's words are
// Go's and the kernel's.
func notConnected(err error) outcome {
	text := err.Error()
	switch {
	case strings.Contains(text, "connection refused"):
		return refused
	case strings.Contains(text, "no such host"), strings.Contains(text, "lookup "):
		return unresolved
	}
	return unanswered
}

// leafAt is the certificate that a server at an address shows to a host.
func leafAt(ctx context.Context, h *host.Host, address, name string) ([]byte, error) {
	conn, err := h.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return leafOf(ctx, conn, name)
}

// leafOf is the certificate that the other end proves itself with, in DER.
// Whose it is is for the caller to judge, by comparing it with those it knows.
func leafOf(ctx context.Context, conn net.Conn, name string) ([]byte, error) {
	client := tls.Client(conn, &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // the certificate itself is compared
	})
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0].Raw, nil
}

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
	needed := p.needed(c)
	has := func(set map[string]bool) bool {
		return !slices.ContainsFunc(needed, func(name string) bool { return !set[name] })
	}
	if c.name != "" && p.cluster.Endpoint.LoadBalancer.NoHairpin && slices.ContainsFunc(p.backends, func(b *backend) bool { return b.name == c.name }) {
		// Its calls to itself fail, and no row of calls is without them.
		return len(needed) == 0 || has(keysOf(c.seen))
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
