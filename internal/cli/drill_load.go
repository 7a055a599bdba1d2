package cli

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
)

// mostEyes bounds how many workers are looked from: more tell nothing new, and
// cost the cluster more.
const mostEyes = 2

// load prepares the clients and what they need in the cluster; clean removes it.
func (room *drillRoom) load(ctx context.Context, credentials kube.Credentials, picks []drill.Pick) (*drill.Load, func(), error) {
	load := &drill.Load{Namespace: drill.NamespacePrefix + room.RunID, Every: room.every, Timeout: room.wait}
	operator, err := viewpoint(room.Session, "", credentials)
	if err != nil {
		return nil, nil, err
	}
	if err := load.SetUp(ctx, operator); err != nil {
		room.notes = append(room.notes, "this machine does not reach the endpoint, so nothing is seen from here: "+err.Error())
		operator.Dial = nil
	} else {
		load.Eyes = append(load.Eyes, drill.Eyes{Viewpoint: operator, Writes: true, Unbalanced: room.Cluster.Endpoint.LoadBalancer.Mode == cluster.BalancerLocalhost})
	}
	workers := room.lookers(picks)
	for i, name := range workers {
		view, err := viewpoint(room.Session, name, credentials)
		if err != nil {
			return nil, nil, err
		}
		endpoint := net.JoinHostPort(room.Cluster.Endpoint.Domain, strconv.Itoa(room.Cluster.Endpoint.Port))
		view.Dial = room.hosts.dial(name, func(ctx context.Context, h *host.Host) (net.Conn, error) { return h.Dial(ctx, "tcp", endpoint) })
		if operator.Dial == nil && i == 0 {
			if err := load.SetUp(ctx, view); err != nil {
				return nil, nil, err
			}
		}
		load.Eyes = append(load.Eyes, drill.Eyes{Viewpoint: view, Host: name, Writes: i == 0})
	}
	if len(load.Eyes) == 0 {
		return nil, nil, errors.New("neither this machine nor a worker reaches the endpoint: nobody could watch")
	}
	clean := func() {
		load.Close()
		load.CleanUp(context.WithoutCancel(ctx))
	}
	if len(workers) > 0 {
		view, err := room.podView(ctx, load, workers[0], credentials)
		if err != nil {
			clean()
			return nil, nil, err
		}
		load.Eyes = append(load.Eyes, view)
	}
	return load, clean, nil
}

// podView starts a pod on a worker and looks from its network at the service
// address.
func (room *drillRoom) podView(ctx context.Context, load *drill.Load, worker string, credentials kube.Credentials) (drill.Eyes, error) {
	ip, err := load.Pod(ctx, worker, room.Release.PauseImage())
	if err != nil {
		return drill.Eyes{}, err
	}
	view, err := viewpoint(room.Session, worker, credentials)
	if err != nil {
		return drill.Eyes{}, err
	}
	service := net.JoinHostPort(room.Cluster.ServiceIP().String(), "443")
	view.Name = "pod on " + worker
	pod := &podEyes{address: ip, ask: load.PodAddress}
	view.Dial = room.hosts.dial(worker, func(ctx context.Context, h *host.Host) (net.Conn, error) {
		conn, err := h.DialFromPod(ctx, pod.now(), service)
		if failure, ok := errors.AsType[*protocol.Error](err); ok && failure.Kind == protocol.KindNotExist {
			pod.lookAgain(ctx)
		}
		return conn, err
	})
	return drill.Eyes{Viewpoint: view, Host: worker, Unbalanced: true}, nil
}

// lookers are the workers to look from: those whose own proxy is a target
// first, since its clients are the ones that notice.
func (room *drillRoom) lookers(picks []drill.Pick) []string {
	var out []string
	add := func(name string) {
		h := room.Cluster.Host(name)
		if h != nil && len(out) < mostEyes && !slices.Contains(out, name) && h.IsNode() && !h.Has(cluster.RoleControlPlane) {
			out = append(out, name)
		}
	}
	for _, p := range picks {
		if p.Drill.On == drill.OnProxies {
			add(string(p.Target))
		}
	}
	for _, h := range room.Cluster.Workers() {
		add(h.Name)
	}
	return out
}

// podEyes is the pod that is looked from; its address is another one after its
// node was restarted.
type podEyes struct {
	ask func(context.Context) (string, error)

	mu      sync.Mutex
	address string
	asking  bool
}

func (p *podEyes) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// lookAgain asks for the pod's address; one question at a time is enough.
func (p *podEyes) lookAgain(ctx context.Context) {
	p.mu.Lock()
	busy := p.asking
	p.asking = true
	p.mu.Unlock()
	if busy {
		return
	}
	address, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking = false; err == nil {
		p.address = address
	}
}
