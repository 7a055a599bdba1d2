// Package etcd runs etcd members as systemd units on the etcd hosts, with TLS
// under an authority of their own. The first members start together; a member
// that comes later joins as a learner.
package etcd

import (
	"embed"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/members"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
)

//go:embed etcd.yaml.tmpl etcd.service.tmpl
var templates embed.FS

const (
	unit       = "etcd.service"
	unitFile   = "/etc/systemd/system/etcd.service"
	configFile = etcd.Dir + "/etcd.yaml"
	pkiDir     = etcd.Dir + "/pki"
	// clientCA is etcd's authority as the API servers read it, where kubeadm has it.
	clientCA = component.KubernetesPKI + "/etcd/ca.crt"
)

// capSysResource is CAP_SYS_RESOURCE's bit (linux/capability.h).
const capSysResource = 24

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, r catalog.Release, h *cluster.Host, q *protocol.FactsRequest) {
	if slices.Contains(c.EtcdHosts(), h) {
		q.Files = append(q.Files,
			protocol.FileQuery{Path: etcd.MemberDir(c)},
			protocol.FileQuery{Path: etcd.FormedMarker})
	}
	if c.Etcd.Mode != cluster.EtcdExternal {
		return
	}
	if h.Has(cluster.RoleEtcd) {
		component.AskService(q, unit, unitFile, configFile)
		component.AskBinaries(q, r.Binaries(cluster.RoleEtcd))
		for _, leaf := range leaves(h) {
			q.Files = append(q.Files, leaf.queries()...)
		}
	}
	if h.Has(cluster.RoleControlPlane) {
		q.Files = append(q.Files, protocol.FileQuery{Path: clientCA, Certificate: true})
		q.Files = append(q.Files, clientLeaf().queries()...)
	}
}

// leaf is a certificate of a host, at path.crt and path.key.
type leaf struct {
	path string
	pki.Leaf
}

// leaves are the certificates of an etcd host. The server's is a client's
// too: etcd's own HTTP gateway uses it to reach its gRPC server.
func leaves(h *cluster.Host) []leaf {
	names := []string{h.Name, "localhost"}
	addresses := []netip.Addr{h.InternalAddress, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	member := pki.Leaf{CommonName: h.Name, Names: names, Addresses: addresses, Server: true, Client: true}
	return []leaf{
		{pkiDir + "/server", member},
		{pkiDir + "/peer", member},
		{pkiDir + "/healthcheck-client", pki.Leaf{CommonName: "kube-etcd-healthcheck-client", Client: true}},
	}
}

// clientLeaf is the API servers' certificate for etcd, where kubeadm has it.
func clientLeaf() leaf {
	return leaf{component.KubernetesPKI + "/apiserver-etcd-client", pki.Leaf{CommonName: "kube-apiserver-etcd-client", Client: true}}
}

// Plan makes the steps for external etcd; stacked etcd is part of the control plane.
func Plan(in component.Input, out *component.Output) {
	if in.Cluster.Etcd.Mode != cluster.EtcdExternal {
		return
	}
	planMembers(in, out)
	planClients(in, out)
}

func planMembers(in component.Input, out *component.Output) {
	membership := etcd.Assess(in.Cluster, in.Snapshot)
	hosts := in.Cluster.EtcdHosts()
	var via []string
	for _, h := range hosts {
		if s := membership.Situations[h.Name]; s == etcd.Running || s == etcd.Bootstrap {
			via = append(via, h.Name)
		}
	}
	var previous plan.ID // learners join one at a time
	for _, h := range hosts {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		binaries := plan.On("etcd/binaries", h.Name)
		replaced := component.PlanBinaries(in, h, facts, binaries, "install etcd", unit, in.Release.Binaries(cluster.RoleEtcd), out)
		certificates := plan.On("etcd/certificates", h.Name)
		wanted{
			host: h.Name, id: certificates, title: "make etcd's certificates",
			holders: []string{h.Name}, leaves: leaves(h), authority: pkiDir + "/ca.crt",
		}.plan(facts, out)
		needs := []plan.ID{binaries, certificates}

		if why, hint := membership.Refusal(in.Cluster, h); why != "" {
			out.Refuse(hint, "%s", why)
			continue
		}
		if membership.Situations[h.Name] == etcd.Joining {
			id := plan.On(component.StepEtcdMember, h.Name)
			join := members.Join{
				Host: h.Name, PeerURL: etcd.PeerURL(h), PKI: pkiDir, Via: via,
				Start: startJoining(in, h),
			}
			out.Add(plan.Step{
				ID: id, Host: h.Name, Title: "join the etcd cluster as a learner, then as a voter",
				Why: "no voting member", Needs: append(needs, append(component.Each(component.StepEtcdMember, othersOf(h, in, membership)), previous)...),
				Changes: []plan.Change{{What: configFile, Action: "create"}, {What: "etcd member " + h.Name, Action: "create"}},
			}, join)
			previous = id
			continue
		}
		planMember(in, h, membership, replaced, needs, out)
	}
	members.Conclude(in, membership, out)
}

// othersOf are the hosts whose members run or start before h joins.
func othersOf(h *cluster.Host, in component.Input, m etcd.Membership) []*cluster.Host {
	return slices.DeleteFunc(in.Cluster.EtcdHosts(), func(o *cluster.Host) bool {
		return o.Name == h.Name || m.Situations[o.Name] == etcd.Joining
	})
}

func planMember(in component.Input, h *cluster.Host, m etcd.Membership, replaced bool, needs []plan.ID, out *component.Output) {
	facts := in.Snapshot.Facts(h.Name)
	initial, initialState := m.Initial, "new"
	// What a member was first started with is never changed afterwards: it
	// is not read again, and a rewrite would restart the member for nothing.
	if m.Situations[h.Name] == etcd.Running {
		if i, s, ok := initialOf(facts.Files[configFile].Content); ok {
			initial, initialState = i, s
		}
	}
	service := newService(in, h, initial, initialState)
	service.Replaced = replaced
	changes, impact := component.ServiceChanges(facts, service)
	if len(changes) == 0 {
		return
	}
	out.Add(plan.Step{
		ID: plan.On(component.StepEtcdMember, h.Name), Host: h.Name, Title: "run the etcd member",
		Why: component.WhyOf(changes), Impact: impact, Changes: changes, Needs: needs,
	}, member{Service: service, restarts: impact == plan.ImpactRestart})
}

// initialOf reads the initial membership out of a settings file.
func initialOf(content string) (initial, initialState string, ok bool) {
	for line := range strings.Lines(content) {
		if v, found := strings.CutPrefix(line, "initial-cluster: "); found {
			initial = strings.TrimSpace(v)
		}
		if v, found := strings.CutPrefix(line, "initial-cluster-state: "); found {
			initialState = strings.TrimSpace(v)
		}
	}
	return initial, initialState, initial != "" && initialState != ""
}

func newService(in component.Input, h *cluster.Host, initial, initialState string) component.Service {
	mayRaise := false
	if f := in.Snapshot.Facts(h.Name); f != nil {
		mayRaise = f.Capabilities&(1<<capSysResource) != 0
	}
	return component.Service{
		Host: h.Name, Unit: unit, NoBlock: true,
		Files: []component.File{
			{Path: configFile, Mode: 0o644, Content: settings(in.Cluster, h, initial, initialState)},
			{Path: unitFile, Mode: 0o644, Content: component.Render(templates, "etcd.service.tmpl", map[string]any{
				"MayRaiseLimits": mayRaise, "Formed": etcd.FormedMarker, "Member": etcd.MemberDir(in.Cluster), "DataDir": in.Cluster.Etcd.DataDir,
			})},
		},
	}
}

func settings(c *cluster.Cluster, h *cluster.Host, initial, initialState string) []byte {
	return component.Render(templates, "etcd.yaml.tmpl", map[string]any{
		"Name": h.Name, "DataDir": c.Etcd.DataDir, "Token": c.Name, "PKI": pkiDir,
		"ClientURL": etcd.URL(h.InternalAddress, etcd.ClientPort), "PeerURL": etcd.PeerURL(h),
		"InitialCluster": initial, "InitialState": initialState,
		"Tuning": etcd.Tuning(c.Etcd), "Gates": etcd.Gates,
	})
}

func planClients(in component.Input, out *component.Output) {
	var etcdHosts []string
	for _, h := range in.Cluster.EtcdHosts() {
		etcdHosts = append(etcdHosts, h.Name)
	}
	for _, h := range in.Cluster.ControlPlanes() {
		if facts := in.Snapshot.Facts(h.Name); facts != nil {
			wanted{
				host: h.Name, id: plan.On(component.StepEtcdClient, h.Name), title: "make the API server's certificate for etcd",
				holders: etcdHosts, leaves: []leaf{clientLeaf()}, authority: clientCA, caFile: clientCA,
			}.plan(facts, out)
		}
	}
}
