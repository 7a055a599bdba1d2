package status

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// ownBalancer judges what a node sees through the user's balancer. Its backends
// are the same for all nodes, so that what is wrong with them is told once.
func (a assessment) ownBalancer(h *cluster.Host) *Proxy {
	if !a.reached(h.Name) {
		return nil
	}
	observed := a.s.Hosts[h.Name].Proxy
	if observed == nil {
		return nil
	}
	p := &Proxy{Total: len(a.c.ControlPlanes())}
	if observed.Error != "" {
		p.Detail = "no answer through it"
		if a.readyAPIServers() > 0 {
			a.add(Problem{
				Kind: BalancerUnreachable, Severity: diag.SeverityError, Subject: h.Name, Summary: "it does not reach the API through your balancer",
				Detail: observed.Error, Hint: "quorate endpoint check tells what is wrong, and where",
			})
		}
		return p
	}
	var unexplained []string
	for _, b := range observed.Backends {
		switch {
		case b.Name == "":
			a.once(Problem{
				Kind: BalancerStranger, Severity: diag.SeverityWarning,
				Summary: "your balancer also carries to an API server that is none of the control-plane hosts in the file",
				Detail:  b.Detail, Hint: "take hosts that are no longer control plane out of its backends; an API server that runs with a certificate that was replaced is restarted by quorate apply",
			})
		case b.Up:
			p.Up++
		default:
			p.Down = append(p.Down, b.Name)
			if a.apiReady(b.Name) {
				unexplained = append(unexplained, b.Name)
			}
		}
	}
	if len(unexplained) > 0 {
		a.once(Problem{
			Kind: BalancerBackendDown, Severity: diag.SeverityError,
			Summary: fmt.Sprintf("your balancer does not carry to the API server of %s, which is ready", andList(unexplained)),
			Hint:    "quorate endpoint check tells what is wrong; a balancer takes a few health checks to find an API server that has just started",
		})
	}
	return p
}

// once adds a problem unless it was told before.
func (a assessment) once(p Problem) {
	if !slices.ContainsFunc(a.Problems, func(o Problem) bool { return o.Kind == p.Kind && o.Summary == p.Summary }) {
		a.add(p)
	}
}
