package endpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
)

// queryMoved asks for the traces of each mode.
func queryMoved(q *protocol.FactsRequest) {
	for _, path := range []string{haproxyUnitFile, nginxUnitFile, keepalivedUnitFile, kubeVIPFile} {
		q.Files = append(q.Files, protocol.FileQuery{Path: path})
	}
	component.AskFiles(q, provedFile)
}

// refuseMoved refuses to change who balances on a running cluster. Nodes would
// find the new address in their hosts files, but pods on the host network,
// kube-proxy among them, have a copy from when they were started, and would be
// cut off when the old way ends.
func refuseMoved(in component.Input, out *component.Output) {
	if !in.APIExpected() {
		return
	}
	c := in.Cluster
	mode := c.Endpoint.LoadBalancer.Mode
	refuse := func(was, trace, h, now string) {
		out.Refuse("change it back in the cluster file; a cluster with another endpoint is built on hosts that were reset",
			"the endpoint of the running cluster is balanced by %s (%s is on %s), and cannot be changed to %s by an apply", was, trace, h, now)
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		for _, t := range traces(c, h) {
			if t.mode != mode && facts.Files[t.path].Exists {
				refuse("mode "+string(t.mode), t.path, h.Name, "mode "+string(mode))
				return // the other hosts' traces tell the same
			}
		}
		_, was, _ := strings.Cut(strings.TrimSpace(facts.Files[provedFile].Content), " ")
		if now := balancerName(c); mode == cluster.BalancerExternal && was != "" && was != now {
			refuse(was, provedFile, h.Name, now)
			return
		}
	}
}

// trace is a file that only hosts of one mode have.
type trace struct {
	mode cluster.BalancerMode
	path string
}

// traces are the files by which a host's mode is known. HAProxy's unit is that
// of load balancers, too.
func traces(c *cluster.Cluster, h *cluster.Host) []trace {
	out := []trace{
		{cluster.BalancerManaged, keepalivedUnitFile}, {cluster.BalancerExternal, provedFile}, {cluster.BalancerKubeVIP, kubeVIPFile},
	}
	if h.IsNode() && !h.Has(cluster.RoleControlPlane) && !slices.Contains(c.Balancers(), h) {
		out = append(out, trace{cluster.BalancerLocalhost, haproxyUnitFile}, trace{cluster.BalancerLocalhost, nginxUnitFile})
	}
	return out
}

// provedRecord is the note of a proof that succeeded: what was proved, and
// which balancer that was.
func provedRecord(c *cluster.Cluster) component.File {
	return component.File{Path: provedFile, Content: fmt.Appendf(nil, "%s %s\n", provenDigest(c), balancerName(c)), Mode: 0o644}
}
