package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/kube"
)

// newRelay is the work of running a host's relay.
func newRelay(h *cluster.Host, s component.Service) component.Service {
	s.Prepare = func(ctx context.Context, rt *component.Runtime, _ func(string)) error {
		host, err := rt.Host(h.Name)
		if err != nil {
			return err
		}
		return host.CopyAgent(ctx, component.RelayProgram)
	}
	return s
}

// portsTimeout bounds how long a host's API may take to be seen on both ports.
const portsTimeout = time.Minute

// seePorts is the work of seeing a host's API on each of the ports: from the host
// itself, and from all that will go there.
type seePorts struct {
	host   *cluster.Host
	ports  []int
	askers map[string]string // hosts, with the file by which they trust API servers
}

// Check implements component.Op.
func (o seePorts) Check(context.Context, *component.Runtime) (bool, error) { return false, nil }

// Apply implements component.Op: there is nothing to do but to look.
func (o seePorts) Apply(context.Context, *component.Runtime, func(string)) error { return nil }

// Verify implements component.Op.
func (o seePorts) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return component.Until(ctx, portsTimeout, "the API of "+o.host.Name+" on both ports", say, func(ctx context.Context) error {
		if err := answers(ctx, rt, o.host.Name, authorityFile, o.host, o.ports); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(mostNodes)
		for name, ca := range o.askers {
			group.Go(func() error { return answers(ctx, rt, name, ca, o.host, o.ports) })
		}
		return group.Wait()
	})
}

// goers are the hosts that go to API servers, with the file by which they trust them.
func goers(in component.Input) map[string]string {
	out := map[string]string{}
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		switch {
		case facts == nil:
		case h.IsNode() && component.Joined(facts):
			out[h.Name] = authorityFile
		case facts.Files[haproxyCAFile].Exists:
			out[h.Name] = haproxyCAFile
		}
	}
	return out
}

// answers asks from a host whether another one's API server answers on each of the
// ports, whatever it says.
func answers(ctx context.Context, rt *component.Runtime, from, caFile string, to *cluster.Host, ports []int) error {
	h, err := rt.Host(from)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true}
	for _, port := range ports {
		query.LocalHTTP = append(query.LocalHTTP, protocol.HTTPQuery{
			URL:    "https://" + net.JoinHostPort(to.InternalAddress.String(), strconv.Itoa(port)) + "/readyz",
			CAFile: caFile, TimeoutMillis: 2000,
		})
	}
	facts, err := h.Facts(ctx, query)
	if err != nil {
		return err
	}
	for i, reply := range facts.LocalHTTP {
		if reply.Error != "" {
			return fmt.Errorf("the API server of %s does not answer %s on port %d (is there a firewall?): %s", to.Name, from, ports[i], reply.Error)
		}
	}
	return nil
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
