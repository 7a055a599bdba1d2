package preflight

import (
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/component/endpoint"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/state"
)

const (
	// clusterCA is the CA of the cluster that a node has joined.
	clusterCA    = component.KubernetesPKI + "/ca.crt"
	etcdUnitFile = "/etc/systemd/system/etcd.service"
)

// belongingChecks tell hosts that belong to something else than the cluster of the
// file. An apply would take them over half, so none goes on in spite of them.
func belongingChecks() []Check {
	return []Check{
		{
			Name: "existing-cluster", About: "no other Kubernetes, nor etcd data of another cluster, is on the host",
			Refuses: true, Vital: true, Host: judgeExisting,
		},
		{
			Name: "same-cluster", About: "the hosts that have joined a cluster have joined this one",
			Refuses: true, Vital: true, Cluster: judgeSameCluster,
		},
	}
}

// judgeExisting finds what another installer, or an earlier life of the host,
// has left.
func judgeExisting(o *Observation, h *cluster.Host) []Finding {
	f := o.Snapshot.Facts(h.Name)
	out := otherKubernetes(f, h)
	members := etcd.Assess(o.Cluster, o.Snapshot)
	if _, moved := Moved(o.Cluster, o.Snapshot, members, h); moved {
		return nil // told by itself
	}
	if out != nil || !slices.Contains(o.Cluster.EtcdHosts(), h) || !f.Files[etcd.MemberDir(o.Cluster)].Exists {
		return out // what etcd has on a host of another cluster is that cluster's, too
	}
	if why, _ := members.Divided(o.Cluster); why != "" {
		return out // etcd-members tells it
	}
	if why, hint := members.Refusal(o.Cluster, h); why != "" {
		return []Finding{fail(hint, "%s", why)}
	}
	known := component.OwnUnit(f, etcdUnitFile) || f.Files[etcd.FormedMarker].Exists
	if o.Cluster.Etcd.Mode == cluster.EtcdStacked {
		known = component.Built(f)
	}
	if known {
		return nil
	}
	hint := "use another host, or another etcd.dataDir; move the data away only if nobody needs it any more"
	if runsEtcd(f) {
		hint = "use another host: an etcd runs there"
	}
	return []Finding{fail(hint, "%s has etcd data at %s that is not Quorate's", h.Name, etcd.MemberDir(o.Cluster))}
}

// otherKubernetes finds Kubernetes that another installer put on a host.
func otherKubernetes(f *protocol.Facts, h *cluster.Host) []Finding {
	for _, unit := range sortedKeys(distributionUnits) {
		if f.Units[unit].Load == "loaded" {
			return []Finding{fail("uninstall it by its own means, or use another host", "%s has %s installed (%s)", h.Name, distributionUnits[unit], unit)}
		}
	}
	if component.Built(f) {
		return nil
	}
	var left []string
	for _, path := range []string{component.KubeletConf, component.AdminConf} {
		if f.Files[path].Exists {
			left = append(left, path)
		}
	}
	if left == nil {
		for _, name := range f.Dirs[component.ManifestsDir] {
			left = append(left, component.ManifestsDir+"/"+name)
		}
	}
	if left == nil {
		return nil
	}
	return []Finding{fail("use another host; if nobody needs that cluster any more, take the host out of it with its own tool (kubeadm reset)",
		"%s belongs to a Kubernetes cluster that Quorate did not build: it has %s", h.Name, strings.Join(left, ", "))}
}

// runsEtcd reports whether some etcd serves on a host.
func runsEtcd(f *protocol.Facts) bool {
	return slices.ContainsFunc(f.Listening, func(l protocol.Listener) bool { return l.Port == etcd.ClientPort || l.Port == etcd.PeerPort })
}

// judgeSameCluster compares the CAs of the hosts that have joined a cluster with
// that of the control planes.
func judgeSameCluster(o *Observation) []Finding {
	signing, joined := map[string][]string{}, map[string][]string{} // hosts by CA
	built := false                                                  // a control plane: the nodes may be its
	for _, h := range o.Cluster.Nodes() {
		f := o.Snapshot.Facts(h.Name)
		if f == nil {
			built = built || h.Has(cluster.RoleControlPlane)
			continue
		}
		ca, node := f.Files[clusterCA].Certificates, f.Files[component.KubeletConf].Exists && component.Built(f)
		made := h.Has(cluster.RoleControlPlane) && (f.Files[component.KubeadmConfig].Exists || f.Files[component.AdminConf].Exists)
		built = built || made && node
		switch {
		case node && !made:
			joined[ca] = append(joined[ca], h.Name)
		case h.Has(cluster.RoleControlPlane) && ca != "":
			signing[ca] = append(signing[ca], h.Name)
		}
	}
	groups := slices.SortedFunc(maps.Values(signing), slices.Compare)
	if len(groups) > 1 {
		var parts []string
		for _, g := range groups {
			parts = append(parts, strings.Join(g, ", "))
		}
		return []Finding{fail("take those that belong to another cluster out of the file; one that nobody needs any more is made bare with its own file (`quorate reset`)",
			"control-plane hosts are of different clusters, their CAs differ: %s", strings.Join(parts, " against ")).about(slices.Concat(groups...)...)}
	}
	var out []Finding
	for ca, names := range joined {
		if len(signing[ca]) > 0 || built && (ca == "" || len(groups) == 0) {
			continue // of this cluster; or one of the CAs is lost, which is told by itself
		}
		for _, name := range names {
			out = append(out, elsewhere(o, name, slices.Concat(groups...)))
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Summary, b.Summary) })
	return out
}

// elsewhere tells that a host has joined another cluster than that of signing.
func elsewhere(o *Observation, name string, signing []string) Finding {
	whose := "another cluster"
	if other := endpoint.ClusterNamed(o.Snapshot.Facts(name)); other != "" && other != o.Cluster.Name {
		whose = "cluster " + other
	}
	why := "its CA is not that of " + strings.Join(signing, ", ")
	if len(signing) == 0 {
		why = "it has joined one, and the control plane of this file is not built yet"
	}
	return fail("take it out of this cluster file; a host joins once it has left the other cluster and is bare", "%s belongs to %s: %s", name, whose, why).about(name)
}

// Misplaced tells the hosts that belong to something else than the cluster of the
// file: whoever judges that cluster judges another one by them.
func Misplaced(c *cluster.Cluster, snap *state.Snapshot) []Finding {
	o := &Observation{Input: component.Input{Cluster: c, Snapshot: snap}}
	var out []Finding
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if f := snap.Facts(h.Name); f != nil {
			for _, found := range otherKubernetes(f, h) {
				out = append(out, found.about(h.Name))
			}
		}
	}
	return append(out, judgeSameCluster(o)...)
}
