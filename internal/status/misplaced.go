package status

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/preflight"
)

// misplaced tells the hosts of which the file is wrong: they belong to something
// else than its cluster, or have joined it with another address. No apply goes on
// before that is put right, whatever else is said.
func (a assessment) misplaced() {
	for _, f := range preflight.Misplaced(a.c, a.s) {
		p := Problem{Kind: HostMisplaced, Severity: diag.SeverityError, Subject: "cluster", Summary: f.Summary, Hint: f.Hint}
		if len(f.Hosts) == 1 {
			p.Subject, p.Summary = f.Hosts[0], strings.TrimPrefix(f.Summary, f.Hosts[0]+" ")
		}
		a.add(p)
	}
	for i := range a.c.Hosts {
		h := &a.c.Hosts[i]
		if joined, moved := preflight.Moved(a.c, a.s, a.members, h); moved {
			why, hint := etcd.AnotherAddress(h, joined)
			a.error(AddressDiffers, h.Name, strings.TrimPrefix(why, h.Name+" ")+", at which it was asked", hint)
		}
	}
}

// told reports whether a kind of problem was told of a host.
func (a assessment) told(kind Kind, host string) bool {
	return slices.ContainsFunc(a.Problems, func(p Problem) bool { return p.Kind == kind && p.Subject == host })
}

// asAddressed takes back what was said only because hosts were asked at addresses
// that are not theirs: nobody knows how they are.
func (a assessment) asAddressed() {
	members := slices.ContainsFunc(a.c.EtcdHosts(), func(h *cluster.Host) bool { return a.told(AddressDiffers, h.Name) })
	a.Problems = slices.DeleteFunc(a.Problems, func(p Problem) bool {
		switch p.Kind {
		case APIServerNotReady, EtcdMemberDown, EtcdNotMember:
			return a.told(AddressDiffers, p.Subject)
		case EtcdNoQuorum, EtcdNoLeader, EtcdUnknownMember:
			return members
		}
		return false
	})
}

// misaddressed are the control-plane hosts that were asked at an address that is
// not theirs: that they do not answer there is no outage.
func (a assessment) misaddressed() []string {
	var out []string
	for _, h := range a.c.ControlPlanes() {
		if a.told(AddressDiffers, h.Name) {
			out = append(out, h.Name)
		}
	}
	return out
}
