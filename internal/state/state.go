// Package state is the observed model: what the hosts, etcd and the API said
// when they were asked. It is pure data; package observe fills it.
package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Snapshot is everything observed at one time. It never holds a secret.
type Snapshot struct {
	Taken time.Time        `json:"taken"`
	Hosts map[string]*Host `json:"hosts"`
	// Etcd is what the etcd members said, by host; a host that did not
	// answer is absent.
	Etcd map[string]EtcdMember `json:"etcd,omitempty"`
	// EtcdOthers is what members said that run on none of the cluster file's
	// hosts, by member ID; those that did not answer are in it with an Error.
	EtcdOthers map[string]EtcdMember `json:"etcdOthers,omitempty"`
	// API is nil when no API server answered.
	API *API `json:"api,omitempty"`
	// APIError says why, then.
	APIError string `json:"apiError,omitempty"`
	// APIUnauthorized tells that an API server answered then, and took nobody's
	// credentials for the administrator's.
	APIUnauthorized bool `json:"apiUnauthorized,omitempty"`
}

// UnauthorizedHint is what to look at where no API server takes the administrator's
// credentials though they are whole, have not expired and fit the CA on their host.
const UnauthorizedHint = "look at --client-ca-file in /etc/kubernetes/manifests/kube-apiserver.yaml, at whether the CA in /etc/kubernetes/pki/ca.crt has expired, and at the host's clock"

// Host is one observed host.
type Host struct {
	Name string `json:"name"`
	// Error is why the host could not be observed; Facts is nil then.
	Error string `json:"error,omitempty"`
	// Unreachable tells that it does not answer at all, as when it is off: with
	// any other Error it, or this machine, does not let Quorate in.
	Unreachable bool `json:"unreachable,omitempty"`
	// Barrier is how far one came on the way into a host that was not observed.
	Barrier Barrier         `json:"barrier,omitempty"`
	Facts   *protocol.Facts `json:"facts,omitempty"`
	// Clock is how far the host's clock is ahead of the operator's, give or take
	// ClockWithin: the answer was on its way for twice that.
	Clock       time.Duration `json:"clock,omitempty"`
	ClockWithin time.Duration `json:"clockWithin,omitempty"`
	// APIServer is what the host's own API server answered to /readyz.
	APIServer *Probe `json:"apiServer,omitempty"`
	// AdminConf is why the administrator's credentials of the host are not used: they
	// are not as kubeadm writes them.
	AdminConf string `json:"adminConf,omitempty"`
	// Programs are what runs beside the API server of a control-plane host.
	Programs []Program `json:"programs,omitempty"`
	// Proxy holds the backends of the host's own endpoint proxy or, in mode
	// external, of the user's balancer as far as they were seen through it.
	Proxy *Proxy `json:"proxy,omitempty"`
}

// Barrier is what keeps Quorate out of a host.
type Barrier string

// The barriers, in the order in which they are met.
const (
	BarrierSilence Barrier = "silence"  // nothing answers
	BarrierHostKey Barrier = "host-key" // its SSH key is unknown or has changed
	BarrierLogin   Barrier = "login"    // the user is not let in, or has no key or password
	BarrierSudo    Barrier = "sudo"     // the user cannot become root
	BarrierAgent   Barrier = "agent"    // the agent does not start, or does not answer
)

// Probe is the answer of one health endpoint.
type Probe struct {
	OK     bool          `json:"ok"`
	Detail string        `json:"detail,omitempty"` // why not
	Took   time.Duration `json:"took"`
}

// Program is a part of a host's control plane that leads for the cluster or stands by:
// the scheduler, the controller manager.
type Program struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	Detail  string `json:"detail,omitempty"` // why not
}

// Proxy is the state of an endpoint proxy.
type Proxy struct {
	Error    string    `json:"error,omitempty"` // why its state is unknown
	Backends []Backend `json:"backends,omitempty"`
}

// Backend is one API server as a proxy sees it.
type Backend struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Up      bool   `json:"up"`
	Detail  string `json:"detail,omitempty"` // the last health check's result
	// Sessions is how many connections it serves now.
	Sessions int `json:"sessions"`
}

// EtcdMember is one member's own view.
type EtcdMember struct {
	Error string `json:"error,omitempty"` // why it did not answer
	ID    string `json:"id,omitempty"`    // decimal, as etcd's JSON has it
	// ClusterID is the etcd cluster that it belongs to: members with different
	// ones hold different data.
	ClusterID string `json:"clusterID,omitempty"`
	Leader    string `json:"leader,omitempty"`
	Learner   bool   `json:"learner,omitempty"`
	Version   string `json:"version,omitempty"`
	DBBytes   int64  `json:"dbBytes,omitempty"`
	RaftTerm  string `json:"raftTerm,omitempty"`
	// Revision counts the changes of the data that it holds; Applied is how far in
	// the log it came, membership included.
	Revision int64 `json:"revision,omitempty"`
	Applied  int64 `json:"applied,omitempty"`
	// Alarms and other errors that the member reports about itself.
	Errors []string `json:"errors,omitempty"`
	// Members is the membership as this member knows it.
	Members []EtcdPeer `json:"members,omitempty"`
}

// EtcdPeer is an entry of a member list.
type EtcdPeer struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"` // empty: added but never started
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs,omitempty"` // empty: never started
	Learner    bool     `json:"learner,omitempty"`
}

// API is what the Kubernetes API said.
type API struct {
	Version string          `json:"version"`
	Via     string          `json:"via"` // the host whose API server was asked
	Nodes   map[string]Node `json:"nodes"`
	// Leases are holders of the component leases in kube-system, by lease name.
	Leases map[string]Lease `json:"leases,omitempty"`
	// Record holds what Quorate noted in the cluster after finishing a
	// cluster-wide step: subject → digest of what it applied.
	Record map[string]string `json:"record,omitempty"`
	// Workloads of the add-ons, by "kind/namespace/name".
	Workloads map[string]Workload `json:"workloads,omitempty"`
}

// Node is a Kubernetes node.
type Node struct {
	Ready         bool              `json:"ready"`
	Reason        string            `json:"reason,omitempty"` // why it is not
	Kubelet       string            `json:"kubelet"`
	InternalIP    string            `json:"internalIP"`
	Labels        map[string]string `json:"labels,omitempty"`
	Taints        []string          `json:"taints,omitempty"` // key:effect
	Unschedulable bool              `json:"unschedulable,omitempty"`
	// Troubles are the conditions beside Ready that say that something is wrong
	// (DiskPressure, NetworkUnavailable …), with the kubelet's words.
	Troubles map[string]string `json:"troubles,omitempty"`
}

// Lease is a held lease.
type Lease struct {
	Holder  string    `json:"holder"` // the holder's host, its random suffix cut off
	Renewed time.Time `json:"renewed"`
}

// Workload is how many of an add-on's pods are as they should be.
type Workload struct {
	Desired int `json:"desired"`
	Ready   int `json:"ready"`
	Updated int `json:"updated"` // made of the newest settings
	// Unobserved is set while the controller manager has not seen the newest
	// settings: the counts are then of the settings before, and Updated is 0.
	Unobserved bool `json:"unobserved,omitempty"`
	// Together is the node on which all its pods are, of a workload that has several
	// so that one may be lost; empty where they are not.
	Together string `json:"together,omitempty"`
}

// Lacking says why the first pods of a workload are not yet as they should be:
// enough of them, all where enough is 0. It is empty when they are.
func (w Workload) Lacking(enough int) string {
	if enough == 0 || enough > w.Desired {
		enough = w.Desired
	}
	switch {
	case w.Unobserved:
		return "the controller manager has not seen the new settings yet"
	case w.Desired == 0:
		return "no pod is wanted on any node yet"
	case w.Ready < enough:
		return fmt.Sprintf("%d of %d pods are ready", w.Ready, enough)
	case w.Updated < enough:
		return fmt.Sprintf("%d of %d pods have the new settings", w.Updated, enough)
	}
	return ""
}

// Facts returns the facts of a host, or nil when it was not observed.
func (s *Snapshot) Facts(host string) *protocol.Facts {
	if h := s.Hosts[host]; h != nil {
		return h.Facts
	}
	return nil
}

// Unreachable lists the hosts that could not be observed, with the reasons.
func (s *Snapshot) Unreachable() map[string]string {
	out := map[string]string{}
	for name, h := range s.Hosts {
		if h.Facts == nil {
			out[name] = h.Error
		}
	}
	return out
}

// Unknown lists what was asked of hosts that were reached and could not be
// told, in words. It must not be taken for absent.
func (s *Snapshot) Unknown() []string {
	var out []string
	for name, h := range s.Hosts {
		if h.Facts == nil {
			continue
		}
		for part, why := range h.Facts.Unknown {
			out = append(out, fmt.Sprintf("%s: its %s could not be observed: %s", name, part, why))
		}
	}
	slices.Sort(out)
	return out
}
