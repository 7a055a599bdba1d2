package drill

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/probe"
)

// AnyKind stands in a budget for every kind that it does not name.
const AnyKind probe.Kind = "gap"

// Budget is what a drill may cost.
type Budget struct {
	// Gap is the longest time in which nothing may have succeeded, by kind;
	// AnyKind is for the kinds that are not named.
	Gap map[probe.Kind]time.Duration `json:"gap,omitempty"`
	// Disturbed is the longest time in which some questions may fail.
	Disturbed time.Duration `json:"disturbed,omitempty"`
	// Unbalanced replaces Gap for kept connections and watches that reach API
	// servers without a balancer that checks them, and Disturbed for all kinds
	// there; 0 means that it does not.
	Unbalanced time.Duration `json:"unbalanced,omitempty"`
	// Behind replaces Disturbed there, too: it is how long a server that is gone may
	// be one of those behind the service address.
	Behind time.Duration `json:"behind,omitempty"`
	// Recovery is the longest time from the end of the fault to a healthy cluster.
	Recovery time.Duration `json:"recovery,omitempty"`
	// Moved is the longest time from the loss of a node to the moment when its
	// pod is ready on another; only for a drill that looks for it.
	Moved time.Duration `json:"moved,omitempty"`
	// Times is how many times over the budget that this one is laid over holds.
	Times float64 `json:"-"`
}

// aloneFor is how soon after its end a fault of a proxy without a stand-in must
// be over for clients.
const aloneFor = 4 * time.Second

// calmer is how much longer than a gap a disturbance may be.
const calmer = 4 * time.Second

// unbalancedFor is how long Kubernetes' own clients take to notice that a
// connection fell silent, 45 seconds, and to make a new one.
const unbalancedFor = 50 * time.Second

// behindFor is how long an API server that was killed stays behind the service
// address, unless it is back before: its lease ends after 15 seconds.
const behindFor = 20 * time.Second

// OwnBudget is what a drill may cost on a cluster where the user says nothing.
// Who reaches an API server without a balancer that checks it notices silence
// by himself only: a pod through the service address, and in endpoint mode
// localhost the operator. A worker's own proxy has nobody to stand in for it: while it is stopped or
// hangs, its node is without the API, and the budget says how soon that ends.
//
// Who only watches through a load balancer that falls silent sends nothing, and so
// hears nothing of the one that took its address over, before the next sign of
// life that he sends himself.
func OwnBudget(c *cluster.Cluster, d Drill, targets []string) Budget {
	alone := c.Endpoint.LoadBalancer.Mode == cluster.BalancerLocalhost && d.On == OnProxies
	if alone && (d.Action == Stop || d.Action == Hang) {
		return d.Budget.With(Budget{Gap: map[probe.Kind]time.Duration{AnyKind: d.Hold + aloneFor}, Disturbed: d.Hold + aloneFor + calmer})
	}
	out := d.Budget
	if d.Action == Kill && d.On == OnControlPlanes && d.Program == "kube-apiserver" {
		out.Behind = behindFor
	}
	if !d.Silences() {
		return out
	}
	out.Unbalanced = unbalancedFor
	if slices.ContainsFunc(c.Balancers(), func(h *cluster.Host) bool { return slices.Contains(targets, h.Name) }) {
		out.Gap = maps.Clone(out.Gap)
		out.Gap[probe.Watch] = max(out.Of(probe.Watch), unbalancedFor)
	}
	return out
}

// FileBudget is what the cluster file says of a drill; empty where it says
// nothing.
func FileBudget(c *cluster.Cluster, d Drill) Budget {
	var out Budget
	for _, b := range c.DrillBudgets {
		if b.Drill != "" && b.Drill != d.Name {
			continue
		}
		over := Budget{Gap: map[probe.Kind]time.Duration{}, Disturbed: b.Disturbed, Recovery: b.Recovery, Moved: b.Moved}
		for kind, limit := range map[probe.Kind]time.Duration{AnyKind: b.Gap, probe.Read: b.Read, probe.KeepAlive: b.KeepAlive, probe.Write: b.Write, probe.Watch: b.Watch} {
			if limit > 0 {
				over.Gap[kind] = limit
			}
		}
		out = out.With(over)
	}
	return out
}

// kinds that a budget may name.
var budgetKinds = []probe.Kind{AnyKind, probe.Read, probe.KeepAlive, probe.Write, probe.Watch}

// mostTimes bounds how many times over a budget may hold.
const mostTimes = 100

// ParseBudget reads "gap=2s", "write=3s,recovery=1m", one or more with commas; "x3"
// is three times the budget that it is laid over.
func ParseBudget(text string) (Budget, error) {
	b := Budget{Gap: map[probe.Kind]time.Duration{}}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if factor, ok := strings.CutPrefix(part, "x"); ok && b.Times == 0 {
			if n, err := strconv.ParseFloat(factor, 64); err == nil && n > 0 && n <= mostTimes {
				b.Times = n
				continue
			}
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return Budget{}, fmt.Errorf("%q is no budget: say gap=2s, or x3 for three times what holds anyway", part)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return Budget{}, fmt.Errorf("%q is no time, as 2s or 500ms", value)
		}
		switch kind := probe.Kind(name); {
		case name == "recovery":
			b.Recovery = d
		case name == "disturbed":
			b.Disturbed = d
		case name == "moved":
			b.Moved = d
		case slices.Contains(budgetKinds, kind):
			b.Gap[kind] = d
		default:
			return Budget{}, fmt.Errorf("there is no budget for %q; there is for gap, read, keep-alive, write, watch, disturbed, recovery and moved", name)
		}
	}
	return b, nil
}

// With is the budget with another laid over it. A gap for all kinds replaces
// those for single kinds.
func (b Budget) With(over Budget) Budget {
	if over.Times > 0 {
		b = b.manifold(over.Times)
	}
	out := Budget{Gap: maps.Clone(b.Gap), Disturbed: b.Disturbed, Recovery: b.Recovery, Moved: b.Moved}
	if out.Gap == nil || over.Gap[AnyKind] > 0 {
		out.Gap = map[probe.Kind]time.Duration{}
	}
	maps.Copy(out.Gap, over.Gap)
	if len(over.Gap) == 0 {
		out.Unbalanced = b.Unbalanced // else the user knows better
		out.Behind = b.Behind
	}
	if over.Disturbed > 0 {
		out.Disturbed, out.Behind = over.Disturbed, 0
	}
	if over.Recovery > 0 {
		out.Recovery = over.Recovery
	}
	if over.Moved > 0 {
		out.Moved = over.Moved
	}
	return out
}

// manifold is the budget several times over.
func (b Budget) manifold(n float64) Budget {
	times := func(d time.Duration) time.Duration { return time.Duration(float64(d) * n) }
	out := Budget{
		Gap: map[probe.Kind]time.Duration{}, Disturbed: times(b.Disturbed), Unbalanced: times(b.Unbalanced), Behind: times(b.Behind),
		Recovery: times(b.Recovery), Moved: times(b.Moved),
	}
	for kind, d := range b.Gap {
		out.Gap[kind] = times(d)
	}
	return out
}

// Of is the longest gap for a kind; 0 means that there is no limit.
func (b Budget) Of(kind probe.Kind) time.Duration {
	if d, ok := b.Gap[kind]; ok {
		return d
	}
	return b.Gap[AnyKind]
}

// For is the longest gap for a kind from a viewpoint, unbalanced or not.
func (b Budget) For(kind probe.Kind, unbalanced bool) time.Duration {
	limit := b.Of(kind)
	if unbalanced && limit > 0 && (kind == probe.KeepAlive || kind == probe.Watch) {
		return max(limit, b.Unbalanced)
	}
	return limit
}

// Disturbance is the longest time in which some questions may fail, from a
// viewpoint, unbalanced or not; 0 means that there is no limit.
func (b Budget) Disturbance(unbalanced bool) time.Duration {
	if unbalanced && b.Disturbed > 0 {
		return max(b.Disturbed, b.Unbalanced, b.Behind)
	}
	return b.Disturbed
}

// String is the budget as ParseBudget reads it.
func (b Budget) String() string {
	var parts []string
	for _, kind := range budgetKinds {
		if d, ok := b.Gap[kind]; ok {
			parts = append(parts, fmt.Sprintf("%s=%s", kind, d))
		}
	}
	if b.Disturbed > 0 {
		parts = append(parts, fmt.Sprintf("disturbed=%s", b.Disturbed))
	}
	if b.Recovery > 0 {
		parts = append(parts, fmt.Sprintf("recovery=%s", b.Recovery))
	}
	if b.Moved > 0 {
		parts = append(parts, fmt.Sprintf("moved=%s", b.Moved))
	}
	return strings.Join(parts, ",")
}
