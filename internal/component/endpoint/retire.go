package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// program is one that Quorate runs as a unit to balance, or to carry an address.
type program struct {
	unit     string
	unitFile string
	dir      string // of its settings
	only     bool   // only those are there: a run was cut off before there was a unit
}

func haproxyUnits() program {
	return program{unit: haproxyUnit, unitFile: haproxyUnitFile, dir: haproxyDir}
}

func nginxUnits() program {
	return program{unit: nginxUnit, unitFile: nginxUnitFile, dir: nginxDir}
}

func keepalivedUnits() program {
	return program{unit: keepalivedUnit, unitFile: keepalivedUnitFile, dir: keepalivedDir}
}

// removals are the changes by which a program that was stopped goes.
func (p program) removals() []plan.Change {
	if p.only {
		return []plan.Change{{What: p.dir, Action: "remove"}}
	}
	return []plan.Change{{What: p.dir, Action: "remove"}, {What: p.unitFile, Action: "remove"}}
}

// queryRetired asks for the traces of each mode: the files that only hosts of it have.
func queryRetired(q *protocol.FactsRequest) {
	for _, p := range []program{haproxyUnits(), nginxUnits(), keepalivedUnits()} {
		component.AskFiles(q, p.unitFile)
		q.Files = append(q.Files, protocol.FileQuery{Path: p.dir})
		q.Units = append(q.Units, p.unit)
	}
	component.AskFiles(q, provedFile, keepalivedFile)
	q.Files = append(q.Files, protocol.FileQuery{Path: kubeVIPFile, Content: true})
}

// planRetired plans the end of what a host has of a mode that is not that of now,
// once the new way is up and every node goes it.
func planRetired(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	has := func(path string) bool { return facts.Files[path].Exists }
	now, mode := on(in.Cluster, h), in.Cluster.Endpoint.LoadBalancer.Mode
	left := now == nothing && mode == cluster.BalancerManaged && has(keepalivedUnitFile)
	if left {
		planLeft(in, h, facts, out)
	}
	op := retire{host: h.Name, way: cluster.WayOf(in.Cluster, h)}
	step := plan.Step{
		ID: plan.On(component.StepRetire, h.Name), Host: h.Name, Why: "its place is taken by " + whatBalances(in.Cluster, h), Needs: append(afterMoves(in), plan.On(component.StepSettings, h.Name)),
	}
	var ends []string
	end := func(p program) {
		if p.only = !has(p.unitFile); !left && (!p.only || has(p.dir)) {
			op.programs = append(op.programs, p)
		}
	}
	// Where keepalived goes, too, HAProxy ends first: those that are still
	// connected to the address are told so while it is there.
	if now != localHAProxy && now != managed {
		end(haproxyUnits())
	}
	if now != managed {
		end(keepalivedUnits())
	}
	if now != localNginx {
		end(nginxUnits())
		if !h.Has(cluster.RoleControlPlane) || !in.LeavesAPIPort() { // else API servers are restarted after it
			step.Needs = append(step.Needs, component.Each(stepBack, in.Cluster.ControlPlanes())...)
		}
	}
	for _, p := range op.programs {
		ends = append(ends, p.unit)
		if !p.only {
			step.Changes = append(step.Changes, plan.Change{What: p.unit, Action: "stop"})
			step.Impact = plan.ImpactRestart
		}
		step.Changes = append(step.Changes, p.removals()...)
	}
	if has(kubeVIPFile) && now != kubeVIP {
		ends, op.files, op.pod = append(ends, "kube-vip"), append(op.files, kubeVIPFile), "kube-vip"
		step.Changes = append(step.Changes, plan.Change{What: kubeVIPFile, Action: "remove"})
		step.Impact = plan.ImpactRestart
	}
	if has(provedFile) && mode != cluster.BalancerExternal {
		op.files = append(op.files, provedFile)
		step.Changes = append(step.Changes, plan.Change{What: provedFile, Action: "remove"})
		if len(ends) == 0 {
			ends = append(ends, "what was proved of your balancer")
		}
	}
	if h.IsNode() {
		planNames(h, facts, &op, &step, &ends)
	}
	if len(step.Changes) == 0 {
		return
	}
	step.Title = "end " + strings.Join(ends, ", ")
	out.Add(step, op)
}

// planNames plans the end of names in a node's hosts file that the endpoint had
// before.
func planNames(h *cluster.Host, facts *protocol.Facts, op *retire, step *plan.Step, ends *[]string) {
	text := facts.Files[component.HostsFile].Content
	if !slices.ContainsFunc(namesIn(text), func(name string) bool { return name != op.way.Domain }) {
		return
	}
	op.names = true
	_, changes := component.FileChanges(facts, []component.File{{Path: component.HostsFile, Content: []byte(component.WithWayAlone(op.way, text)), Mode: 0o644}})
	step.Changes = append(step.Changes, changes...)
	*ends = append(*ends, "the endpoint's old name on "+h.Name)
}

// whatBalances is what balances for a host now, for people.
func whatBalances(c *cluster.Cluster, h *cluster.Host) string {
	if now := on(c, h); now != nothing {
		return string(now)
	}
	switch lb := &c.Endpoint.LoadBalancer; lb.Mode {
	case cluster.BalancerLocalhost:
		return "a proxy on every worker"
	case cluster.BalancerManaged:
		return "the load balancers, at " + balancerName(c)
	default:
		return balancerName(c)
	}
}

// retire is the work of ending what nobody needs any more. A unit's file, by
// which it is found, is the last of it to go.
type retire struct {
	host     string
	programs []program
	files    []string
	pod      string // a static pod whose manifest is among the files; empty for none
	way      cluster.Way
	names    bool // there are names from before in the hosts file
}

// Apply implements component.Op.
func (o retire) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	// All are stopped before anything of them goes, so that what carries an
	// address is found as long as it may have it.
	for _, p := range o.programs {
		if p.only {
			continue
		}
		if _, err := h.Unit(ctx, protocol.UnitRequest{Name: p.unit, Enable: "disable", Verb: "stop"}); err != nil {
			return err
		}
	}
	for _, p := range o.programs {
		if err := removeProgram(ctx, h, p); err != nil {
			return err
		}
	}
	for _, path := range o.files {
		if err := h.Remove(ctx, path); err != nil {
			return err
		}
	}
	if !o.names {
		return nil
	}
	return editHosts(ctx, h, func(text string) string { return component.WithWayAlone(o.way, text) })
}

// removeProgram removes a program that was stopped.
func removeProgram(ctx context.Context, h *host.Host, p program) error {
	if err := h.RemoveAll(ctx, p.dir); err != nil {
		return err
	}
	return h.Remove(ctx, p.unitFile)
}

// podEndTimeout bounds how long a kubelet may take to end a static pod: it looks
// at its folder every 20 seconds, and gives the pod 30.
const podEndTimeout = 2 * time.Minute

// Verify implements component.Verifier: systemd forgets the units, and the container
// runtime has the pod no more.
func (o retire) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if len(o.programs) > 0 {
		if _, err := h.Unit(ctx, protocol.UnitRequest{DaemonReload: true}); err != nil {
			return err
		}
	}
	if o.pod == "" {
		return nil
	}
	return component.Until(ctx, podEndTimeout, o.pod+" of "+o.host+" to end", say, func(ctx context.Context) error {
		filter := fmt.Sprintf("labels.%q==%s", "io.kubernetes.container.name", o.pod)
		reply, err := h.Run(ctx, host.Command{
			Argv: []string{component.Ctr, "--namespace", "k8s.io", "containers", "list", "--quiet", filter}, Timeout: 30 * time.Second,
		})
		if err == nil && strings.TrimSpace(string(reply.Stdout)) != "" {
			err = errors.New("its container is still there")
		}
		return err
	})
}
