package endpoint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Fault is what kind of thing is wrong with a balancer.
type Fault string

// The faults.
const (
	FaultName        Fault = "name"         // a node does not resolve the balancer's name
	FaultListener    Fault = "listener"     // nothing listens on the balancer's port
	FaultFirewall    Fault = "firewall"     // packets get no answer
	FaultPort        Fault = "backend-port" // a backend has another port than its API server
	FaultMissing     Fault = "missing-backend"
	FaultHealthCheck Fault = "health-check" // the balancer comes, and does not believe
	FaultHairpin     Fault = "hairpin"      // a backend does not reach itself
	FaultPath        Fault = "path"         // one node's calls fail where others' do not
	FaultTLS         Fault = "tls"          // somebody else answers
	FaultTaken       Fault = "port-taken"   // another program has the API server's port
)

// Finding is one thing that is wrong with a balancer, with its hint.
type Finding struct {
	Fault   Fault  `json:"fault"`
	Host    string `json:"host,omitempty"` // empty: the balancer itself
	Summary string `json:"summary"`
	Hint    string `json:"hint"`
}

// Unproven is the error of a balancer that was proved wrong.
type Unproven struct {
	Balancer string
	Findings []Finding // at least one
}

// Error names every finding with its hint.
func (e *Unproven) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the balancer %s does not carry every node to every control-plane host:", e.Balancer)
	for _, f := range e.Findings {
		fmt.Fprintf(&b, "\n- %s: %s\n  hint: %s", f.Fault, f.Summary, f.Hint)
	}
	return b.String()
}

// Hint implements the convention for hints.
func (e *Unproven) Hint() string {
	return "put this right in the balancer or the network, then run the same command again; `quorate endpoint guide` prints what to enter, `quorate endpoint check` proves it anew"
}

// judge tells from what was seen what is wrong. It is called when no calls are
// made any more.
func (p *proof) judge() []Finding {
	if p.done() {
		return nil
	}
	out := p.judgeReach()
	if len(out) > 0 && !slices.ContainsFunc(p.callers, func(c *caller) bool { return c.connected() > 0 }) {
		return out // nothing can be said of what is behind it
	}
	seen := p.seenByAny()
	if f := p.judgeStranger(); f != nil {
		out = append(out, *f)
		if len(seen) == 0 {
			return out // what is behind the stranger is its own affair
		}
	}
	for _, b := range p.backends {
		if b.away == "" && !seen[b.name] {
			out = append(out, p.judgeUnseen(b))
		}
	}
	if len(out) == 0 {
		out = p.judgePaths()
	}
	return out
}

// judgeTaken tells on which hosts another program has the API server's port.
func (p *proof) judgeTaken() []Finding {
	var out []Finding
	for _, b := range p.backends {
		if b.stand != nil && b.away != "" {
			out = append(out, Finding{FaultTaken, b.name,
				fmt.Sprintf("port %d of %s cannot be listened on: %s", p.port, b.name, b.away),
				"stop what uses the port on " + b.name})
		}
	}
	return out
}

// judgeReach tells which nodes the balancer does not even take a connection of.
func (p *proof) judgeReach() []Finding {
	var out []Finding
	var lost []*caller
	for _, c := range p.callers {
		switch {
		case c.connected() > 0:
		case c.count[unresolved] > 0 && c.count[refused]+c.count[unanswered] == 0:
			out = append(out, Finding{FaultName, c.name,
				fmt.Sprintf("%s cannot resolve the name of %s: %s", c.name, c.target, c.lastText),
				fmt.Sprintf("give %s a DNS entry that points to the balancer, or give the balancer's IP address in endpoint.loadBalancer.address", strings.TrimSuffix(c.target, ":"+strconv.Itoa(p.cluster.Endpoint.Port)))})
		default:
			lost = append(lost, c)
		}
	}
	if len(lost) == 0 {
		return out
	}
	target := lost[0].target
	allRefused := !slices.ContainsFunc(lost, func(c *caller) bool { return c.count[unanswered] > 0 })
	switch all := len(lost) == len(p.callers); {
	case all && allRefused:
		return append(out, Finding{FaultListener, "",
			fmt.Sprintf("nothing listens at %s: every node's connections are refused", target),
			fmt.Sprintf("add a TCP listener on port %d to the balancer (some balancers refuse, too, while they find all their backends unavailable)", p.cluster.Endpoint.Port)})
	case all:
		return append(out, Finding{FaultFirewall, "",
			fmt.Sprintf("no node gets any answer from %s", target),
			fmt.Sprintf("check the balancer's address in the cluster file, that the balancer is on, and that the firewall (security group) in front of it lets TCP port %d in from the cluster's hosts", p.cluster.Endpoint.Port)})
	}
	for _, c := range lost {
		what := "gets no answer from"
		if c.count[unanswered] == 0 {
			what = "is refused by"
		}
		out = append(out, Finding{FaultFirewall, c.name,
			fmt.Sprintf("%s %s %s, which takes connections of other nodes", c.name, what, c.target),
			fmt.Sprintf("let TCP port %d of the balancer in from %s (%s): a firewall, a security group or the balancer's own access list keeps it out", p.cluster.Endpoint.Port, c.name, p.addressOf(c.name))})
	}
	return out
}

func (p *proof) addressOf(name string) string {
	for address, host := range p.addresses {
		if host == name {
			return address
		}
	}
	return ""
}

// judgeStranger tells that something else than the control-plane hosts answers.
func (p *proof) judgeStranger() *Finding {
	for _, c := range p.callers {
		if c.count[stranger] == 0 {
			continue
		}
		return &Finding{FaultTLS, "",
			fmt.Sprintf("at %s somebody else answers %s, with %s", c.target, c.name, c.strangerText),
			"make the listener plain TCP (layer 4), so that TLS passes through to the API servers, and let its backends be this cluster's control-plane hosts only"}
	}
	return nil
}

// judgeUnseen tells why no call came to a backend, from what arrived at it.
func (p *proof) judgeUnseen(b *backend) Finding {
	if b.stand == nil {
		return Finding{FaultMissing, b.name,
			fmt.Sprintf("no call through the balancer came to %s, whose API server answers at %s", b.name, b.address),
			fmt.Sprintf("add %s to the balancer's backends, or see there why it is taken for unavailable (its health check must be HTTPS /readyz without verification of the certificate, or TCP)", b.address)}
	}
	report := p.reportOf(b)
	connections, requests, failures, failure, from := 0, 0, 0, "", ""
	for _, address := range slices.Sorted(maps.Keys(report.Peers)) {
		peer := report.Peers[address]
		connections, requests, failures = connections+peer.Connections, requests+peer.Requests, failures+peer.Failed
		if peer.Failed > 0 {
			failure, from = peer.Failure, address
		}
	}
	switch {
	case connections > 0 && failures > 0 && requests == 0:
		return Finding{FaultHealthCheck, b.name,
			fmt.Sprintf("the balancer (%s) connects to %s, but its TLS there fails: %s", from, b.name, failure),
			"let its health check be HTTPS GET /readyz without verification of the certificate, or TCP; a check by plain HTTP cannot work"}
	case connections > 0:
		return Finding{FaultHealthCheck, b.name,
			fmt.Sprintf("the balancer comes to %s (%d connections, %d requests answered with 200), yet sends no calls there", b.name, connections, requests),
			"see in the balancer's console why this backend is not in use: disabled, drained, a backup, of weight 0, or a health check that expects something else than 200 from HTTPS GET /readyz"}
	}
	known := p.balancerSources()
	elsewhere, here := p.attempts(report, known)
	switch {
	case len(here) > 0:
		return Finding{FaultFirewall, b.name,
			fmt.Sprintf("%s asks for port %d of %s, and a firewall of that host drops it", here[0].From, p.port, b.name),
			fmt.Sprintf("let TCP port %d in on %s (nft list ruleset, firewall-cmd or ufw show what keeps it out)", p.port, b.name)}
	case len(elsewhere) > 0:
		a := elsewhere[0]
		return Finding{FaultPort, b.name,
			fmt.Sprintf("the balancer (%s) asks for port %d of %s, but its API server's port is %d", a.From, a.Port, b.name, p.port),
			fmt.Sprintf("set the port of the backend %s to %d", b.name, p.port)}
	}
	hint := fmt.Sprintf("add %s to the balancer's backends; if it is there, a firewall between the balancer and %s keeps TCP port %d from it", b.address, b.name, p.port)
	if strange, _ := p.attempts(report, nil); len(strange) > 0 {
		hint += fmt.Sprintf("; somebody at %s asks for its port %d: if that is the balancer, correct the backend's port", strange[0].From, strange[0].Port)
	}
	if report.Blind != "" {
		hint += fmt.Sprintf("; or the backend has another port than %d (%s could not look: %s)", p.port, b.name, report.Blind)
	}
	return Finding{FaultMissing, b.name, fmt.Sprintf("nothing from the balancer arrives at %s", b.name), hint}
}

// balancerSources are the addresses that the balancer speaks to backends from,
// as far as they are known: its own, and those that came to other backends.
func (p *proof) balancerSources() map[string]bool {
	out := map[string]bool{}
	if a := p.cluster.Endpoint.LoadBalancer.VIP; a.IsValid() {
		out[a.String()] = true
	}
	for _, b := range p.backends {
		if b.stand == nil {
			continue
		}
		for address := range p.reportOf(b).Peers {
			if p.addresses[address] == "" {
				out[address] = true
			}
		}
	}
	return out
}

// attempts are the connections that were begun to a host from one of the
// sources (nil: from any but the cluster's own hosts): to other ports than the
// API server's and SSH's, and to the API server's. The most frequent are first.
func (p *proof) attempts(r protocol.ListenReport, sources map[string]bool) (elsewhere, here []protocol.Attempt) {
	const ssh = 22
	for _, a := range r.Attempts {
		switch {
		case sources != nil && !sources[a.From], sources == nil && p.addresses[a.From] != "", a.Count < 2:
		case a.Port == p.port:
			here = append(here, a)
		case a.Port != ssh:
			elsewhere = append(elsewhere, a)
		}
	}
	often := func(x, y protocol.Attempt) int { return y.Count - x.Count }
	slices.SortStableFunc(elsewhere, often)
	slices.SortStableFunc(here, often)
	return elsewhere, here
}

// judgePaths tells what is wrong for single nodes when every backend was seen
// by some node.
func (p *proof) judgePaths() []Finding {
	var out []Finding
	for _, c := range p.callers {
		if p.satisfied(c) {
			continue
		}
		var unseen []string
		for _, name := range p.needed(c) {
			if c.seen[name] == 0 {
				unseen = append(unseen, name)
			}
		}
		switch {
		case len(unseen) == 1 && unseen[0] == c.name:
			out = append(out, Finding{FaultHairpin, c.name,
				fmt.Sprintf("%s reaches the other control-plane hosts through the balancer, but not itself: %d of its %d calls failed (%s)", c.name, c.failed(), c.failed()+c.count[reached], c.lastText),
				"let the balancer translate the source address (SNAT, full proxy) instead of keeping the client's; or, where it cannot, accept it with endpoint.loadBalancer.noHairpin: true, since Quorate's own parts on a control-plane host use its own API server"})
		case len(unseen) > 0:
			out = append(out, Finding{FaultPath, c.name,
				fmt.Sprintf("calls of %s never come to %s, as those of other nodes do: %d of %d failed (%s)", c.name, strings.Join(unseen, " and "), c.failed(), c.failed()+c.count[reached], c.lastText),
				fmt.Sprintf("check the firewall between %s and %s, in case the balancer keeps the client's address", c.name, strings.Join(unseen, " and "))})
		default:
			out = append(out, Finding{FaultPath, c.name,
				fmt.Sprintf("calls of %s through the balancer fail again and again: %d of %d (%s)", c.name, c.failed(), c.failed()+c.count[reached], c.lastText),
				"see in the balancer's console whether a backend comes and goes, or one of them is not a control-plane host; the health check must take a dead one out"})
		}
	}
	return out
}
