// Package endpoint balances the control-plane endpoint. In localhost mode
// every node that is not control plane has an HAProxy of its own on 127.0.0.1,
// up before its kubelet, that asks each API server's /readyz over TLS verified
// against the cluster's authority.
package endpoint

import (
	"cmp"
	"context"
	"embed"
	"encoding/csv"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

//go:embed haproxy.cfg.tmpl quorate-haproxy.service
var templates embed.FS

const (
	unit        = "quorate-haproxy.service"
	unitFile    = "/etc/systemd/system/quorate-haproxy.service"
	configFile  = component.QuorateDir + "/haproxy/haproxy.cfg"
	caFile      = component.QuorateDir + "/haproxy/ca.crt"
	stateSocket = "/run/quorate-haproxy/state.sock"
	haproxy     = "/usr/sbin/haproxy"
)

// Has reports whether a host runs a proxy of its own.
func Has(c *cluster.Cluster, h *cluster.Host) bool {
	return c.Endpoint.LoadBalancer.Mode == cluster.BalancerLocalhost && h.IsNode() && !h.Has(cluster.RoleControlPlane)
}

// Query asks for what Plan compares.
func Query(c *cluster.Cluster, h *cluster.Host, q *protocol.FactsRequest) {
	if h.Has(cluster.RoleControlPlane) {
		q.Files = append(q.Files, protocol.FileQuery{Path: component.KubernetesPKI + "/ca.crt", Digest: true})
	}
	if !Has(c, h) {
		return
	}
	component.AskService(q, unit, unitFile, configFile)
	q.Files = append(q.Files, protocol.FileQuery{Path: caFile, Digest: true})
}

// StateQuery asks a host's proxy for its servers' state.
func StateQuery() protocol.HTTPQuery {
	return protocol.HTTPQuery{URL: "http://localhost/;csv", UnixSocket: stateSocket, TimeoutMillis: 2500}
}

// StateOf reads the answer to StateQuery.
func StateOf(reply protocol.HTTPReply) *state.Proxy {
	if reply.Status != 200 {
		return &state.Proxy{Error: cmp.Or(reply.Error, fmt.Sprintf("it answers %d", reply.Status))}
	}
	backends, err := parseState(reply.Body)
	if err != nil {
		return &state.Proxy{Error: err.Error()}
	}
	return &state.Proxy{Backends: backends}
}

// parseState reads HAProxy's statistics in CSV (HAProxy management guide, 9.1).
func parseState(text string) ([]state.Backend, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# ")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("reading HAProxy's statistics: %w", err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var out []state.Backend
	for _, row := range rows[1:] {
		get := func(name string) string {
			if i, ok := column[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		name := get("svname")
		if get("pxname") != "kube-apiserver" || name == "FRONTEND" || name == "BACKEND" {
			continue
		}
		sessions, _ := strconv.Atoi(get("scur"))
		out = append(out, state.Backend{
			Name: name, Address: get("addr"), Up: strings.HasPrefix(get("status"), "UP"), Sessions: sessions,
			Detail: strings.TrimSpace(get("check_status") + " " + get("last_chk")),
		})
	}
	return out, nil
}

type server struct{ Name, Address string }

// config renders HAProxy's settings; servers are in the cluster file's order.
func config(c *cluster.Cluster) []byte {
	data := struct {
		Cluster, Domain, CAFile string
		Port                    int
		Servers                 []server
	}{Cluster: c.Name, Domain: c.Endpoint.Domain, CAFile: caFile, Port: c.Endpoint.Port}
	for _, h := range c.ControlPlanes() {
		data.Servers = append(data.Servers, server{h.Name, net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(c.Endpoint.Port))})
	}
	return component.Render(templates, "haproxy.cfg.tmpl", data)
}

// Plan makes the steps for every host with a proxy of its own.
func Plan(in component.Input, out *component.Output) {
	for i := range in.Cluster.Hosts {
		h := &in.Cluster.Hosts[i]
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil || !Has(in.Cluster, h) {
			continue
		}
		service := component.Service{
			Host: h.Name, Unit: unit, Reload: true,
			Files: []component.File{
				{Path: configFile, Mode: 0o644, Content: config(in.Cluster)},
				{Path: unitFile, Mode: 0o644, Content: component.Render(templates, "quorate-haproxy.service", nil)},
			},
		}
		changes, impact := component.ServiceChanges(facts, service)
		if why := authorityDiffers(in, facts); why != "" {
			changes = append(changes, plan.Change{What: caFile, Action: why})
		}
		if len(changes) == 0 {
			continue
		}
		out.Add(plan.Step{
			ID: plan.On(component.StepProxy, h.Name), Host: h.Name, Title: "balance the API servers on 127.0.0.1",
			Why: component.WhyOf(changes), Impact: impact, Changes: changes,
			Needs: []plan.ID{component.StepAuthorities, plan.On(component.StepPackages, h.Name)},
		}, proxy{Service: service})
	}
}

// authorityDiffers compares a host's copy of the authority with that of the
// control plane; the answer is the change to make, or empty.
func authorityDiffers(in component.Input, facts *protocol.Facts) string {
	have := facts.Files[caFile]
	if !have.Exists {
		return "create"
	}
	for _, h := range in.Cluster.ControlPlanes() {
		if f := in.Snapshot.Facts(h.Name); f != nil {
			if ca := f.Files[component.KubernetesPKI+"/ca.crt"]; ca.Exists && ca.SHA256 != have.SHA256 {
				return "update"
			}
		}
	}
	return ""
}

// proxy is the work of running a proxy: a file that HAProxy itself does not
// accept never replaces one that serves.
type proxy struct{ component.Service }

// Apply implements component.Op.
func (o proxy) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	h, err := rt.Host(o.Host)
	if err != nil {
		return err
	}
	var controlPlanes []string
	for _, cp := range rt.Cluster.ControlPlanes() {
		controlPlanes = append(controlPlanes, cp.Name)
	}
	ca, _, err := component.ReadSame(ctx, rt, component.KubernetesPKI+"/ca.crt", controlPlanes)
	if err != nil {
		return err
	}
	if ca == nil {
		return fmt.Errorf("no control-plane host has %s/ca.crt yet", component.KubernetesPKI)
	}
	candidate := component.File{Path: configFile + ".new", Content: o.Files[0].Content, Mode: 0o644}
	if _, err := component.WriteFiles(ctx, rt, o.Host, []component.File{{Path: caFile, Content: ca, Mode: 0o644}, candidate}); err != nil {
		return err
	}
	_, checkErr := h.Run(ctx, host.Command{Argv: []string{haproxy, "-c", "-q", "-f", candidate.Path}})
	if err := h.Remove(ctx, candidate.Path); err != nil {
		return err
	}
	if checkErr != nil {
		return fmt.Errorf("HAProxy does not accept its new settings, the old ones stay: %w", checkErr)
	}
	return o.Service.Apply(ctx, rt, say)
}
