package ui

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/status"
)

// statusWidth is how wide a status is: it is read in terminals, mails and
// tickets alike.
const statusWidth = 80

// StatusOptions say what to show besides the report itself.
type StatusOptions struct {
	// Certificates lists every certificate instead of the first of each kind to end.
	Certificates bool
	// Next are commands worth running.
	Next []NextCommand
}

// NextCommand is a command worth running, and what for.
type NextCommand struct{ Command, Why string }

// Status words a report: the verdict first, then what there is, then what is
// wrong and what to do about it, where the eye ends up.
func Status(r status.Report, look Look, o StatusOptions) string {
	v := statusView{Report: r, look: look}
	v.headline()
	switch r.State {
	case status.Absent, status.Unreachable: // there is nothing to show
	default:
		v.endpoint()
		v.etcd()
		v.controlPlanes()
		v.loadBalancers()
		v.nodes()
		v.addOns()
		v.certificates(o.Certificates)
	}
	v.problems()
	v.next(o.Next)
	return v.out.String()
}

type statusView struct {
	status.Report
	look Look
	out  strings.Builder
}

func (v *statusView) headline() {
	m := markDone
	if !v.Healthy {
		m = markFailed
	}
	for i, line := range words(clean(v.Cluster)+": "+oneLine(v.Summary), statusWidth-2) {
		lead := v.mark(m)
		if i > 0 {
			lead = " "
		}
		fmt.Fprintf(&v.out, "%s %s\n", lead, v.look.bold(line))
	}
	if v.State != status.Unreachable {
		fmt.Fprintf(&v.out, "  %s\n", v.look.faint(v.Tolerance))
	}
}

func (v *statusView) mark(m mark) string { return v.look.paint(m, v.look.symbol(m, 0)) }

func (v *statusView) ok(good bool) string {
	if good {
		return v.mark(markDone)
	}
	return v.mark(markFailed)
}

// section writes a heading and its rows; the first cell of a row is its mark.
func (v *statusView) section(title, note string, header []string, rows [][]string) {
	fmt.Fprintf(&v.out, "\n%s", v.look.bold(title))
	if note != "" {
		v.out.WriteString("  " + v.look.faint(note))
	}
	v.out.WriteString("\n")
	for i, h := range header {
		if header[i] = v.look.faint(h); i == 0 {
			header[i] = "  " + header[i] // over the names, beside the marks
		}
	}
	marked := make([][]string, len(rows))
	for i, row := range rows {
		marked[i] = append([]string{row[0] + " " + row[1]}, row[2:]...)
	}
	v.out.WriteString(indent(Table(header, marked), "  ") + "\n")
}

func (v *statusView) endpoint() {
	how := map[cluster.BalancerMode]string{
		cluster.BalancerLocalhost: "a proxy on every worker",
		cluster.BalancerManaged:   "load balancers, address " + v.Endpoint.VIP,
		cluster.BalancerExternal:  "your own balancer " + v.Endpoint.VIP,
		cluster.BalancerKubeVIP:   "kube-vip, address " + v.Endpoint.VIP,
	}[v.Endpoint.Mode]
	rows := [][]string{
		{v.look.faint("endpoint"), fmt.Sprintf("https://%s (%s)", net.JoinHostPort(v.Endpoint.Domain, strconv.Itoa(v.Endpoint.Port)), strings.TrimSpace(how))},
		{v.look.faint("kubernetes"), cmp.Or(oneLine(v.Kubernetes.Running), v.Kubernetes.Desired+" wanted; the API does not answer")},
	}
	v.out.WriteString("\n" + indent(Table(nil, rows), "  ") + "\n")
}

func (v *statusView) etcd() {
	note := fmt.Sprintf("%d of %d healthy, quorum %d", v.Etcd.HealthyVoters, v.Etcd.Voters, v.Etcd.QuorumSize)
	var rows [][]string
	for _, m := range v.Etcd.Members {
		role := m.Detail
		switch {
		case !m.Healthy:
		case m.Learner:
			role = "learner"
		case m.Leader:
			role = "leader"
		default:
			role = "follower"
		}
		size := ""
		if m.DBBytes > 0 {
			size = fmt.Sprintf("%.1f MB", float64(m.DBBytes)/1e6)
		}
		rows = append(rows, []string{v.ok(m.Healthy && !m.Learner), clean(cmp.Or(m.Host, m.Name, m.Address)), v.cell(role, 28), clean(m.Version), size})
	}
	v.section("ETCD", note, []string{"HOST", "MEMBER", "VERSION", "DATABASE"}, rows)
}

func (v *statusView) controlPlanes() {
	ready := 0
	var rows [][]string
	for _, cp := range v.ControlPlanes {
		answer := cp.Detail
		if cp.Ready {
			ready++
			answer = fmt.Sprintf("ready, %d ms", cp.TookMillis)
		}
		program := func(name string, leads bool) string {
			switch {
			case leads:
				return "leads"
			case slices.Contains(cp.Down, name):
				return "does not run"
			case slices.Contains(cp.Running, name):
				return "runs"
			}
			return ""
		}
		rows = append(rows, []string{
			v.ok(cp.Ready && len(cp.Down) == 0), clean(cp.Host), v.cell(answer, 36),
			program("kube-scheduler", cp.Scheduler), program("kube-controller-manager", cp.ControllerManager),
		})
	}
	v.section("CONTROL PLANE", fmt.Sprintf("%d of %d ready", ready, len(v.ControlPlanes)), []string{"HOST", "API SERVER", "SCHEDULER", "CONTROLLER MANAGER"}, rows)
}

func (v *statusView) loadBalancers() {
	var rows [][]string
	holder := "nobody carries " + v.Endpoint.VIP
	for _, b := range v.Endpoint.LoadBalancers {
		state := b.Detail
		switch {
		case b.HoldsVIP:
			holder = b.Host + " carries " + v.Endpoint.VIP
			state = "carries the address"
		case state == "":
			state = "stands by"
		}
		rows = append(rows, []string{v.ok(b.Detail == "" && b.Proxy.Detail == ""), clean(b.Host), v.cell(state, 36), v.proxy(b.Proxy)})
	}
	if rows != nil {
		v.section("LOAD BALANCERS", holder, []string{"HOST", "ADDRESS", "API SERVERS"}, rows)
	}
}

func (v *statusView) nodes() {
	ready, proxies, known := 0, false, v.Kubernetes.Running != ""
	for _, n := range v.Nodes {
		proxies = proxies || n.Proxy != nil
	}
	var rows [][]string
	for _, n := range v.Nodes {
		state := "Ready"
		switch {
		case n.Ready:
			ready++
		case !known:
			state = "unknown"
		case n.Kubelet == "":
			state = n.Detail
		default:
			state = "NotReady"
		}
		if n.Cordoned {
			state += ", cordoned"
		}
		var roles []string
		for _, r := range n.Roles {
			roles = append(roles, string(r))
		}
		mark := v.ok(n.Ready)
		if !known {
			mark = v.mark(markWaiting)
		}
		row := []string{mark, clean(n.Name), cmp.Or(strings.Join(roles, ","), "not in the file"), v.cell(state, 24), clean(n.Kubelet)}
		if proxies {
			row = append(row, v.proxy(n.Proxy))
		}
		rows = append(rows, row)
	}
	header := []string{"NODE", "ROLES", "STATE", "KUBELET"}
	if proxies {
		header = append(header, "PROXY")
	}
	note := fmt.Sprintf("%d of %d Ready", ready, len(v.Nodes))
	if !known {
		note = "not known: the API does not answer"
	}
	v.section("NODES", note, header, rows)
}

func (v *statusView) proxy(p *status.Proxy) string {
	switch {
	case p == nil:
		return ""
	case p.Detail != "":
		return v.look.paint(markFailed, v.cell(p.Detail, 22))
	case len(p.Down) > 0:
		return v.look.paint(markFailed, fmt.Sprintf("%d of %d up", p.Up, p.Total))
	}
	return fmt.Sprintf("%d of %d up", p.Up, p.Total)
}

func (v *statusView) addOns() {
	var parts []string
	for _, a := range v.AddOns {
		text := fmt.Sprintf("%s %d/%d", clean(a.Name), a.Ready, a.Desired)
		if a.Ready < a.Desired || a.Desired == 0 {
			text = v.look.paint(markFailed, text)
		}
		parts = append(parts, text)
	}
	if parts != nil {
		fmt.Fprintf(&v.out, "\n%s\n  %s\n", v.look.bold("ADD-ONS"), strings.Join(parts, "   "))
	}
}

// certificates shows the first of each kind to end, those that end soon, or all.
func (v *statusView) certificates(all bool) {
	if len(v.Certificates) == 0 {
		return
	}
	words := map[status.CertificateKind]string{
		status.KindAuthority: "authorities", status.KindKubernetes: "Kubernetes", status.KindEtcd: "etcd",
		status.KindKubeconfig: "kubeconfigs", status.KindKubelet: "kubelets",
	}
	seen := map[status.CertificateKind]bool{}
	var rows [][]string
	for _, c := range v.Certificates {
		if !all && seen[c.Kind] && c.DaysLeft >= status.EndsSoon {
			continue
		}
		seen[c.Kind] = true
		left := fmt.Sprintf("%d days", c.DaysLeft)
		if c.DaysLeft < 0 {
			left = "expired"
		}
		rows = append(rows, []string{
			v.ok(c.DaysLeft >= status.EndsSoon), words[c.Kind], left, c.Ends.UTC().Format("2006-01-02"), clean(c.Host), clean(c.What),
		})
	}
	note := fmt.Sprintf("%d, first of each kind to end", len(v.Certificates))
	if all {
		note = strconv.Itoa(len(v.Certificates))
	}
	v.section("CERTIFICATES", note, []string{"KIND", "LEFT", "ENDS", "HOST", "FILE"}, rows)
}

// cell is a text from a host in a table: one line, on a terminal cut to n cells.
func (v *statusView) cell(s string, n int) string {
	if !v.look.Terminal {
		return oneLine(s)
	}
	return clip(oneLine(s), n, v.look.ellipsis())
}

func (v *statusView) problems() {
	if len(v.Problems) == 0 {
		return
	}
	fmt.Fprintf(&v.out, "\n%s\n", v.look.bold("PROBLEMS"))
	for _, p := range v.Problems {
		m, word := v.mark(markFailed), ""
		if p.Severity == diag.SeverityWarning {
			m, word = v.look.paint(markRunning, "!"), "warning: "
		}
		text := word + oneLine(p.Summary)
		if p.Subject != "" {
			text = clean(p.Subject) + ": " + text
		}
		for i, line := range words(text, statusWidth-4) {
			if i > 0 {
				m = " "
			}
			fmt.Fprintf(&v.out, "  %s %s\n", m, line)
		}
		if p.Detail != "" {
			v.paragraph(oneLine(p.Detail))
		}
		if p.Hint != "" {
			v.paragraph("hint: " + oneLine(p.Hint))
		}
	}
}

func (v *statusView) paragraph(text string) {
	for _, line := range words(text, statusWidth-6) {
		fmt.Fprintf(&v.out, "      %s\n", line)
	}
}

// words breaks a text into lines of n cells between words only, so that paths
// and commands in it can be copied whole.
func words(text string, n int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		if last >= 0 && width(lines[last])+1+width(word) <= n {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// next shows the commands with their reasons beside them, or above them where
// that would be too wide.
func (v *statusView) next(commands []NextCommand) {
	if len(commands) == 0 {
		return
	}
	var rows, above [][]string
	wide := false
	for _, c := range commands {
		why := v.look.faint("# " + c.Why)
		rows = append(rows, []string{c.Command, why})
		above = append(above, []string{why}, []string{c.Command})
	}
	text := Table(nil, rows)
	for line := range strings.Lines(text) {
		wide = wide || width(strings.TrimSpace(line)) > statusWidth-2
	}
	if wide {
		text = Table(nil, above)
	}
	fmt.Fprintf(&v.out, "\n%s\n%s\n", v.look.bold("NEXT"), indent(text, "  "))
}
