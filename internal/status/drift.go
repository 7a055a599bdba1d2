package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/plan"
)

// driftShown is how many of the things that differ on a host are named.
const driftShown = 3

// drift tells, host by host, what is not as the file asks for. On a host with
// something worse, and while the API does not answer, that is told alone.
func (a assessment) drift(pending []plan.Step) {
	if a.s.API == nil {
		return
	}
	var hosts []string
	differ := map[string][]string{}
	for _, step := range pending {
		if !slices.Contains(hosts, step.Host) {
			hosts = append(hosts, step.Host)
		}
		for _, change := range step.Changes {
			if !slices.Contains(differ[step.Host], change.What) { // more than one step may change it
				differ[step.Host] = append(differ[step.Host], change.What)
			}
		}
	}
	for _, host := range hosts {
		worse := slices.ContainsFunc(a.Problems, func(p Problem) bool { return p.Subject == host && p.Severity == diag.SeverityError })
		if worse || len(differ[host]) == 0 {
			continue
		}
		named, more := differ[host], ""
		if n := len(named) - driftShown; n > 0 {
			named, more = named[:driftShown], fmt.Sprintf(" and %d more", n)
		}
		a.warn(Drift, host, fmt.Sprintf("not as the file asks for: %s%s", strings.Join(named, ", "), more),
			"quorate plan shows what differs; quorate apply puts it right")
	}
}
