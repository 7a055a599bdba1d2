package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
)

const (
	nginxUnit     = "quorate-nginx.service"
	nginxUnitFile = "/etc/systemd/system/quorate-nginx.service"
	nginxDir      = component.QuorateDir + "/nginx"
	nginxFile     = component.NginxFile
	nginxPID      = "/run/quorate-nginx/nginx.pid"
	nginxProgram  = "/usr/sbin/nginx"
)

// nginxModule is where a distribution's package puts the stream module.
func nginxModule(os protocol.OS) string {
	if os.Family() == "rhel" {
		return "/usr/lib64/nginx/modules/ngx_stream_module.so"
	}
	return "/usr/lib/nginx/modules/ngx_stream_module.so"
}

// nginxServer is where nginx can carry a connection.
type nginxServer struct {
	server
	Aside bool // only where no other one takes it
	Alone bool // all others are aside
}

// nginxService is the unit that runs nginx on a node, in front of the API
// servers in the cluster file's order, on these ports. Those aside get connections
// only where no other takes them.
func nginxService(c *cluster.Cluster, h *cluster.Host, os protocol.OS, ports []int, aside ...string) component.Service {
	data := struct {
		Purpose, Cluster, Module, PID, File, Idle string
		Binds                                     []string
		Tries                                     int
		Servers                                   []nginxServer
	}{
		Purpose: "This node's way to the API servers", Cluster: c.Name, Module: nginxModule(os), PID: nginxPID, File: nginxFile, Idle: idleTimeout,
		Binds: ownBinds(c, h, ports), Tries: len(c.ControlPlanes()),
	}
	for _, cp := range c.ControlPlanes() {
		at := server{cp.Name, net.JoinHostPort(cp.InternalAddress.String(), strconv.Itoa(apiPort(c)))}
		data.Servers = append(data.Servers, nginxServer{
			server: at, Aside: slices.Contains(aside, cp.Name), Alone: len(aside) > 0 && len(c.ControlPlanes())-len(aside) == 1,
		})
	}
	return component.Service{
		Host: h.Name, Unit: nginxUnit, Reload: true,
		Files: []component.File{
			{Path: nginxFile, Mode: 0o644, Content: component.Render(templates, "nginx.conf.tmpl", data)},
			{Path: nginxUnitFile, Mode: 0o644, Content: component.Render(templates, "quorate-nginx.service.tmpl", data)},
		},
	}
}

// queryNginx asks for what planNginx compares.
func queryNginx(q *protocol.FactsRequest) {
	component.AskService(q, nginxUnit, nginxUnitFile, nginxFile)
}

// planNginx plans a node's own nginx, which is up before its kubelet.
func planNginx(in component.Input, h *cluster.Host, facts *protocol.Facts, out *component.Output) {
	service := nginxService(in.Cluster, h, facts.OS, portsOf(in))
	then := nginxService(in.Cluster, h, facts.OS, []int{in.Cluster.Endpoint.Port})
	planFormerPorts(in, h, facts, service, then, runNginx{then}, out)
	changes, impact := component.ServiceChanges(facts, service)
	if len(changes) > 0 {
		s := step(h, "balance the API servers on "+ownAddress(h)+" with nginx", changes, impact)
		// nginx knows of no authority: what it carries is TLS that passes through.
		s.Needs = []plan.ID{plan.On(component.StepPackages, h.Name)}
		if impact == plan.ImpactReload {
			// What it carries to now is left as it is while API servers start.
			s.Needs = append(s.Needs, component.Each(component.StepControlPlane, in.Cluster.ControlPlanes())...)
			s.Needs = append(s.Needs, component.Each(stepBack, in.Cluster.ControlPlanes())...)
		}
		out.Add(s, runNginx{service})
	}
}

// runNginx is the work of running nginx: settings that it does not accept never
// replace those that serve.
type runNginx struct{ component.Service }

// Apply implements component.Op.
func (o runNginx) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	if err := o.accepted(ctx, rt); err != nil {
		return err
	}
	return o.Service.Apply(ctx, rt, say)
}

// accepted lets the host's own nginx check the settings beside those that
// serve. A check writes the file of the process's number: it gets one of its own.
func (o runNginx) accepted(ctx context.Context, rt *component.Runtime) error {
	h, err := rt.Host(o.Host)
	if err != nil {
		return err
	}
	pid := nginxDir + "/new.pid"
	candidate := component.File{
		Path: nginxFile + ".new", Mode: 0o644,
		Content: bytes.ReplaceAll(o.Files[0].Content, []byte(nginxPID), []byte(pid)),
	}
	if _, err := component.WriteFiles(ctx, rt, o.Host, []component.File{candidate}); err != nil {
		return err
	}
	_, checkErr := h.Run(ctx, host.Command{Argv: []string{nginxProgram, "-t", "-q", "-c", candidate.Path}})
	for _, path := range []string{candidate.Path, pid} {
		if err := h.Remove(ctx, path); err != nil {
			return err
		}
	}
	if checkErr != nil {
		return fmt.Errorf("nginx does not accept its new settings, the old ones stay: %w", checkErr)
	}
	return nil
}

// nginxStateQueries ask through a node's own nginx, in turn, for each API
// server: nginx itself tells nothing of its backends.
func nginxStateQueries(c *cluster.Cluster, h *cluster.Host) []protocol.HTTPQuery {
	const rounds = 2
	return throughQueries(c, net.JoinHostPort(ownAddress(h), strconv.Itoa(c.Endpoint.Port)), rounds*len(c.ControlPlanes()))
}
