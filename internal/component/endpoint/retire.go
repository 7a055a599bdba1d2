package endpoint

import (
	"context"
	"slices"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/plan"
)

// stepRetire is the subject of the step that ends what no longer balances.
const stepRetire = "endpoint/retire"

// localProxy is one of the programs that can balance on a node's 127.0.0.1.
type localProxy struct {
	software software
	unit     string
	unitFile string
	dir      string // of its settings
}

func localProxies() []localProxy {
	return []localProxy{
		{localHAProxy, haproxyUnit, haproxyUnitFile, haproxyDir},
		{localNginx, nginxUnit, nginxUnitFile, nginxDir},
	}
}

// queryRetired asks for what planRetired looks at.
func queryRetired(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	local := localProxies()
	if !slices.ContainsFunc(local, func(p localProxy) bool { return p.software == on(c, h) }) {
		return
	}
	for _, p := range local {
		q.Files = append(q.Files, protocol.FileQuery{Path: p.unitFile, Content: true, Digest: true})
		q.Units = append(q.Units, p.unit)
	}
}

// planRetired plans the end of a node's proxy whose place another one has taken.
// Both listen while one takes over from the other.
func planRetired(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	now := on(in.Cluster, h)
	for _, p := range localProxies() {
		if p.software == now || !facts.Files[p.unitFile].Exists {
			continue
		}
		out.Add(plan.Step{
			ID: plan.On(stepRetire, h.Name), Host: h.Name, Title: "end " + p.unit, Why: "its place is taken by " + string(now),
			Needs: []plan.ID{plan.On(component.StepProxy, h.Name)}, Impact: plan.ImpactRestart,
			Changes: []plan.Change{
				{What: p.unit, Action: "stop"}, {What: p.dir, Action: "remove"}, {What: p.unitFile, Action: "remove"},
			},
		}, retire{host: h.Name, proxy: p})
	}
}

// retire is the work of ending a proxy. Its unit file, by which it is found, is
// the last to go.
type retire struct {
	host  string
	proxy localProxy
}

// Check implements component.Op.
func (o retire) Check(context.Context, *component.Runtime) (bool, error) { return false, nil }

// Apply implements component.Op.
func (o retire) Apply(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	if _, err := h.Unit(ctx, protocol.UnitRequest{Name: o.proxy.unit, Enable: "disable", Verb: "stop"}); err != nil {
		return err
	}
	if err := h.RemoveAll(ctx, o.proxy.dir); err != nil {
		return err
	}
	return h.Remove(ctx, o.proxy.unitFile)
}

// Verify implements component.Op: systemd forgets the unit.
func (o retire) Verify(ctx context.Context, rt *component.Runtime, _ func(string)) error {
	h, err := rt.Host(o.host)
	if err != nil {
		return err
	}
	_, err = h.Unit(ctx, protocol.UnitRequest{DaemonReload: true})
	return err
}
