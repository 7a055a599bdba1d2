package endpoint

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
)

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

// checkBackends refuses what no balancer can make good, and tells what is left
// out of the proof.
func (p *proof) checkBackends() error {
	if taken := p.judgeTaken(); len(taken) > 0 {
		return &Unproven{Balancer: balancerName(p.cluster), Findings: taken}
	}
	var away []string
	for _, b := range p.backends {
		if b.away != "" {
			away = append(away, b.name+": "+b.away)
		}
	}
	if len(away) == len(p.backends) {
		return fmt.Errorf("there is nothing behind the balancer to reach: %s", strings.Join(away, "; "))
	}
	for _, text := range away {
		p.say("left out is " + text)
	}
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
