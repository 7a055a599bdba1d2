package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/state"
)

// apiServerCertificate is what a host's API server proves itself with: each
// has its own, and is told by it from all others.
const apiServerCertificate = component.KubernetesPKI + "/apiserver.crt"

const (
	// balancerQueryMillis bounds one question through the balancer.
	balancerQueryMillis = 2500
	// balancerQuestions, times the number of API servers, is how many questions
	// all nodes together ask at least. A balancer that picks at random leaves an
	// API server out of 12 times as many with a chance of one in 100000.
	balancerQuestions = 12
)

// observers are the nodes that look through the user's balancer: those that
// reach the API through it.
func observers(c *cluster.Cluster) []*cluster.Host {
	if workers := c.Workers(); len(workers) > 0 {
		return workers
	}
	return c.ControlPlanes()
}

// BalancerQueries ask, from a node, through the user's balancer of mode
// external, often enough that every API server behind it answers one of them.
func BalancerQueries(c *cluster.Cluster, h *cluster.Host) []protocol.HTTPQuery {
	from := observers(c)
	if c.Endpoint.LoadBalancer.Mode != cluster.BalancerExternal || !slices.Contains(from, h) {
		return nil
	}
	questions := len(c.ControlPlanes()) * max(2, (balancerQuestions+len(from)-1)/len(from))
	return slices.Repeat([]protocol.HTTPQuery{{
		URL: "https://" + balancerFrom(c, h) + "/readyz", CAFile: authorityFile, ServerName: c.Endpoint.Domain,
		TimeoutMillis: balancerQueryMillis,
	}}, questions)
}

// BalancerState reads the answers to BalancerQueries: a backend for each
// certificate that was seen. NameBackends says whose they are.
func BalancerState(replies []protocol.HTTPReply) *state.Proxy {
	p := &state.Proxy{}
	seen := map[string]int{}
	for _, r := range replies {
		switch {
		case r.PeerSHA256 != "" && r.Status == 200:
			seen[r.PeerSHA256]++
		case r.Error != "":
			p.Error = r.Error
		default:
			p.Error = fmt.Sprintf("it answers %d", r.Status)
		}
	}
	if len(seen) > 0 {
		p.Error = "" // what failed shows as a backend that is not seen
	}
	for _, digest := range slices.Sorted(maps.Keys(seen)) {
		p.Backends = append(p.Backends, state.Backend{Address: digest, Up: true})
	}
	return p
}

// NameBackends tells, once all hosts were observed, which API servers were seen
// through the user's balancer. A balancer is one: what any node saw, counts for
// all that it answers.
func NameBackends(c *cluster.Cluster, snap *state.Snapshot) {
	if c.Endpoint.LoadBalancer.Mode != cluster.BalancerExternal {
		return
	}
	owner, unobserved := map[string]string{}, []string{}
	for _, h := range c.ControlPlanes() {
		facts := snap.Facts(h.Name)
		if facts == nil {
			unobserved = append(unobserved, h.Name)
			continue
		}
		if block, _ := pem.Decode([]byte(facts.Files[apiServerCertificate].Certificates)); block != nil {
			sum := sha256.Sum256(block.Bytes)
			owner[hex.EncodeToString(sum[:])] = h.Name
		}
	}
	seen := map[string]bool{}
	for _, h := range snap.Hosts {
		if h.Proxy == nil {
			continue
		}
		for _, b := range h.Proxy.Backends {
			name := owner[b.Address]
			if name == "" && len(unobserved) == 1 {
				name = unobserved[0] // the cluster's authority vouches for it
			}
			seen[name] = true
		}
	}
	for _, h := range snap.Hosts {
		if h.Proxy == nil || h.Proxy.Error != "" {
			continue
		}
		h.Proxy.Backends = nil
		for _, cp := range c.ControlPlanes() {
			h.Proxy.Backends = append(h.Proxy.Backends, state.Backend{Name: cp.Name, Address: cp.InternalAddress.String(), Up: seen[cp.Name]})
		}
		if seen[""] {
			h.Proxy.Backends = append(h.Proxy.Backends, state.Backend{Up: true, Detail: "its certificate is on no control-plane host's disk"})
		}
	}
}
