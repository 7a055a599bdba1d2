// Package etcd is the one owner of what is known of etcd's membership: which
// host a member is, whose member list is believed, who is healthy, what a
// change makes of the quorum, and what situation each host of the cluster file
// is in. It is pure: planning, the guards of steps, drills, status and reset
// ask it about what was observed. Package members carries changes out.
package etcd

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/quorate/quorate/internal/cluster"
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

// Dir is the folder of etcd's settings where etcd is a systemd unit.
const Dir = "/etc/etcd"

// PKI is the folder of etcd's certificates on an etcd host.
func PKI(c *cluster.Cluster) string {
	if c.Etcd.Mode == cluster.EtcdStacked {
		return "/etc/kubernetes/pki/etcd" // kubeadm's
	}
	return Dir + "/pki"
}

// MemberDir exists once a member has data.
func MemberDir(c *cluster.Cluster) string { return c.Etcd.DataDir + "/member" }

// PeerURL is the URL under which a host's member is known to the others.
func PeerURL(h *cluster.Host) string { return URL(h.InternalAddress, PeerPort) }

// URL is an https URL of an address and a port.
func URL(a netip.Addr, port int) string {
	return "https://" + net.JoinHostPort(a.String(), fmt.Sprint(port))
}
