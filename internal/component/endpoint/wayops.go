package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// wayTime bounds how long the API servers may take to be seen through a way that
// is up: a proxy asks them every second.
const wayTime = time.Minute

// proveWay is the work of seeing the API servers the way that nodes are about to
// be given. Nothing is changed by it.
type proveWay struct {
	targets map[string]string // host → where its way leads
	single  bool              // one API server at a time is behind it
}

// Apply implements component.Op.
func (o proveWay) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	p := &proof{cluster: rt.Cluster, port: apiPort(rt.Cluster), began: time.Now(), say: say, single: o.single}
	defer p.close()
	if err := p.openBackends(ctx, rt); err != nil {
		return err
	}
	for name, target := range o.targets {
		handle, err := rt.Host(name)
		if err != nil {
			return err
		}
		p.callers = append(p.callers, newCaller(name, handle, target))
	}
	slices.SortFunc(p.callers, func(a, b *caller) int { return strings.Compare(a.name, b.name) })
	if err := p.run(ctx, wayTime); err != nil {
		return err
	}
	return p.missed()
}

// missed tells what was not seen; nil where everything was.
func (p *proof) missed() error {
	var errs []error
	for _, c := range p.callers {
		if p.satisfied(c) {
			continue
		}
		var lacks []string
		for _, name := range p.needed(c) {
			if c.seen[name] == 0 {
				lacks = append(lacks, name)
			}
		}
		switch {
		case c.count[reached] == 0 && c.lastText != "":
			errs = append(errs, fmt.Errorf("%s reaches no API server through %s: %s", c.name, c.target, c.lastText))
		case len(lacks) > 0:
			errs = append(errs, fmt.Errorf("%s does not reach the API server of %s through %s", c.name, strings.Join(lacks, " and "), c.target))
		default:
			errs = append(errs, fmt.Errorf("%d of %d calls of %s through %s failed, the last one: %s", c.failed(), c.failed()+c.count[reached], c.name, c.target, c.lastText))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the new way does not lead everywhere; no node was given it, and all go on as before: %w", errors.Join(errs...))
}

// lookedUp is how long a program may go by what it read in a hosts file: those
// written in Go look again after five seconds.
const lookedUp = 6 * time.Second

// leftBehind is the work of waiting until nobody goes the old way: what runs on the
// nodes does not, and others on them had the time to look the name up again.
type leftBehind struct {
	ways map[string]cluster.Way
	left map[string][]int // by node, ports that none of its programs may be connected to any more
}

// Apply implements component.Op: there is nothing to do but to look.
func (o leftBehind) Apply(context.Context, *component.Runtime, func(string)) error { return nil }

// Verify implements component.Verifier.
func (o leftBehind) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	began := time.Now()
	return component.Until(ctx, moveTimeout, "programs of the nodes to look the endpoint's name up again", say, func(ctx context.Context) error {
		if left := lookedUp - time.Since(began); left > 0 {
			return fmt.Errorf("for another %s", left.Round(time.Second))
		}
		for name, way := range o.ways {
			if err := goes(ctx, rt, name, way); err != nil {
				return err
			}
		}
		for name, ports := range o.left {
			for _, port := range ports {
				if err := leftPort(ctx, rt, name, port); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// goesByName are the programs of a node that reach the API servers under the
// endpoint's name, and those of a control-plane host that go by its own API server,
// as the kernel names them: in fifteen letters.
func goesByName(program string) bool {
	switch program {
	case "kubelet", "kube-proxy", "flanneld", "kube-controller", "kube-scheduler":
		return true
	}
	return false
}

// leftPort looks whether what runs on a node has left a port.
func leftPort(ctx context.Context, rt *component.Runtime, name string, port int) error {
	h, err := rt.Host(name)
	if err != nil {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, ConnectedTo: port})
	if err != nil {
		return err
	}
	for _, c := range facts.Connected {
		if goesByName(c.Process) {
			return fmt.Errorf("%s of %s is connected to port %d of %s", c.Process, name, port, c.Address)
		}
	}
	return nil
}

// goes looks whether what runs on a node goes a way, where that has an address.
func goes(ctx context.Context, rt *component.Runtime, name string, way cluster.Way) error {
	h, err := rt.Host(name)
	if err != nil || !way.Address.IsValid() {
		return err
	}
	facts, err := h.Facts(ctx, protocol.FactsRequest{Brief: true, ConnectedTo: way.Port})
	if err != nil {
		return err
	}
	for _, c := range facts.Connected {
		if goesByName(c.Process) {
			if a, err := netip.ParseAddr(c.Address); err == nil && a != way.Address {
				return fmt.Errorf("%s of %s is connected to %s", c.Process, name, a)
			}
		}
	}
	return nil
}
