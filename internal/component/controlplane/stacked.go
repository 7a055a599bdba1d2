package controlplane

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/members"
	"github.com/quorate/quorate/internal/plan"
)

// What a member of stacked etcd was first started with, among its flags.
const (
	argInitialCluster = "initial-cluster"
	argInitialState   = "initial-cluster-state"
)

// etcdTools are the etcd binaries of a control-plane host with stacked etcd:
// the server itself is in the static pod's image.
func etcdTools(r catalog.Release) []catalog.Binary {
	return slices.DeleteFunc(r.Binaries(cluster.RoleEtcd), func(b catalog.Binary) bool { return b.Name == "etcd" })
}

func planEtcdTools(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	component.PlanBinaries(in, h, facts, plan.On("etcd/binaries", h.Name), "install etcd's tools", "", etcdTools(in.Release), out)
}

// withMembership gives the settings what a host's member is first started with.
// It is never changed afterwards: it is not read again, and a rewrite would
// restart the member for nothing.
func (s settings) withMembership(h *cluster.Host, facts *protocol.Facts, m etcd.Membership) settings {
	s.EtcdInitialCluster, s.EtcdInitialState = m.Initial, "new"
	if initial, state := initialOf(facts.Files[manifest(podEtcd)].Content); m.Situations[h.Name] == etcd.Running && initial != "" && state != "" {
		s.EtcdInitialCluster, s.EtcdInitialState = initial, state
	}
	return s
}

// initialOf reads the first membership out of a member's manifest.
func initialOf(manifest string) (initial, state string) {
	for line := range strings.Lines(manifest) {
		arg := strings.TrimPrefix(strings.TrimSpace(line), "- ")
		if v, ok := strings.CutPrefix(arg, "--"+argInitialCluster+"="); ok {
			initial = v
		}
		if v, ok := strings.CutPrefix(arg, "--"+argInitialState+"="); ok {
			state = v
		}
	}
	return initial, state
}

// planStackedMember plans the etcd static pod of a host. The first members
// start together with the same membership; a later one joins as a learner; one
// that runs is restarted.
func planStackedMember(in component.Input, h *cluster.Host, facts *protocol.Facts, s settings, m etcd.Membership, out *component.Output) {
	step := plan.Step{
		ID: plan.On(component.StepEtcdMember, h.Name), Host: h.Name,
		Needs: []plan.ID{
			plan.On(component.StepCertificates, h.Name), plan.On(stepKubelet, h.Name), plan.On(component.StepImages, h.Name), plan.On("etcd/binaries", h.Name),
		},
	}
	if why, hint := m.Refusal(in.Cluster, h); why != "" {
		out.Refuse(hint, "%s", why)
		return
	}
	op := stackedMember{host: hostOf(h, s), pod: staticPod{podEtcd, made{settings: s.digests().pods[podEtcd]}}}
	if m.Situations[h.Name] == etcd.Joining {
		planStackedJoin(in, h, s, m, step, op, out)
		return
	}
	step.Title = "run the etcd member"
	switch {
	case facts.Files[manifest(podEtcd)].Exists && facts.Files[manifest(podEtcd)].Size == 0:
		step.Why = manifest(podEtcd) + " is empty"
		step.Changes = []plan.Change{{What: manifest(podEtcd), Action: "update"}}
	case !facts.Files[manifest(podEtcd)].Exists, !facts.Files[etcd.FormedMarker].Exists:
		step.Why = "not running"
		step.Changes = []plan.Change{{What: manifest(podEtcd), Action: "create"}}
	case recorded(facts.Files[etcdRecord].Content)[podEtcd] != op.pod.made, component.Edited(facts, manifest(podEtcd)):
		step.Why, step.Impact = "made with other settings", plan.ImpactRestart
		if recorded(facts.Files[etcdRecord].Content)[podEtcd] == op.pod.made {
			step.Why = manifest(podEtcd) + " was edited by hand: apply makes it as the cluster file says"
		}
		step.Changes = []plan.Change{{What: manifest(podEtcd), Action: "update"}}
		_, settings := component.FileChanges(facts, []component.File{op.config})
		step.Changes = append(step.Changes, settings...)
		op.restarts = true
	default:
		return
	}
	out.Add(step, op)
}

// planStackedJoin plans a member that joins a cluster that runs, one at a time
// and after all others.
func planStackedJoin(in component.Input, h *cluster.Host, s settings, m etcd.Membership, step plan.Step, op stackedMember, out *component.Output) {
	var via []string
	for _, o := range in.Cluster.EtcdHosts() {
		if m.Situations[o.Name] != etcd.Joining {
			via = append(via, o.Name)
		} else if o.Name >= h.Name {
			continue
		}
		step.Needs = append(step.Needs, plan.On(component.StepEtcdMember, o.Name))
	}
	step.Title, step.Why = "join the etcd cluster as a learner, then as a voter", "no voting member"
	step.Changes = []plan.Change{{What: manifest(podEtcd), Action: "create"}, {What: "etcd member " + h.Name, Action: "create"}}
	out.Add(step, stackedJoin{host: op.host, pod: op.pod, Join: members.Join{
		Host: h.Name, PeerURL: etcd.PeerURL(h), PKI: etcd.PKI(in.Cluster), Via: via,
		Start: func(ctx context.Context, rt *component.Runtime, initialCluster string) error {
			joining := s
			joining.EtcdInitialCluster, joining.EtcdInitialState = initialCluster, "existing"
			return hostOf(h, joining).makePods(ctx, rt, []staticPod{op.pod}, "etcd", "local")
		},
	}})
}

// stackedJoin is the work of joining a member that runs as a static pod.
type stackedJoin struct {
	members.Join
	host host
	pod  staticPod
}

// Verify implements component.Verifier.
func (o stackedJoin) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.Join.Verify(ctx, rt, say); err != nil {
		return err
	}
	return o.host.noteEtcd(ctx, rt, o.pod)
}

// noteEtcd records that a host's member was seen to run as it was made.
func (h host) noteEtcd(ctx context.Context, rt *component.Runtime, pod staticPod) error {
	return h.note(ctx, rt, recordOf(etcdRecord, map[string]made{podEtcd: pod.made}), manifest(podEtcd))
}

// stackedMember is the work of running a member as a static pod: one of the
// first, or one that runs already, with other settings.
type stackedMember struct {
	host
	pod      staticPod
	restarts bool // it runs, and is taken down
}

// Apply implements component.Op.
func (o stackedMember) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if o.restarts {
		if err := members.GuardQuorum(ctx, rt, o.name, say); err != nil {
			return err
		}
	}
	if _, err := component.WriteFiles(ctx, rt, o.name, []component.File{recordOf(etcdRecord, nil)}); err != nil {
		return err
	}
	return o.makePods(ctx, rt, []staticPod{o.pod}, "etcd", "local")
}

// Verify implements component.Verifier: a member that ran before must have been
// replaced, since the old one is healthy until it ends.
func (o stackedMember) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if o.restarts {
		if err := o.replaced(ctx, rt, o.pod, say); err != nil {
			return err
		}
	}
	if err := members.WaitHealthy(ctx, rt, o.name, 5*time.Minute, "kubelet.service", say); err != nil {
		return err
	}
	return o.noteEtcd(ctx, rt, o.pod)
}
