package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/preflight"
)

const (
	// listenTimeout bounds opening a host's listeners.
	listenTimeout = 10 * time.Second
	// reachTimeout bounds a connection between hosts; the kernel tries again
	// after one second, so one lost packet is no failure.
	reachTimeout = 3 * time.Second
	// askTimeout bounds what a host is asked about its connections, should it
	// freeze meanwhile.
	askTimeout = reachTimeout + 10*time.Second
	// rounds is how often a round trip is timed; the least counts.
	rounds = 5
	// greetingSize is more than the largest packets hold (9000 bytes), so that
	// what a listener sends fills some.
	greetingSize = 12 << 10
)

// paths opens listeners on the ports that nobody has yet, connects every host
// to the others' ports as its roles will, and closes the listeners.
func (p *Prober) paths(ctx context.Context) {
	greeting := newGreeting()
	listeners, stop := p.listen(ctx, greeting)
	defer stop()
	reached := p.reached()
	byHost := map[string][]preflight.Route{}
	for _, r := range preflight.Routes(p.Observation.Cluster) {
		if slices.Contains(reached, r.From) && slices.Contains(reached, r.To) {
			byHost[r.From.Name] = append(byHost[r.From.Name], r)
		}
	}
	found := map[string][]preflight.Path{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for from, routes := range byHost {
		wg.Go(func() {
			defer p.track("connections from " + from)()
			tried := p.tryRoutes(ctx, from, routes, listeners, greeting)
			mu.Lock()
			defer mu.Unlock()
			found[from] = tried
		})
	}
	wg.Wait()
	for _, h := range reached {
		p.out.Paths = append(p.out.Paths, found[h.Name]...)
	}
	p.roundTrips(ctx)
}

// newGreeting is what nobody else sends.
func newGreeting() string {
	line := "quorate preflight " + rand.Text() + "\n"
	return strings.Repeat(line, greetingSize/len(line)+1)
}

// listener is who listens at a target, or why nobody does.
type listener struct {
	kind preflight.Listener
	why  string
}

// listen opens listeners where nobody listens and nobody of ours is about to.
func (p *Prober) listen(ctx context.Context, greeting string) (map[preflight.Target]listener, func()) {
	wanted := map[*cluster.Host][]preflight.Target{}
	for _, r := range preflight.Routes(p.Observation.Cluster) {
		if !slices.Contains(wanted[r.To], r.Target) {
			wanted[r.To] = append(wanted[r.To], r.Target)
		}
	}
	out := map[preflight.Target]listener{}
	var stops []func()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, h := range p.reached() {
		wg.Go(func() {
			defer p.track("listeners on " + h.Name)()
			kinds, closers := p.listenOn(ctx, h, wanted[h], greeting)
			mu.Lock()
			defer mu.Unlock()
			stops = append(stops, closers...)
			maps.Copy(out, kinds)
		})
	}
	wg.Wait()
	return out, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func (p *Prober) listenOn(ctx context.Context, h *cluster.Host, targets []preflight.Target, greeting string) (map[preflight.Target]listener, []func()) {
	facts := p.Observation.Snapshot.Facts(h.Name)
	unclaimed := preflight.Unclaimed(p.Observation, h)
	joined := facts.Files[component.KubeletConf].Exists
	out := map[preflight.Target]listener{}
	var tcp, udp []preflight.Target
	for _, t := range targets {
		switch {
		case slices.ContainsFunc(facts.Listening, func(l protocol.Listener) bool { return l.Port == t.Port && !t.UDP }):
			out[t] = listener{kind: preflight.ListenerPresent}
		case p.NoListeners != "":
		case t.UDP && !joined:
			udp = append(udp, t)
		case t.UDP: // the kernel has the port, or is about to
		case slices.Contains(unclaimed, t.Port):
			tcp = append(tcp, t)
		default:
			// What is installed may come up again at any moment, and must find
			// its port free.
			out[t] = listener{kind: preflight.ListenerNone}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	var stops []func()
	open := func(targets []preflight.Target, listen func(context.Context, []string, string) (func(), map[string]string, error), text string) {
		if len(targets) == 0 {
			return
		}
		addresses := make([]string, len(targets))
		for i, t := range targets {
			addresses[i] = address(h, t.Port)
		}
		stop, failed, err := listen(ctx, addresses, text)
		if err == nil {
			stops = append(stops, stop)
		}
		for i, t := range targets {
			switch why := failed[addresses[i]]; {
			case err != nil:
				out[t] = listener{preflight.ListenerFailed, strings.TrimPrefix(err.Error(), h.Name+": ")}
			case strings.Contains(why, "address already in use"):
				out[t] = listener{kind: preflight.ListenerPresent}
			case why != "":
				out[t] = listener{preflight.ListenerFailed, why}
			default:
				out[t] = listener{kind: preflight.ListenerOurs}
			}
		}
	}
	open(tcp, p.Hosts[h.Name].Listen, greeting)
	open(udp, p.Hosts[h.Name].ListenUDP, datagram(greeting))
	return out, stops
}

// datagram is a greeting that fits into one packet.
func datagram(greeting string) string { return greeting[:256] }

// tryRoutes connects one host to all that it must reach.
func (p *Prober) tryRoutes(ctx context.Context, from string, routes []preflight.Route, listeners map[preflight.Target]listener, greeting string) []preflight.Path {
	var out []preflight.Path
	handle := p.Hosts[from]
	// Where a temporary listener is, its greeting must come; elsewhere a
	// connection is all.
	expecting, plain, datagrams := batch{reach: handle.Reach, expect: greeting}, batch{reach: handle.Reach}, batch{reach: handle.ReachUDP, expect: datagram(greeting)}
	for _, r := range routes {
		l, known := listeners[r.Target]
		if !known || r.Target.UDP && l.kind == preflight.ListenerPresent {
			continue // whoever has a UDP port need not answer
		}
		at, to := len(out), address(r.To, r.Target.Port)
		out = append(out, preflight.Path{From: from, To: r.Target, What: r.What, Listener: l.kind, Error: l.why})
		switch {
		case l.kind == preflight.ListenerFailed:
		case r.Target.UDP:
			datagrams.add(at, to)
		case l.kind == preflight.ListenerOurs:
			expecting.add(at, to)
		default:
			plain.add(at, to)
		}
	}
	var wg sync.WaitGroup
	for _, b := range []batch{expecting, plain, datagrams} {
		if len(b.addresses) == 0 {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			results, err := b.reach(ctx, b.addresses, reachTimeout, b.expect)
			for n, i := range b.at {
				if err != nil {
					if out[i].Untried = strings.TrimPrefix(err.Error(), from+": "); errors.Is(err, context.DeadlineExceeded) {
						out[i].Untried = fmt.Sprintf("it gave no answer within %s", askTimeout)
					}
					continue
				}
				r := results[n]
				out[i].Error = r.Error
				out[i].Connected = r.Connected && r.Answer != protocol.AnswerOther
				out[i].Whole = r.Answer == protocol.AnswerExpected && !out[i].To.UDP
			}
		})
	}
	wg.Wait()
	return out
}

// batch is what one request dials; at are the places of its addresses.
type batch struct {
	reach     func(ctx context.Context, addresses []string, timeout time.Duration, expect string) ([]protocol.DialResult, error)
	addresses []string
	at        []int
	expect    string
}

func (b *batch) add(at int, address string) {
	b.addresses, b.at = append(b.addresses, address), append(b.at, at)
}

// roundTrips times connections between the etcd hosts that can connect.
func (p *Prober) roundTrips(ctx context.Context) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, from := range p.reached() {
		var to []string
		var at []string
		for _, path := range p.out.Paths {
			if path.From == from.Name && path.To.Port == etcd.PeerPort && path.Connected {
				to, at = append(to, path.To.Host), append(at, address(p.Observation.Cluster.Host(path.To.Host), etcd.PeerPort))
			}
		}
		if len(to) == 0 {
			continue
		}
		wg.Go(func() {
			defer p.track("round trips from " + from.Name)()
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			best := make([]time.Duration, len(to))
			for range rounds {
				results, err := p.Hosts[from.Name].Reach(ctx, at, reachTimeout, "")
				if err != nil {
					return // told by what fails next on this host
				}
				for i, r := range results {
					took := time.Duration(r.Micros) * time.Microsecond
					if r.Connected && (best[i] == 0 || took < best[i]) {
						best[i] = took
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for i, name := range to {
				if best[i] > 0 {
					p.out.RoundTrips = append(p.out.RoundTrips, preflight.RoundTrip{From: from.Name, To: name, Took: best[i]})
				}
			}
		})
	}
	wg.Wait()
}

func address(h *cluster.Host, port int) string {
	return net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(port))
}
