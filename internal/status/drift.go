package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/plan"
)

// driftShown is how many of the things that differ on a host are named.
const driftShown = 3

// hostsFile is where nodes have the endpoint's name from.
const hostsFile = "/etc/hosts"

// drift tells, host by host, what is not as the file asks for. On a host that is
// away or no node of the cluster, and while the API does not answer, that is told
// alone; what else is wrong with a host may come of what differs there.
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
		if a.tellsAll(host) || len(differ[host]) == 0 {
			continue
		}
		if slices.Contains(differ[host], hostsFile) {
			a.blameHostsFile(host)
		}
		named, more := differ[host], ""
		if n := len(named) - driftShown; n > 0 {
			named, more = named[:driftShown], fmt.Sprintf(" and %d more", n)
		}
		a.warn(Drift, host, fmt.Sprintf("not as the file asks for: %s%s", strings.Join(named, ", "), more),
			"quorate plan shows what differs; quorate apply puts it right")
	}
}

// tellsAll reports whether a problem of a host says all that there is to say of it.
func (a assessment) tellsAll(host string) bool {
	return slices.ContainsFunc(a.Problems, func(p Problem) bool {
		return p.Subject == host && slices.Contains([]Kind{HostUnreachable, NodeMissing, HostMisplaced, AddressDiffers}, p.Kind)
	})
}

// blameHostsFile names the cause of a node that is not Ready: without the
// endpoint's name in it, its kubelet finds no API server.
func (a assessment) blameHostsFile(host string) {
	for i := range a.Problems {
		if p := &a.Problems[i]; p.Kind == NodeNotReady && p.Subject == host {
			p.Summary += ": its " + hostsFile + " differs, by which its kubelet finds the API servers"
			p.Hint = "quorate apply puts it back, and replaces the pods that have a copy of it"
		}
	}
}
