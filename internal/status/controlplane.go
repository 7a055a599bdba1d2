package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/state"
)

// leaseStale is how old a lease's last renewal may be. Its holder renews it
// every two seconds, and another takes it over after fifteen.
const leaseStale = 30 * time.Second

// Names of the leases by which the scheduler and the controller manager elect
// their leaders.
const (
	leaseScheduler         = "kube-scheduler"
	leaseControllerManager = "kube-controller-manager"
)

func (a assessment) controlPlanes() {
	for _, h := range a.c.ControlPlanes() {
		cp := ControlPlane{Host: h.Name, Detail: "host does not answer"}
		if a.reached(h.Name) {
			cp.Detail = "was not asked"
			if probe := a.s.Hosts[h.Name].APIServer; probe != nil {
				cp.Ready, cp.TookMillis = probe.OK, probe.Took.Milliseconds()
				cp.Detail = shortly(probe.Detail)
				a.apiServerProblem(h.Name, probe.OK, probe.Detail)
			}
			a.adminConf(h.Name)
		}
		cp.Running, cp.Down = a.programs(h.Name)
		cp.Scheduler = a.holds(leaseScheduler, h.Name)
		cp.ControllerManager = a.holds(leaseControllerManager, h.Name)
		a.ControlPlanes = append(a.ControlPlanes, cp)
	}
	if len(a.s.Etcd) == 0 && a.readyAPIServers() > 0 {
		// No member could be asked; an API server is ready only while etcd answers it.
		a.Etcd.HasQuorum = true
	}
	if a.s.API == nil {
		if a.readyAPIServers() > 0 {
			a.apiUnusable()
		}
		return
	}
	a.lease(leaseScheduler, "no pod is scheduled")
	a.lease(leaseControllerManager, "no controller runs: nothing is repaired or scaled")
}

// adminConf tells of a host whose administrator's credentials are not used.
func (a assessment) adminConf(host string) {
	why := a.s.Hosts[host].AdminConf
	if why == "" {
		return
	}
	why = strings.TrimPrefix(why, host+": ")
	a.error(AdminConfRefused, host, why, fmt.Sprintf("find out who changed that file on %s: whoever did may be root there; kubeadm puts only the CA, a certificate, its key and the server into it", host))
}

// programs tells which of a host's scheduler and controller manager run, and which do
// not. One whose files are empty, or whose API server is not ready, does not because
// of that.
func (a assessment) programs(host string) (running, down []string) {
	if !a.reached(host) {
		return nil, nil
	}
	for _, p := range a.s.Hosts[host].Programs {
		if p.Running {
			running = append(running, p.Name)
			continue
		}
		down = append(down, p.Name)
		if slices.ContainsFunc(a.empty(host), func(file string) bool { return strings.HasPrefix(file, "/etc/kubernetes/") }) || !a.apiAnswers(host) {
			continue
		}
		a.add(Problem{
			Kind: ProgramDown, Severity: diag.SeverityError, Subject: host, Summary: "its " + p.Name + " does not run", Detail: p.Detail,
			Hint: fmt.Sprintf("quorate plan tells whether an apply mends it; on %s, look at /var/log/pods/kube-system_%s-*", host, p.Name),
		})
	}
	return running, down
}

// apiAnswers reports whether a host's own API server was found ready.
func (a assessment) apiAnswers(host string) bool {
	probe := a.s.Hosts[host].APIServer
	return probe != nil && probe.OK
}

// standing counts the hosts on which a program runs.
func (a assessment) standing(program string) int {
	n := 0
	for _, cp := range a.ControlPlanes {
		if slices.Contains(cp.Running, program) {
			n++
		}
	}
	return n
}

// apiUnusable tells why the API told nothing although an API server is ready.
func (a assessment) apiUnusable() {
	p := Problem{
		Kind: APIUnusable, Severity: diag.SeverityError, Summary: "API servers are ready, and none of them lets Quorate ask",
		Detail: a.s.APIError, Hint: "check /etc/kubernetes/admin.conf on the control-plane hosts",
	}
	if a.s.APIUnauthorized {
		p.Hint = state.UnauthorizedHint
	}
	if shortly(a.s.APIError) == slow {
		p.Summary = "API servers are ready, but do not answer questions in time"
		p.Hint = "after a host was lost, requests can hang on its etcd member for up to 40 s; look again, then look at the load of the hosts"
	}
	a.add(p)
}

// apiServerProblem tells why a host's API server is not ready. Without a
// quorum of etcd, no API server can be.
func (a assessment) apiServerProblem(host string, ready bool, detail string) {
	if ready {
		return
	}
	p := Problem{
		Kind: APIServerNotReady, Severity: diag.SeverityError, Subject: host, Summary: "its API server is not ready",
		Hint: fmt.Sprintf("on %s, look at journalctl -u kubelet and /var/log/pods/kube-system_kube-apiserver-*", host),
	}
	if checks, ok := failedChecks(detail); ok {
		p.Summary += ": " + checks
	} else {
		p.Detail = detail
	}
	if !a.Etcd.HasQuorum && len(a.s.Etcd) > 0 {
		p.Summary += ", because etcd has no quorum"
		p.Hint = "give etcd its quorum back; the API server follows by itself"
	}
	a.add(p)
}

// failedChecks words the names of failed checks of /readyz; a detail that is
// no list of names is an error of the connection.
func failedChecks(detail string) (string, bool) {
	names := strings.Split(detail, ", ")
	if detail == "" || slices.ContainsFunc(names, func(n string) bool { return strings.ContainsAny(n, " :") }) {
		return "", false
	}
	if len(names) == 1 {
		return "the check " + names[0] + " fails", true
	}
	return "the checks " + andList(names) + " fail", true
}

const slow = "no answer in time"

// shortly words an error of a connection for a table's cell.
func shortly(detail string) string {
	switch {
	case strings.Contains(detail, "connection refused"):
		return "not running"
	case strings.Contains(detail, "deadline exceeded"), strings.Contains(detail, "Timeout"), strings.Contains(detail, "timeout"):
		return slow
	case strings.Contains(detail, "x509"), strings.Contains(detail, "certificate"):
		return "wrong certificate"
	}
	if _, ok := failedChecks(detail); ok {
		return "failing: " + detail
	}
	return detail
}

func (a assessment) readyAPIServers() int {
	n := 0
	for _, cp := range a.ControlPlanes {
		if cp.Ready {
			n++
		}
	}
	return n
}

// apiReady reports whether a control-plane host's API server is ready.
func (a assessment) apiReady(host string) bool {
	return slices.ContainsFunc(a.ControlPlanes, func(cp ControlPlane) bool { return cp.Host == host && cp.Ready })
}

func (a assessment) holds(lease, host string) bool {
	return a.s.API != nil && a.s.API.Leases[lease].Holder == host
}

// lease checks that a component has a leader that lives. The time of a
// renewal is by the holder's clock.
func (a assessment) lease(name, means string) {
	hint := fmt.Sprintf("look at /var/log/pods/kube-system_%s-* on the control-plane hosts", name)
	l, ok := a.s.API.Leases[name]
	if !ok || l.Holder == "" {
		a.error(LeaseStale, name, "none of its instances leads: "+means, hint)
		return
	}
	renewed := l.Renewed
	if h := a.s.Hosts[l.Holder]; h != nil {
		renewed = renewed.Add(-h.Clock)
	}
	if age := a.s.Taken.Sub(renewed); age > leaseStale {
		a.error(LeaseStale, name, fmt.Sprintf("its leader on %s gave no sign for %s: %s", l.Holder, age.Round(time.Second), means), hint)
	}
}
