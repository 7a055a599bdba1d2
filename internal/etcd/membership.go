// Package etcd knows etcd's membership: what situation each host is in,
// which members a new one must know of, and how a member is added as a
// learner and promoted. It serves both ways of running etcd, as systemd units
// and as static pods.
package etcd

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/state"
)

// Ports, as etcd's own defaults have them; MetricsPort is kubeadm's.
const (
	ClientPort  = 2379
	PeerPort    = 2380
	MetricsPort = 2381
)

// FormedMarker is written on an etcd host once its member was seen healthy in
// a cluster with quorum. A host that lost its data after that must be
// replaced, never started anew under its old membership: a raft voter that
// forgot its votes can elect a second leader.
const FormedMarker = "/etc/quorate/etcd-formed"

// Situation is where a host stands in the etcd cluster.
type Situation string

// The situations.
const (
	Bootstrap Situation = "bootstrap" // part of the first membership, not started yet
	Running   Situation = "running"   // has its data and is a voter
	Joining   Situation = "joining"   // to be added, started as a learner and promoted
	Lost      Situation = "lost"      // a member whose data is gone
	Foreign   Situation = "foreign"   // has data of a membership that does not list it
	Unknown   Situation = "unknown"   // cannot be told: no member answers
)

// Membership is the assessment of all etcd hosts.
type Membership struct {
	// Situations by host name.
	Situations map[string]Situation
	// Initial is the first membership, as etcd's initial-cluster: name=url,…;
	// it is only meaningful for hosts in Bootstrap.
	Initial string
	// Known is the membership that running members report, nil while none does.
	Known []state.EtcdPeer
	// Silence says why no running member could be asked, where none could.
	Silence string
}

// PeerURL is the URL under which a host's member is known to the others.
func PeerURL(h *cluster.Host) string { return URL(h.InternalAddress, PeerPort) }

// URL is an https URL of an address and a port.
func URL(a netip.Addr, port int) string {
	return "https://" + net.JoinHostPort(a.String(), fmt.Sprint(port))
}

// Assess tells where every etcd host stands. The observed files must include
// the data folder's member folder and FormedMarker of every etcd host.
func Assess(c *cluster.Cluster, snap *state.Snapshot) Membership {
	hosts := c.EtcdHosts()
	m := Membership{Situations: map[string]Situation{}, Known: known(snap)}
	formed, anyData := false, false
	for _, h := range hosts {
		if f := snap.Facts(h.Name); f != nil {
			formed = formed || f.Files[FormedMarker].Exists
			anyData = anyData || f.Files[MemberDir(c)].Exists
		}
	}
	for _, h := range hosts {
		hasData := false
		if f := snap.Facts(h.Name); f != nil {
			hasData = f.Files[MemberDir(c)].Exists
		}
		m.Situations[h.Name] = situation(h, hasData, formed, anyData, m.Known)
	}
	m.Initial = initialOf(hosts)
	if len(m.Known) > 0 && !formed {
		m.Initial = join(m.Known)
	}
	if m.Known == nil {
		m.Silence = silence(hosts, snap)
	}
	return m
}

func situation(h *cluster.Host, hasData, formed, anyData bool, known []state.EtcdPeer) Situation {
	if known == nil {
		switch {
		case hasData:
			return Running
		case formed:
			return Unknown
		default:
			// Nothing was ever healthy: the first membership is still forming.
			return Bootstrap
		}
	}
	at := slices.IndexFunc(known, func(p state.EtcdPeer) bool { return slices.Contains(p.PeerURLs, PeerURL(h)) })
	switch {
	case at < 0 && hasData:
		return Foreign
	case at < 0:
		return Joining
	case known[at].Learner:
		return Joining
	case hasData:
		return Running
	case known[at].Name == "":
		return Joining
	case len(known[at].ClientURLs) == 0:
		// Listed from the start, never ran.
		return Bootstrap
	}
	return Lost
}

// known is the membership of the first member that reports one.
func known(snap *state.Snapshot) []state.EtcdPeer {
	names := make([]string, 0, len(snap.Etcd))
	for name := range snap.Etcd {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if e := snap.Etcd[name]; e.Error == "" && len(e.Members) > 0 {
			return e.Members
		}
	}
	return nil
}

// Refusal tells why nothing can be planned for a host's member, and what to do
// about it; both are empty where something can.
func (m Membership) Refusal(c *cluster.Cluster, h *cluster.Host) (why, hint string) {
	switch m.Situations[h.Name] {
	case Lost:
		return fmt.Sprintf("the etcd member of %s has lost its data folder %s", h.Name, c.Etcd.DataDir),
			"the member must be removed and added anew; while the others have quorum nothing is lost"
	case Foreign:
		return fmt.Sprintf("%s holds etcd data at %s, but the cluster does not list it as a member", h.Name, c.Etcd.DataDir),
			fmt.Sprintf("if it is left over from an earlier life of the host, run `quorate reset --host %s`", h.Name)
	case Unknown:
		return fmt.Sprintf("%s has no etcd data, and no etcd member answers (%s)", h.Name, m.Silence),
			"bring the other etcd hosts back first: a new member can only join a cluster that answers"
	}
	return "", ""
}

// silence collects why the hosts' members did not answer.
func silence(hosts []*cluster.Host, snap *state.Snapshot) string {
	var reasons []string
	for _, h := range hosts {
		if e, ok := snap.Etcd[h.Name]; ok && e.Error != "" {
			reasons = append(reasons, h.Name+": "+e.Error)
		}
	}
	return strings.Join(reasons, "; ")
}

// MemberDir exists once a member has data.
func MemberDir(c *cluster.Cluster) string { return c.Etcd.DataDir + "/member" }

func initialOf(hosts []*cluster.Host) string {
	parts := make([]string, len(hosts))
	for i, h := range hosts {
		parts[i] = h.Name + "=" + PeerURL(h)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func join(peers []state.EtcdPeer) string {
	var parts []string
	for _, p := range peers {
		for _, url := range p.PeerURLs {
			parts = append(parts, p.Name+"="+url)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
