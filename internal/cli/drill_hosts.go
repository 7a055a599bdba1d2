package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/session"
)

// drillHosts are a session's hosts while some of them are being broken: a
// connection that a fault took is made anew.
type drillHosts struct {
	session  *session.Session
	targeted func(string) bool

	mu      sync.Mutex
	hosts   map[string]*host.Host
	without map[string]error       // whose lock this run does not have: they must not be worked on
	suspect map[string]bool        // was a target, and has not answered since
	gates   map[string]*sync.Mutex // one at a time connects to a host
}

func newDrillHosts(s *session.Session) *drillHosts {
	d := &drillHosts{session: s, hosts: map[string]*host.Host{}, suspect: map[string]bool{}, gates: map[string]*sync.Mutex{}}
	for _, h := range s.Cluster.Hosts {
		d.gates[h.Name] = &sync.Mutex{}
	}
	return d
}

// begin takes the session's hosts, once their lock is held.
func (d *drillHosts) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.gates {
		d.hosts[name] = d.session.Hosts[name]
	}
	d.without = maps.Clone(d.session.Failed)
}

// A host that is a target, or was, is asked whether it is there before it is
// used, and given this long; a new connection, this long.
const (
	aliveTimeout     = 2 * time.Second
	reconnectTimeout = 4 * time.Second
)

// get gives a connected host.
func (d *drillHosts) get(ctx context.Context, name string) (*host.Host, error) {
	gate := d.gates[name]
	if gate == nil {
		return nil, fmt.Errorf("there is no host %s", name)
	}
	gate.Lock()
	defer gate.Unlock()
	hit := d.targeted(name)
	d.mu.Lock()
	if why := d.without[name]; why != nil {
		d.mu.Unlock()
		return nil, why
	}
	h := d.hosts[name]
	d.suspect[name] = d.suspect[name] || hit
	suspect := d.suspect[name]
	d.mu.Unlock()
	if h != nil && !suspect {
		return h, nil
	}
	if h != nil {
		if alive(ctx, h) == nil {
			d.keep(name, h, hit)
			return h, nil
		}
		_ = h.Close(ctx)
	}
	h, err := d.session.Reconnect(ctx, name, reconnectTimeout)
	if err != nil {
		d.keep(name, nil, true)
		return nil, err
	}
	d.keep(name, h, hit)
	return h, nil
}

// keep notes a host's handle, for the session to close in the end, too.
func (d *drillHosts) keep(name string, h *host.Host, suspect bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[name], d.suspect[name] = h, suspect
	if h != nil {
		d.session.Hosts[name] = h
	}
}

func alive(ctx context.Context, h *host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	_, err := h.Facts(ctx, protocol.FactsRequest{Brief: true})
	return err
}

// current is the handle as it is, without a question.
func (d *drillHosts) current(name string) *host.Host {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hosts[name]
}

// dial connects through whatever handle a host has at the time.
func (d *drillHosts) dial(name string, with func(context.Context, *host.Host) (net.Conn, error)) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		h := d.current(name)
		if h == nil {
			return nil, errors.New("the way there is being made anew")
		}
		return with(ctx, h)
	}
}

// askTimeout bounds one question about who leads.
const askTimeout = time.Second

// leaders asks who leads, of all hosts but those named.
func (room *drillRoom) leaders(ctx context.Context, without []string) drill.Leaders {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	skip := map[string]bool{}
	for _, name := range without {
		skip[name] = true
	}
	var mu sync.Mutex
	var out drill.Leaders
	var wg sync.WaitGroup
	ask := func(hosts []*cluster.Host, question func(context.Context, string, *host.Host)) {
		for _, h := range hosts {
			if handle := room.hosts.current(h.Name); handle != nil && !skip[h.Name] {
				wg.Go(func() { question(ctx, h.Name, handle) })
			}
		}
	}
	wg.Go(func() {
		leader := room.etcdLeader(ctx, skip)
		mu.Lock()
		defer mu.Unlock()
		out.Etcd = leader
	})
	vip := room.Cluster.Endpoint.LoadBalancer.VIP
	ask(room.Cluster.Balancers(), func(ctx context.Context, name string, h *host.Host) {
		reply, err := h.Run(ctx, host.Command{Argv: []string{"ip", "-oneline", "address", "show", "to", vip.String()}})
		if err == nil && len(reply.Stdout) > 0 {
			mu.Lock()
			defer mu.Unlock()
			out.VIP = name
		}
	})
	if load := room.runner.Load; load != nil {
		wg.Go(func() {
			scheduler, manager := load.Leases(ctx)
			mu.Lock()
			defer mu.Unlock()
			out.Scheduler, out.ControllerManager = scheduler, manager
		})
	}
	wg.Wait()
	return out
}

// etcdLeader asks the members one after another until one tells who leads: to
// ask all of them every second would weigh on what is measured.
func (room *drillRoom) etcdLeader(ctx context.Context, skip map[string]bool) string {
	for _, h := range room.Cluster.EtcdHosts() {
		handle := room.hosts.current(h.Name)
		if handle == nil || skip[h.Name] {
			continue
		}
		facts, err := handle.Facts(ctx, protocol.FactsRequest{Brief: true, LocalHTTP: etcd.StatusQueries(room.Cluster)})
		if err != nil || len(facts.LocalHTTP) != 2 {
			continue
		}
		m := etcd.StatusOf(facts.LocalHTTP)
		for _, peer := range m.Members {
			if peer.ID != m.Leader {
				continue
			}
			if h := etcd.HostOf(room.Cluster, peer); h != nil {
				return h.Name
			}
		}
	}
	return ""
}

// lockForDrill takes the hosts' lock. The context it returns ends when the
// lock of a host is lost that is no target: of a target, its loss is a part of
// the drill.
func lockForDrill(ctx context.Context, s *session.Session, breakLock bool, targeted func(string) bool) (context.Context, func(), error) {
	held, err := s.Acquire(ctx, "drill", breakLock)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			select {
			case err := <-held.Lost():
				if lost, ok := errors.AsType[*host.LockLostError](err); ok && targeted(lost.Host) {
					continue
				}
				cancel(err)
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		held.Release(context.WithoutCancel(ctx))
		cancel(context.Canceled)
	}, nil
}
