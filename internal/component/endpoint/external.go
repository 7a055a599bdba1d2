package endpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

const (
	apiServerManifest = component.APIServerManifest
	// provedFile is on every node that was part of a proof that succeeded, and
	// holds the digest of what was proved, and which balancer that was.
	provedFile = component.QuorateDir + "/balancer-proved"
	// recordBackends is the note in the cluster that all API servers were seen
	// through the balancer.
	recordBackends = "balancer-backends"
	// activeTime is how long a balancer may take to find API servers that are
	// ready, from the slowest of settings on.
	activeTime = 3 * time.Minute
)

// planExternal plans the proof of the user's balancer, which comes before all
// else, and that every API server is seen through it, which comes last.
func planExternal(in component.Input, out *component.Output) {
	if in.Cluster.Endpoint.LoadBalancer.Mode != cluster.BalancerExternal {
		return
	}
	planProof(in, out)
	planBackends(in, out)
}

// provedRecord is the note of a proof that succeeded: what was proved, and
// which balancer that was.
func provedRecord(c *cluster.Cluster) component.File {
	return component.File{Path: provedFile, Content: fmt.Appendf(nil, "%s %s\n", provenDigest(c), balancerName(c)), Mode: 0o644}
}

// provenDigest identifies what a proof proves: who calls whom through what. A
// node that only calls matters to itself alone, so that one that is added does
// not unprove the others.
func provenDigest(c *cluster.Cluster) string {
	what := []string{balancerName(c), c.Endpoint.Domain, fmt.Sprint(apiPort(c), c.Endpoint.LoadBalancer.NoHairpin)}
	for _, h := range c.ControlPlanes() {
		what = append(what, h.Name+" "+h.InternalAddress.String())
	}
	slices.Sort(what[3:])
	text, err := json.Marshal(what)
	if err != nil {
		panic(fmt.Sprintf("endpoint: strings must marshal: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func planProof(in component.Input, out *component.Output) {
	record := provedRecord(in.Cluster)
	op := proveBalancer{record: record}
	step := plan.Step{ID: component.StepProof, Title: "prove that " + balancerName(in.Cluster) + " carries every node to every control-plane host"}
	proved := false
	for _, h := range in.Cluster.Nodes() {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		proved = proved || facts.Files[provedFile].Exists
		if differ, _ := component.FileChanges(facts, []component.File{record}); len(differ) > 0 {
			op.nodes = append(op.nodes, h.Name)
			step.Changes = append(step.Changes, plan.Change{What: "way from " + h.Name + " to the balancer", Action: "prove"})
		}
	}
	if len(op.nodes) == 0 {
		return
	}
	step.Why = "not proved yet"
	if proved {
		step.Why = "not proved for these hosts as they are now"
	}
	out.Add(step, op)
}

// proveBalancer is the work of proving the balancer. Nothing is changed by it,
// so that a balancer that is wrong costs nothing but the time to mend it.
type proveBalancer struct {
	record component.File
	nodes  []string // that lack the record
}

// Apply implements component.Op.
func (o proveBalancer) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return Prove(ctx, rt, ProofTime, say)
}

// Verify implements component.Verifier: it records what was proved.
func (o proveBalancer) Verify(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	for _, name := range o.nodes {
		if _, err := component.WriteFiles(ctx, rt, name, []component.File{o.record}); err != nil {
			return err
		}
	}
	return nil
}

func planBackends(in component.Input, out *component.Output) {
	digest := provenDigest(in.Cluster)
	proving := slices.ContainsFunc(out.Steps, func(s plan.Step) bool { return s.ID == component.StepProof })
	if in.Record(recordBackends) == digest && !proving {
		return
	}
	step := plan.Step{
		ID: component.StepBackends, Title: "see every API server through " + balancerName(in.Cluster), Why: in.WhyNot("not seen yet"),
		Needs: append(component.Each(component.StepControlPlane, in.Cluster.ControlPlanes()), component.StepClusterInit),
	}
	step.Needs = append(step.Needs, certified(in)...)
	for _, h := range in.Cluster.ControlPlanes() {
		step.Changes = append(step.Changes, plan.Change{What: "backend " + h.Name, Action: "follow until active"})
	}
	out.Add(step, followBackends{digest: digest})
}

// followBackends is the work of waiting until the balancer has every API
// server for active.
type followBackends struct{ digest string }

// Check implements component.Checker: the plan may have been made while no API
// server answered.
func (o followBackends) Check(ctx context.Context, rt *component.Runtime, say func(string)) (bool, error) {
	return component.Recorded(ctx, rt, say, recordBackends, o.digest)
}

// Apply implements component.Op: there is nothing to do but to look.
func (o followBackends) Apply(context.Context, *component.Runtime, func(string)) error { return nil }

// Verify implements component.Verifier.
func (o followBackends) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := Prove(ctx, rt, activeTime, say); err != nil {
		return err
	}
	return component.RecordDone(ctx, rt, recordBackends, o.digest, say)
}

// resolvedBy tells how nodes that are not control plane find the balancer under
// the endpoint's name, for people.
func resolvedBy(c *cluster.Cluster) string {
	lb := &c.Endpoint.LoadBalancer
	switch {
	case lb.VIP.IsValid():
		return fmt.Sprintf("Quorate puts %s %s into /etc/hosts of the nodes that are not control plane", lb.VIP, c.Endpoint.Domain)
	case strings.EqualFold(lb.VIPHost, c.Endpoint.Domain):
		return fmt.Sprintf("%s is left to DNS on the nodes that are not control plane", c.Endpoint.Domain)
	}
	return fmt.Sprintf("%s must be a DNS name of %s on the nodes that are not control plane: Quorate puts no entry into their /etc/hosts, since the balancer has a name and no address", c.Endpoint.Domain, lb.VIPHost)
}
