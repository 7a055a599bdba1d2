package preflight

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// accessChecks tell how far Quorate comes on its way into a host.
func accessChecks() []Check {
	names := []struct {
		barrier state.Barrier
		name    string
		about   string
	}{
		{state.BarrierSilence, "reachable", "the host answers on its SSH port, through its bastion where it has one"},
		{state.BarrierHostKey, "host-key", "the host shows the SSH key that is known for it"},
		{state.BarrierLogin, "login", "the user may log in with the key or password given"},
		{state.BarrierSudo, "sudo", "the user may become root"},
		{state.BarrierAgent, "agent", "Quorate's agent starts on the host and answers"},
	}
	order := make([]state.Barrier, len(names))
	for i, n := range names {
		order[i] = n.barrier
	}
	var out []Check
	for i, n := range names {
		out = append(out, Check{
			Name: n.name, About: n.about, Refuses: true, Vital: true, Blind: true,
			Host: func(o *Observation, h *cluster.Host) []Finding {
				return judgeAccess(o, h, i, slices.Index(order, barrierOf(o.observed(h))))
			},
		})
	}
	return out
}

// barrierOf is what keeps Quorate out of a host, or empty.
func barrierOf(h *state.Host) state.Barrier {
	switch {
	case h != nil && h.Facts != nil:
		return ""
	case h == nil || h.Barrier == "":
		return state.BarrierAgent
	}
	return h.Barrier
}

// judgeAccess judges one barrier on the way; stopped is the one that nobody
// came past, or negative.
func judgeAccess(o *Observation, h *cluster.Host, barrier, stopped int) []Finding {
	switch {
	case stopped < 0 || barrier < stopped:
		return nil
	case barrier > stopped:
		return skip("Quorate does not come that far on %s", h.Name)
	}
	observed := o.observed(h)
	if observed == nil {
		return []Finding{fail("", "%s was not observed", h.Name)}
	}
	why := strings.TrimPrefix(observed.Error, h.Name+": ")
	if observed.Unreachable {
		return []Finding{fail("if the host is off, switch it on; if it is on, look at its load and at the way to its SSH server; then run the same command again", "%s cannot be reached: %s", h.Name, why)}
	}
	return []Finding{fail("", "%s: %s", h.Name, why)}
}

// observedChecks tell what a host that was reached could not say.
func observedChecks() []Check {
	return []Check{{
		Name: "observed", About: "the host could tell all that was asked of it", Refuses: true, Vital: true,
		Cluster: func(o *Observation) []Finding {
			var out []Finding
			for _, what := range o.Snapshot.Unknown() {
				host, _, _ := strings.Cut(what, ":")
				out = append(out, fail("nothing was changed; run the same command again when the host is less busy, or look at what it says", "%s", what).about(host))
			}
			return out
		},
	}}
}
