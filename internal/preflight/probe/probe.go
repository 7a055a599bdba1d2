// Package probe tries on the hosts what looking at them cannot tell: it opens
// listeners for a moment and connects to them from the other hosts, times
// synced writes and resolves names. It leaves nothing behind on the hosts.
// Package preflight judges what comes of it.
package probe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/preflight"
)

// tryTimeout bounds each thing that is tried on a host, should the host freeze
// meanwhile; it is longer than what the slowest is given there.
const tryTimeout = 90 * time.Second

// Prober tries everything at once.
type Prober struct {
	// Observation is what was observed; its Probes are not looked at.
	Observation *preflight.Observation
	// Hosts are the connected hosts by name.
	Hosts map[string]*host.Host
	// NoListeners is why no listeners may be opened; empty lets it open them.
	NoListeners string

	mu      sync.Mutex
	pending map[string]int
	out     preflight.Probes
}

// Run tries everything and returns when all has ended, each part in bounded
// time. What could not be tried is absent, or tells why.
func (p *Prober) Run(ctx context.Context) *preflight.Probes {
	p.out.Hosts, p.out.NoListeners = map[string]preflight.HostProbes{}, p.NoListeners
	var wg sync.WaitGroup
	for _, h := range p.reached() {
		handle := p.Hosts[h.Name]
		p.record(h, func(*preflight.HostProbes) {})
		for what, try := range map[string]func(context.Context, *cluster.Host, *host.Host){
			"kernel modules":    p.modules,
			"names":             p.names,
			"etcd's disk":       p.fsync,
			"the VIP's address": p.vip,
		} {
			wg.Go(func() {
				defer p.track(what + " of " + h.Name)()
				ctx, cancel := context.WithTimeout(ctx, tryTimeout)
				defer cancel()
				try(ctx, h, handle)
			})
		}
	}
	wg.Go(func() { p.paths(ctx) })
	wg.Wait()
	return &p.out
}

// reached are the hosts that were observed and are connected.
func (p *Prober) reached() []*cluster.Host {
	var out []*cluster.Host
	for i := range p.Observation.Cluster.Hosts {
		h := &p.Observation.Cluster.Hosts[i]
		if p.Observation.Snapshot.Facts(h.Name) != nil && p.Hosts[h.Name] != nil {
			out = append(out, h)
		}
	}
	return out
}

// record changes what is known of a host.
func (p *Prober) record(h *cluster.Host, change func(*preflight.HostProbes)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.out.Hosts[h.Name]
	change(&was)
	p.out.Hosts[h.Name] = was
}

// track notes what is being tried until the function that it returns is called.
func (p *Prober) track(what string) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending == nil {
		p.pending = map[string]int{}
	}
	p.pending[what]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.pending[what]--; p.pending[what] == 0 {
			delete(p.pending, what)
		}
	}
}

// Pending is what is still being tried, in words. It may be called while Run runs.
func (p *Prober) Pending() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for what := range p.pending {
		out = append(out, what)
	}
	slices.Sort(out)
	return out
}
