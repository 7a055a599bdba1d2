package endpoint

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
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

const (
	haproxyUnit     = "quorate-haproxy.service"
	haproxyUnitFile = component.HAProxyUnitFile
	haproxyDir      = component.QuorateDir + "/haproxy"
	haproxyFile     = component.HAProxyFile
	haproxyCAFile   = haproxyDir + "/ca.crt"
	haproxySocket   = "/run/quorate-haproxy/state.sock"
	haproxyProgram  = "/usr/sbin/haproxy"

	// authorityFile is the cluster's authority, on every control-plane host.
	authorityFile = component.KubernetesPKI + "/ca.crt"
)

// haproxyConfig is what HAProxy's settings are made of.
type haproxyConfig struct {
	Purpose string   // for those who read the file
	Binds   []string // where the endpoint is served, as after "bind"
	Before  string   // the unit that must not start sooner; empty for none
	// MaxConnections is how many are carried at the same time.
	MaxConnections int
	// Listeners are the other ports.
	Listeners []listener
	// Root is the root file system that HAProxy runs in; empty for the host's own.
	Root string
	// HealthBind is where HAProxy tells how it is, and DownFile where its unit
	// notes that it does not run; both empty where nobody asks.
	HealthBind, DownFile string

	Cluster, Domain, CAFile string
	Servers                 []server
}

// SELinuxContext is what a HAProxy of ours runs as.
func (haproxyConfig) SELinuxContext() string { return protocol.SELinuxUnconfined }

// listener is a port that HAProxy carries beside the endpoint's.
type listener struct {
	Name           string
	Binds          []string
	MaxConnections int
	SendProxy      string // the servers' option for the PROXY protocol; empty for none
	Servers        []server
}

// server is where a connection can go.
type server struct{ Name, Address string }

// of fills in what is the same on every host of a cluster; servers are in the
// cluster file's order.
func (d haproxyConfig) of(c *cluster.Cluster) haproxyConfig {
	d.Cluster, d.Domain, d.CAFile = c.Name, c.Endpoint.Domain, haproxyCAFile
	for _, h := range c.ControlPlanes() {
		d.Servers = append(d.Servers, server{h.Name, net.JoinHostPort(h.InternalAddress.String(), strconv.Itoa(apiPort(c)))})
	}
	return d
}

// haproxyService is the unit that runs HAProxy on a host with these settings.
func haproxyService(h *cluster.Host, d haproxyConfig) component.Service {
	return component.Service{
		Host: h.Name, Unit: haproxyUnit, Reload: true,
		Files: []component.File{
			{Path: haproxyFile, Mode: 0o644, Content: component.Render(templates, "haproxy.cfg.tmpl", d)},
			{Path: haproxyUnitFile, Mode: 0o644, Content: component.Render(templates, "quorate-haproxy.service.tmpl", d)},
		},
	}
}

// queryHAProxy asks for what planHAProxy compares.
func queryHAProxy(q *protocol.FactsRequest) {
	component.AskService(q, haproxyUnit, haproxyUnitFile, haproxyFile)
	q.Files = append(q.Files, protocol.FileQuery{Path: haproxyCAFile, Digest: true})
}

// planHAProxy plans a host's HAProxy, in a root file system of its own unless root
// is empty.
func planHAProxy(in component.Input, h *cluster.Host, facts *protocol.Facts, s component.Service, root, title string, out *component.Output, needs ...plan.ID) {
	changes, impact := component.ServiceChanges(facts, s)
	if why := authorityDiffers(in, facts, haproxyCAFile); why != "" {
		if len(changes) == 0 {
			impact = plan.ImpactReload
			changes = append(changes, plan.Change{What: haproxyUnit, Action: string(impact)})
		}
		changes = append(changes, plan.Change{What: haproxyCAFile, Action: why})
	}
	if len(changes) > 0 {
		out.Add(step(h, title, changes, impact, append(needs, certified(in)...)...), runHAProxy{s, root, facts.SELinux != ""})
	}
}

// authorityDiffers compares a host's copy of the authority with that of the
// control plane; the answer is the change to make, or empty.
func authorityDiffers(in component.Input, facts *protocol.Facts, file string) string {
	have := facts.Files[file]
	if !have.Exists {
		return "create"
	}
	for _, h := range in.Cluster.ControlPlanes() {
		if f := in.Snapshot.Facts(h.Name); f != nil {
			if ca := f.Files[authorityFile]; ca.Exists && ca.SHA256 != have.SHA256 {
				return "update"
			}
		}
	}
	return ""
}

// authority reads the cluster's authority from the control-plane hosts.
func authority(ctx context.Context, rt *component.Runtime) ([]byte, error) {
	var controlPlanes []string
	for _, cp := range rt.Cluster.ControlPlanes() {
		controlPlanes = append(controlPlanes, cp.Name)
	}
	ca, _, err := component.ReadSame(ctx, rt, authorityFile, controlPlanes)
	if err == nil && ca == nil {
		err = fmt.Errorf("no control-plane host has %s yet", authorityFile)
	}
	return ca, err
}

// runHAProxy is the work of running HAProxy: settings that it does not accept
// never replace those that serve.
type runHAProxy struct {
	component.Service
	root    string // the root file system that it runs in; empty for the host's own
	selinux bool   // the host has it
}

// Apply implements component.Op. The authority is one of the service's files,
// so that a new one is taken in like new settings.
func (o runHAProxy) Apply(ctx context.Context, rt *component.Runtime, say func(string)) error {
	ca, err := authority(ctx, rt)
	if err != nil {
		return err
	}
	if err := o.accepted(ctx, rt, ca); err != nil {
		return err
	}
	if o.selinux {
		h, err := rt.Host(o.Host)
		if err != nil {
			return err
		}
		if err := allowPorts(ctx, h); err != nil {
			return err
		}
	}
	s := o.Service
	s.Files = append([]component.File{{Path: haproxyCAFile, Content: ca, Mode: 0o644}}, s.Files...)
	return s.Apply(ctx, rt, say)
}

// accepted lets the host's own HAProxy check the settings, and the authority
// that they name, beside those that serve.
func (o runHAProxy) accepted(ctx context.Context, rt *component.Runtime, ca []byte) error {
	h, err := rt.Host(o.Host)
	if err != nil {
		return err
	}
	caCandidate := component.File{Path: haproxyCAFile + ".new", Content: ca, Mode: 0o644}
	candidate := component.File{
		Path: haproxyFile + ".new", Mode: 0o644,
		Content: bytes.ReplaceAll(o.Files[0].Content, []byte(haproxyCAFile), []byte(caCandidate.Path)),
	}
	if _, err := component.WriteFiles(ctx, rt, o.Host, []component.File{caCandidate, candidate}); err != nil {
		return err
	}
	argv := []string{haproxyProgram, "-c", "-q", "-f", candidate.Path}
	if o.root != "" {
		argv = append([]string{
			"systemd-run", "--quiet", "--collect", "--wait", "--pipe",
			"--property=RootDirectory=" + o.root, "--property=BindReadOnlyPaths=" + haproxyDir,
		}, argv...)
	}
	_, checkErr := h.Run(ctx, host.Command{Argv: argv})
	for _, f := range []component.File{candidate, caCandidate} {
		if err := h.Remove(ctx, f.Path); err != nil {
			return err
		}
	}
	if checkErr != nil {
		return fmt.Errorf("HAProxy does not accept its new settings, the old ones stay: %w", checkErr)
	}
	return nil
}

// haproxyStateQuery asks a host's HAProxy for its servers' state.
func haproxyStateQuery() protocol.HTTPQuery {
	return protocol.HTTPQuery{URL: "http://localhost/;csv", UnixSocket: haproxySocket, TimeoutMillis: 2500}
}

// haproxyState reads the answer to haproxyStateQuery.
func haproxyState(reply protocol.HTTPReply) *state.Proxy {
	if reply.Status != 200 {
		return &state.Proxy{Error: cmp.Or(reply.Error, fmt.Sprintf("it answers %d", reply.Status))}
	}
	backends, err := parseHAProxyState(reply.Body)
	if err != nil {
		return &state.Proxy{Error: err.Error()}
	}
	return &state.Proxy{Backends: backends}
}

// parseHAProxyState reads HAProxy's statistics in CSV (HAProxy management guide, 9.1).
func parseHAProxyState(text string) ([]state.Backend, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# ")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err == nil && len(rows) == 0 {
		err = errors.New("they are empty")
	}
	if err != nil {
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
