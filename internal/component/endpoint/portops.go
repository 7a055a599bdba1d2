package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/kube"
)

// newRelay is the work of running a host's relay, until its API server answers on
// each of the ports.
func newRelay(h *cluster.Host, facts *protocol.Facts, s component.Service, ports []int) component.Service {
	s.Prepare = func(ctx context.Context, rt *component.Runtime, _ func(string)) error {
		host, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		return host.CopyAgent(ctx, component.RelayProgram)
	}
	if !facts.Files[apiServerManifest].Exists {
		return s // there is no API server yet
	}
	query := protocol.FactsRequest{Brief: true}
	for _, port := range ports {
		query.LocalHTTP = append(query.LocalHTTP, protocol.HTTPQuery{
			URL:    "https://" + net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(port)) + "/readyz",
			CAFile: authorityFile, TimeoutMillis: 2000,
		})
	}
	s.Ready = func(ctx context.Context, rt *component.Runtime) error {
		host, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		facts, err := host.Facts(ctx, query)
		if err != nil {
			return err
		}
		for i, reply := range facts.LocalHTTP {
			if reply.Error != "" {
				return fmt.Errorf("the API server of %s does not answer on port %d: %s", h.Name, ports[i], reply.Error)
			}
		}
		return nil
	}
	return s
}

const (
	// serviceTimeout bounds how long the service "kubernetes" may take to lead to
	// another port.
	serviceTimeout = time.Minute
	// serviceKnown is how long every kube-proxy may take to hear of it.
	serviceKnown = 5 * time.Second
)

// serviceLeads is the work of having pods reach the API servers on a port.
type serviceLeads struct{ port int }

// Check implements component.Op.
func (o serviceLeads) Check(context.Context, *component.Runtime) (bool, error) { return false, nil }

// Apply implements component.Op.
func (o serviceLeads) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	_, err := ask(ctx, rt, say, func(ctx context.Context, c *kube.Client) (struct{}, error) {
		return struct{}{}, c.SetServicePort(ctx, o.port)
	})
	return err
}

// Verify implements component.Op.
func (o serviceLeads) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	var since time.Time
	return component.Until(ctx, serviceTimeout, "the service kubernetes to lead to port "+strconv.Itoa(o.port), say, func(ctx context.Context) error {
		ports, err := ask(ctx, rt, say, func(ctx context.Context, c *kube.Client) ([]int, error) { return c.ServicePorts(ctx) })
		switch {
		case err != nil:
			return err
		case !slices.Equal(ports, []int{o.port}):
			since = time.Time{}
			return fmt.Errorf("it leads to ports %v", ports)
		case since.IsZero():
			since = time.Now()
		}
		if time.Since(since) < serviceKnown {
			return errors.New("not every node has heard of it yet")
		}
		return nil
	})
}
