package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
)

func pathChecks() []Check {
	return []Check{
		{Name: "connectivity", About: "every host really connects to the ports of the others that its roles need", Cluster: judgePaths},
		{Name: "mtu", About: "packets of full size pass between hosts, and their interfaces agree on it", Cluster: judgeMTU},
	}
}

// judgePaths tells what cannot be connected to, once for each port and kind
// of failure, with the hosts that cannot.
func judgePaths(o *Observation) []Finding {
	if o.Probes == nil || len(Routes(o.Cluster)) == 0 {
		return skip("no host needs another's ports")
	}
	out := judgeListeners(o)
	var failed failures
	tried := 0
	for _, p := range o.Probes.Paths {
		if p.Listener == ListenerFailed || p.Untried != "" {
			continue
		}
		tried++
		if !p.Connected {
			failed.add(p)
		}
	}
	for _, f := range failed {
		who := strings.Join(f.from, ", ")
		if f.listener == ListenerNone {
			out = append(out, warn("look at it with `quorate status`", "%s (%s) is installed and does not listen; tried from %s: %s", f.to, f.what, who, f.reason).
				about(f.to.Host))
			continue
		}
		hint := fmt.Sprintf("let %s through to %s port %d of %s in every firewall and security group between", who, f.to.protocol(), f.to.Port, f.to.Host)
		verb := "connect to"
		if f.to.UDP {
			verb = "reach"
		}
		out = append(out, fail(hint, "%s cannot %s %s (%s): %s", who, verb, f.to, f.what, f.reason).
			about(append(slices.Clone(f.from), f.to.Host)...).measured("port", float64(f.to.Port)))
	}
	switch {
	case out != nil:
		return out
	case tried == 0:
		return skip("there were no two hosts to try it between")
	}
	return fine("%d connections between hosts came about", tried)
}

// judgeListeners tells what kept connections from being tried.
func judgeListeners(o *Observation) []Finding {
	var out []Finding
	if why := o.Probes.NoListeners; why != "" {
		out = append(out, warn("run preflight again afterwards", "ports that nobody listens on were not tried: %s", why))
	}
	told := map[string]bool{}
	for _, p := range o.Probes.Paths {
		switch {
		case p.Listener == ListenerFailed && !told["to "+p.To.Host]:
			told["to "+p.To.Host] = true
			reason := p.Error
			if i := strings.LastIndex(reason, ": "); i >= 0 { // the kernel's own words
				reason = reason[i+len(": "):]
			}
			out = append(out, fail("correct the host's internalAddress in the cluster file, or put the address on an interface",
				"%s cannot listen on %s: %s", p.To.Host, o.Cluster.Host(p.To.Host).InternalAddress, reason).about(p.To.Host))
		case p.Untried != "" && !told["from "+p.From]:
			told["from "+p.From] = true
			out = append(out, warn("run preflight again", "what %s can connect to could not be tried: %s", p.From, p.Untried).about(p.From))
		}
	}
	return out
}

// failure is a port that hosts cannot connect to, all for the same reason.
type failure struct {
	to       Target
	what     string
	listener Listener
	reason   string
	from     []string
}

type failures []*failure

func (all *failures) add(p Path) {
	to, reason := p.To, reasonOf(p.Error)
	i := slices.IndexFunc(*all, func(f *failure) bool {
		return f.to == to && f.what == p.What && f.listener == p.Listener && f.reason == reason
	})
	if i < 0 {
		i = len(*all)
		*all = append(*all, &failure{to: to, what: p.What, listener: p.Listener, reason: reason})
	}
	if f := (*all)[i]; !slices.Contains(f.from, p.From) {
		f.from = append(f.from, p.From)
	}
}

// reasonOf shortens what the kernel says of a connection that failed.
func reasonOf(text string) string {
	for _, known := range []struct{ has, say string }{
		{"i/o timeout", "no answer; something drops the packets"},
		{"deadline exceeded", "no answer; something drops the packets"},
		{"connection refused", "the connection is refused"},
		{"no route to host", "no route to host"},
		{"network is unreachable", "the network is unreachable"},
		{"connection reset", "the connection is reset"},
	} {
		if strings.Contains(text, known.has) {
			return known.say
		}
	}
	return text
}

// judgeMTU finds connections on which small packets pass and full ones do
// not, and interfaces of different sizes.
func judgeMTU(o *Observation) []Finding {
	var out []Finding
	whole := 0
	if o.Probes != nil {
		for _, p := range o.Probes.Paths {
			switch {
			case p.Whole:
				whole++
			case p.Connected && p.Listener == ListenerOurs && !p.To.UDP:
				out = append(out, fail("set the interfaces' MTU to what the network between carries, or let ICMP \"fragmentation needed\" through",
					"%s connects to %s, but packets of full size do not come through: %s", p.From, p.To, p.Error).about(p.From, p.To.Host))
			}
		}
	}
	sizes := map[int][]string{}
	for i := range o.Cluster.Hosts {
		h := &o.Cluster.Hosts[i]
		if f := o.Snapshot.Facts(h.Name); f != nil {
			if in := carrier(f, h); in != nil {
				sizes[in.MTU] = append(sizes[in.MTU], h.Name)
			}
		}
	}
	if len(sizes) > 1 {
		var parts, hosts []string
		for _, mtu := range sortedKeys(sizes) {
			parts, hosts = append(parts, fmt.Sprintf("%d on %s", mtu, strings.Join(sizes[mtu], ", "))), append(hosts, sizes[mtu]...)
		}
		out = append(out, warn("give the interfaces of all hosts the same MTU: the pods' network takes its own from them",
			"the hosts' interfaces have different MTUs: %s", strings.Join(parts, "; ")).about(hosts...))
	}
	if out != nil || len(sizes) == 0 {
		return out
	}
	mtu := sortedKeys(sizes)[0]
	text := fmt.Sprintf("all interfaces have an MTU of %d", mtu)
	if whole > 0 {
		text += fmt.Sprintf("; packets of that size passed on %d connections", whole)
	}
	return []Finding{Finding{Status: OK, Summary: text}.measured("mtuBytes", float64(mtu))}
}

// carrier is the interface that has a host's internal address, or nil.
func carrier(f *protocol.Facts, h *cluster.Host) *protocol.Interface {
	for i := range f.Interfaces {
		for _, text := range f.Interfaces[i].Addresses {
			if address, _, _ := strings.Cut(text, "/"); address == h.InternalAddress.String() {
				return &f.Interfaces[i]
			}
		}
	}
	return nil
}

// sortedKeys are a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
