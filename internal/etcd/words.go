package etcd

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
)

// Command is etcdctl with all that it needs on an etcd host.
func Command(c *cluster.Cluster, args string) string {
	pki := PKI(c)
	return fmt.Sprintf("etcdctl --endpoints https://127.0.0.1:%d --cacert %s/ca.crt --cert %s/healthcheck-client.crt --key %s/healthcheck-client.key %s",
		ClientPort, pki, pki, pki, args)
}

// Log is where an etcd host tells what its member does.
func Log(c *cluster.Cluster) string {
	if c.Etcd.Mode == cluster.EtcdStacked {
		return "/var/log/pods/kube-system_etcd-*"
	}
	return "journalctl -u etcd"
}

// Divided tells that the hosts' members are not in one etcd cluster, and how to
// come out of it without losing either copy of the data; both are empty where
// they are in one.
func (m Membership) Divided(c *cluster.Cluster) (why, hint string) {
	if len(m.Clusters) < 2 {
		return "", ""
	}
	var parts []string
	same := true
	for i, v := range m.Clusters {
		same = same && v.ClusterID == m.Clusters[0].ClusterID
		parts = append(parts, fmt.Sprintf("%c (%s, revision %d)", 'A'+i, strings.Join(v.Hosts, ", "), v.Revision))
	}
	why = fmt.Sprintf("the members belong to %d etcd clusters: %s", len(parts), strings.Join(parts, ", "))
	if same {
		why = fmt.Sprintf("%d etcd members each say that they lead: %s", len(parts), strings.Join(parts, ", "))
	}
	hint = "they hold different data, and nobody but you knows which is to stay: keep both. "
	if first := m.Clusters[0]; m.keeps(first) {
		var rest []string
		for _, v := range m.Clusters[1:] {
			rest = append(rest, v.Hosts...)
		}
		hint += fmt.Sprintf("A has the quorum. For A to stay: on %s, %s; `quorate plan` then says what comes next", and(rest), SetAside(c))
	} else {
		hint += fmt.Sprintf("On the hosts of the one that is not to stay: %s; `quorate plan` then says what comes next", SetAside(c))
	}
	if same {
		hint = "an election is over within seconds, so look again first; if it stays so, " + hint
	}
	return why, hint
}

// keeps tells that a cluster has a quorum of the member list that is believed,
// and more of the hosts than all others together.
func (m Membership) keeps(v View) bool {
	others := 0
	for _, o := range m.Clusters[1:] {
		others += len(o.Hosts)
	}
	return v.Leader != "" && len(v.Hosts) > others && m.After(Change{}).Holds()
}

// SetAside is how a host's member is stopped and its data kept.
func SetAside(c *cluster.Cluster) string {
	stop := "`systemctl stop etcd` and"
	if c.Etcd.Mode == cluster.EtcdStacked {
		stop = "`mv /etc/kubernetes/manifests/etcd.yaml /etc/kubernetes/etcd.yaml.aside`, and when etcd has ended"
	}
	return fmt.Sprintf("%s `mv %s %s.aside`", stop, MemberDir(c), MemberDir(c))
}

// AnotherAddress tells that a host has joined with another address than the
// cluster file gives it, and how that is put right.
func AnotherAddress(h *cluster.Host, joined string) (why, hint string) {
	return fmt.Sprintf("%s has joined the cluster with the address %s, and the file gives it %s", h.Name, joined, h.InternalAddress),
		fmt.Sprintf("put internalAddress: %s back in the cluster file, and the address on the host if it has lost it; to give a host that has joined another address is not built", joined)
}

// and words a list: "a", "a and b", "a, b and c".
func and(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
