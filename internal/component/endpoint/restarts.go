package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

// The subjects of the steps around the restart of an API server.
const (
	stepAside = "endpoint/aside"
	stepBack  = "endpoint/back"
)

// planRestarts plans what is around the restarts of API servers, one after another.
//
// nginx leaves one that is restarted alone. It does not ask API servers whether they
// are ready: one that has just opened its port, and does not know anybody's rights
// yet, would get connections, and turn clients away. As a backup it gets none while
// others serve.
//
// Whatever else balances must have found that one is ready again before the next one
// goes: else there is none for a moment, for those that ask a second later than
// the run. kube-proxy is among them: that of a control-plane host hears of API servers
// from its own one, and asks for it less and less often while it is away. Until it has
// it again, it does not hear that the next one ends.
func planRestarts(in component.Input, out *component.Output) {
	nginx, starting := nginxNodes(in), startingAPIServers(in)
	if len(in.Cluster.ControlPlanes())-len(starting) < 2 {
		return // nothing takes its place
	}
	var before []plan.ID // until then, another one is aside or not found yet
	for _, h := range nginx {
		if !runsNginx(in, h) {
			before = append(before, plan.On(component.StepProxy, h.Name))
		}
	}
	haproxies, external := haproxyHosts(in), in.Cluster.Endpoint.LoadBalancer.Mode == cluster.BalancerExternal
	var restarts []int
	for i, s := range out.Steps {
		if restartedAPIServer(in.Cluster, s) != "" {
			restarts = append(restarts, i)
		}
	}
	for n, i := range restarts {
		restart := &out.Steps[i]
		cp := restartedAPIServer(in.Cluster, *restart)
		step := plan.Step{
			ID: plan.On(stepBack, cp), Title: "see that connections come to the API server of " + cp + " again", Why: "it was restarted",
			Needs: []plan.ID{restart.ID},
		}
		op := back{apiServer: cp, nginx: setNginx(in, nginx, starting), haproxies: haproxies, external: external}
		if len(nginx) == 0 {
			restart.Needs = slices.Concat(restart.Needs, before)
			if n == len(restarts)-1 {
				continue // nothing is about to be changed of which it must hear
			}
			before = append(before, step.ID)
			out.Add(step, op)
			continue
		}
		aside := plan.Step{
			ID: plan.On(stepAside, cp), Title: "keep new connections away from the API server of " + cp, Why: "it is restarted, and nginx does not ask whether it is ready",
			Needs: slices.Concat(restart.Needs, before), Impact: plan.ImpactReload, Changes: nginxChanges(nginx),
		}
		restart.Needs = append(slices.Clone(restart.Needs), aside.ID)
		before = append(before, step.ID)
		step.Impact, step.Changes = plan.ImpactReload, aside.Changes
		out.Add(aside, setNginx(in, nginx, append(slices.Clone(starting), cp)))
		out.Add(step, op)
	}
}

// nginxNodes are the nodes that nginx carries connections for, be it their way of
// before, of now, or that of this plan.
func nginxNodes(in component.Input) []*cluster.Host {
	var out []*cluster.Host
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		if in.Snapshot.Facts(h.Name) != nil && (on(in.Cluster, h) == localNginx || runsNginx(in, h)) {
			out = append(out, h)
		}
	}
	return out
}

// runsNginx reports whether a node's nginx runs already.
func runsNginx(in component.Input, h *cluster.Host) bool {
	facts := in.Snapshot.Facts(h.Name)
	return facts != nil && facts.Units[nginxUnit].Up(facts.Time)
}

// startingAPIServers are the control-plane hosts that run no API server yet.
func startingAPIServers(in component.Input) []string {
	var out []string
	for _, h := range in.Cluster.ControlPlanes() {
		if facts := in.Snapshot.Facts(h.Name); facts != nil && !facts.Files[apiServerManifest].Holds() {
			out = append(out, h.Name)
		}
	}
	return out
}

// restartedAPIServer is the host whose API server a step restarts; "" for none.
func restartedAPIServer(c *cluster.Cluster, s plan.Step) string {
	restarts := s.Impact == plan.ImpactRestart && slices.ContainsFunc(s.Changes, func(c plan.Change) bool {
		return c.What == apiServerManifest && c.Action == "update"
	})
	for _, h := range c.ControlPlanes() {
		if restarts && s.ID == plan.On(component.StepControlPlane, h.Name) {
			return h.Name
		}
	}
	return ""
}

func nginxChanges(nodes []*cluster.Host) []plan.Change {
	var out []plan.Change
	for _, h := range nodes {
		out = append(out, plan.Change{What: nginxFile + " on " + h.Name, Action: "update"})
	}
	return out
}

// haproxyHosts are the hosts whose HAProxy carries connections to API servers: now,
// before, or from this plan on.
func haproxyHosts(in component.Input) []string {
	var out []string
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil {
			continue
		}
		if now := on(in.Cluster, h); now == localHAProxy || now == managed || facts.Units[haproxyUnit].Up(facts.Time) {
			out = append(out, h.Name)
		}
	}
	return out
}

// back is the work of having connections come to an API server that was restarted.
type back struct {
	apiServer string
	nginx     setAside
	haproxies []string // hosts
	external  bool     // the user's balancer carries, too
}

// Apply implements component.Op: HAProxy finds it by itself.
func (o back) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return o.nginx.Apply(ctx, rt, say)
}

// foundTimeout bounds how long a HAProxy may take to find that an API server is
// ready: it asks every second.
const foundTimeout = time.Minute

// Verify implements component.Verifier.
func (o back) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.nginx.Verify(ctx, rt, say); err != nil {
		return err
	}
	group, grouped := errgroup.WithContext(ctx)
	group.SetLimit(mostNodes)
	for _, name := range o.haproxies {
		group.Go(func() error { return o.found(grouped, rt, name, say) })
	}
	group.Go(func() error { return o.heard(grouped, rt, say) })
	if err := group.Wait(); err != nil || !o.external {
		return err
	}
	return Prove(ctx, rt, activeTime, say)
}

// heardTimeout bounds how long is waited for a kube-proxy: it asks its API server
// again after half a minute or so at the latest (client-go's reflectors).
const heardTimeout = time.Minute

// heard waits until the kube-proxy beside the API server has heard of it again: until
// the service "kubernetes" leads there from the host. Where it does not, as without a
// kube-proxy, the run goes on.
func (o back) heard(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.apiServer)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true, Files: []protocol.FileQuery{{Path: apiServerCertificate, Certificate: true}}}
	query.LocalHTTP = slices.Repeat([]protocol.HTTPQuery{{
		URL: "https://" + net.JoinHostPort(rt.Cluster.ServiceIP().String(), "443") + "/readyz", CAFile: authorityFile,
		ServerName: "kubernetes", TimeoutMillis: 2000,
	}}, 3*len(rt.Cluster.ControlPlanes())) // of which one most likely comes there
	err = component.Until(ctx, heardTimeout, "kube-proxy on "+o.apiServer+" to hear that its API server is back", say, func(ctx context.Context) error {
		facts, err := h.Facts(ctx, query)
		if err != nil {
			return err
		}
		own := leafDigest(facts)
		for _, reply := range facts.LocalHTTP {
			if own != "" && reply.PeerSHA256 == own {
				return nil
			}
		}
		return errors.New("it sends them elsewhere, or nowhere")
	})
	if err != nil && ctx.Err() == nil {
		rt.Note(o.apiServer, fmt.Sprintf("kube-proxy of %[1]s was not seen to send connections to the API server of %[1]s again within %s; the run goes on", o.apiServer, heardTimeout))
		return nil
	}
	return err
}

// found waits until a host's HAProxy carries to the API server. One that does not
// run, or knows nothing of it, keeps nobody waiting, and neither does a host that
// is lost.
func (o back) found(ctx context.Context, rt *component.Runtime, name string, say func(string)) error {
	h, err := rt.Host(name)
	if err != nil {
		return err
	}
	query := protocol.FactsRequest{Brief: true, LocalHTTP: []protocol.HTTPQuery{haproxyStateQuery()}}
	return component.Until(ctx, foundTimeout, "HAProxy on "+name+" to find the API server of "+o.apiServer+" ready", say, func(ctx context.Context) error {
		facts, err := h.Facts(ctx, query)
		if errors.Is(err, host.ErrUnreachable) {
			rt.Note(name, "out of reach: its HAProxy was not seen to find the API server of "+o.apiServer+" again; the run goes on")
			return nil
		}
		if err != nil {
			return err
		}
		for _, b := range haproxyState(facts.LocalHTTP[0]).Backends {
			if b.Name == o.apiServer && !b.Up {
				return errors.New("not yet: " + b.Detail)
			}
		}
		return nil
	})
}

// setAside is the work of giving the nginx of several nodes other backups.
type setAside struct{ nodes []runNginx }

func setNginx(in component.Input, nodes []*cluster.Host, aside []string) setAside {
	var o setAside
	for _, h := range nodes {
		o.nodes = append(o.nodes, runNginx{nginxService(in.Cluster, h, in.Snapshot.Facts(h.Name).OS, portsOf(in), aside...)})
	}
	return o
}

// Apply implements component.Op. A node that is lost meanwhile keeps nobody's API
// server from its restart: what it has is put right by the next run.
func (o setAside) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return o.each(ctx, rt, func(ctx context.Context, n runNginx) error { return n.Apply(ctx, rt, say) })
}

// Verify implements component.Verifier.
func (o setAside) Verify(ctx context.Context, rt *component.Runtime, say func(string)) error {
	return o.each(ctx, rt, func(ctx context.Context, n runNginx) error { return n.Verify(ctx, rt, say) })
}

// mostNodes bounds how many nodes are told at the same time.
const mostNodes = 32

func (o setAside) each(ctx context.Context, rt *component.Runtime, do func(context.Context, runNginx) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostNodes)
	for _, n := range o.nodes {
		group.Go(func() error {
			err := do(ctx, n)
			if errors.Is(err, host.ErrUnreachable) {
				rt.Note(n.Host, "out of reach: its nginx was left as it is; the next run sets it")
				return nil
			}
			return err
		})
	}
	return group.Wait()
}
