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
	// API server out of 12 times as many with a chance of one in 100000. One that
	// goes by the number of connections sees as many open at once, as in a proof
	// (keptCalls).
	balancerQuestions = 12
)

// BalancerQueries ask, from a node, through the user's balancer of mode
// external, often enough that every API server behind it answers one of them.
func BalancerQueries(c *cluster.Cluster, h *cluster.Host) []protocol.HTTPQuery {
	from := c.BalancerObservers()
	if !slices.Contains(from, h) {
		return nil
	}
	return throughQueries(c, balancerFrom(c, h), len(c.ControlPlanes())*max(2, (balancerQuestions+len(from)-1)/len(from)))
}

// throughQueries ask so many times for whatever API server is behind an address.
// The connections are held until all are answered, like those of a proof.
func throughQueries(c *cluster.Cluster, address string, times int) []protocol.HTTPQuery {
	return slices.Repeat([]protocol.HTTPQuery{{
		URL: "https://" + address + "/readyz", CAFile: authorityFile, ServerName: c.Endpoint.Domain,
		TimeoutMillis: balancerQueryMillis, Hold: true,
	}}, times)
}

// BalancerState reads the answers to BalancerQueries.
func BalancerState(replies []protocol.HTTPReply) *state.Proxy { return seenState(replies) }

// seenState reads the answers to throughQueries: a backend for each certificate
// that was seen. NameBackends says whose they are.
func seenState(replies []protocol.HTTPReply) *state.Proxy {
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
// through balancers that tell nothing of their backends: the user's, and nginx
// on a node. The user's is one: what any node saw through it counts for all
// that it answers.
func NameBackends(c *cluster.Cluster, snap *state.Snapshot) {
	external := c.Endpoint.LoadBalancer.Mode == cluster.BalancerExternal
	owners := ownersOf(c, snap)
	seen := map[string]bool{}
	var views []*state.Proxy
	for i := range c.Hosts {
		h := &c.Hosts[i]
		observed := snap.Hosts[h.Name]
		if observed == nil || observed.Proxy == nil || external && !slices.Contains(c.BalancerObservers(), h) || !external && on(c, h) != localNginx {
			continue
		}
		if !external {
			seen = map[string]bool{}
		}
		for _, b := range observed.Proxy.Backends {
			seen[owners(b.Address)] = true
		}
		if views = append(views, observed.Proxy); !external {
			observed.Proxy.Backends = backendsSeen(c, seen)
		}
	}
	for _, p := range views {
		if external {
			p.Backends = backendsSeen(c, seen)
		}
		if p.Error != "" {
			p.Backends = nil
		}
	}
}

// ownersOf tells whose certificate a digest is; "" when it is none that is known.
func ownersOf(c *cluster.Cluster, snap *state.Snapshot) func(digest string) string {
	known, unobserved := map[string]string{}, []string{}
	for _, h := range c.ControlPlanes() {
		facts := snap.Facts(h.Name)
		if facts == nil {
			unobserved = append(unobserved, h.Name)
			continue
		}
		if digest := leafDigest(facts); digest != "" {
			known[digest] = h.Name
		}
	}
	return func(digest string) string {
		if known[digest] == "" && len(unobserved) == 1 {
			return unobserved[0] // the cluster's authority vouches for it
		}
		return known[digest]
	}
}

// leafDigest identifies the certificate that a host's API server proves itself with;
// empty where it has none.
func leafDigest(facts *protocol.Facts) string {
	block, _ := pem.Decode([]byte(facts.Files[apiServerCertificate].Certificates))
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// backendsSeen are the control-plane hosts as backends, up where they were seen.
func backendsSeen(c *cluster.Cluster, seen map[string]bool) []state.Backend {
	var out []state.Backend
	for _, cp := range c.ControlPlanes() {
		out = append(out, state.Backend{Name: cp.Name, Address: cp.InternalAddress.String(), Up: seen[cp.Name]})
	}
	if seen[""] {
		out = append(out, state.Backend{Up: true, Detail: "its certificate is on no control-plane host's disk"})
	}
	return out
}
