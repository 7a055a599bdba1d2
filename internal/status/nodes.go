package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
)

// kubeletConf is on hosts that have joined.
const kubeletConf = "/etc/kubernetes/kubelet.conf"

func (a assessment) nodes() {
	for _, h := range a.c.Nodes() {
		n := Node{Name: h.Name, Roles: h.Roles, Proxy: a.proxy(h)}
		if a.s.API == nil {
			n.Detail = "unknown"
			a.Nodes = append(a.Nodes, n)
			continue
		}
		observed, ok := a.s.API.Nodes[h.Name]
		if !ok {
			n.Detail = "not a node of the cluster"
			if a.told(HostMisplaced, h.Name) {
				n.Detail = "of another cluster"
				a.Nodes = append(a.Nodes, n)
				continue
			}
			if facts := a.s.Facts(h.Name); facts != nil && facts.Files[kubeletConf].Exists {
				a.error(NodeMissing, h.Name, "has joined, and its node was deleted", "quorate apply restarts its kubelet, which registers it again")
			} else {
				a.error(NodeMissing, h.Name, "is not a node of the cluster", "quorate apply joins it")
			}
			a.Nodes = append(a.Nodes, n)
			continue
		}
		n.Ready, n.Kubelet, n.Cordoned = observed.Ready, observed.Kubelet, observed.Unschedulable
		if !n.Ready {
			n.Detail = observed.Reason
			if a.reached(h.Name) {
				a.add(Problem{
					Kind: NodeNotReady, Severity: diag.SeverityError, Subject: h.Name, Summary: "its node is not Ready", Detail: observed.Reason,
					Hint: fmt.Sprintf("on %s, look at journalctl -u kubelet -u containerd", h.Name),
				})
			}
		}
		if n.Ready {
			n.Detail = strings.Join(slices.Sorted(maps.Keys(observed.Troubles)), ", ")
			a.troubles(h.Name, observed.Troubles)
		}
		if n.Kubelet != a.c.Kubernetes.Version {
			a.warn(VersionDiffers, h.Name, fmt.Sprintf("its kubelet is %s, the file says %s", n.Kubelet, a.c.Kubernetes.Version), "quorate plan shows what that takes")
		}
		a.Nodes = append(a.Nodes, n)
	}
	if a.s.API == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(a.s.API.Nodes)) {
		if h := a.c.Host(name); h != nil && h.IsNode() {
			continue
		}
		observed := a.s.API.Nodes[name]
		n := Node{Name: name, Ready: observed.Ready, Kubelet: observed.Kubelet, Cordoned: observed.Unschedulable}
		if !n.Ready {
			n.Detail = observed.Reason
		}
		a.Nodes = append(a.Nodes, n)
		a.warn(NodeNotInFile, name, "is a node of the cluster, and the file does not have it",
			fmt.Sprintf("add it to the file, or remove it: kubectl drain %s --ignore-daemonsets, kubectl delete node %s", name, name))
	}
	if v := a.s.API.Version; v != a.c.Kubernetes.Version {
		a.warn(VersionDiffers, a.s.API.Via, fmt.Sprintf("its API server is %s, the file says %s", v, a.c.Kubernetes.Version), "quorate plan shows what that takes")
	}
}

// hintOfTrouble is what to do about a node's condition, which it is told of.
var hintOfTrouble = map[string]string{
	"DiskPressure":       "the kubelet evicts pods and takes no new ones: make room on the disks of /var/lib/kubelet and /var/lib/containerd",
	"MemoryPressure":     "the kubelet evicts pods and takes no new ones that asked for no memory: give the host more, or fewer pods",
	"PIDPressure":        "the kubelet takes no new pods: find the pod with too many processes, or raise kernel.pid_max",
	"NetworkUnavailable": "pods there have no network: look at the pod of the network plugin on the node",
}

// troubles tells of conditions of a node that is Ready.
func (a assessment) troubles(node string, troubles map[string]string) {
	for _, condition := range slices.Sorted(maps.Keys(troubles)) {
		a.add(Problem{
			Kind: NodeTrouble, Severity: diag.SeverityError, Subject: node, Summary: "its node has the condition " + condition,
			Detail: troubles[condition], Hint: hintOfTrouble[condition],
		})
	}
}

// proxy judges a node's own balancer. What it cannot reach because it is down
// is no problem of the proxy.
func (a assessment) proxy(h *cluster.Host) *Proxy {
	if _, behind := a.moving.behind[h.Name]; behind {
		return nil // it does not go by it yet; see switches
	}
	switch {
	case slices.Contains(a.c.BalancerObservers(), h):
		return a.ownBalancer(h)
	case a.c.HasOwnProxy(h):
		return a.proxyOn(h, "without it, its kubelet does not reach the API")
	}
	return nil
}

// proxyOn judges a proxy that Quorate runs on a host; without says what is
// wrong when there is none.
func (a assessment) proxyOn(h *cluster.Host, without string) *Proxy {
	p := &Proxy{Total: len(a.c.ControlPlanes())}
	if !a.reached(h.Name) {
		p.Detail = "host does not answer"
		return p
	}
	observed := a.s.Hosts[h.Name].Proxy
	if observed == nil || observed.Error != "" {
		p.Detail = "does not answer"
		problem := Problem{
			Kind: ProxyUnreachable, Severity: diag.SeverityError, Subject: h.Name, Summary: "its proxy does not tell its state; " + without,
			Hint: fmt.Sprintf("on %s: systemctl status quorate-%s; quorate apply puts it right", h.Name, cmp.Or(a.c.Endpoint.LoadBalancer.Type, "haproxy")),
		}
		if observed != nil {
			problem.Detail = observed.Error
		}
		a.add(problem)
		return p
	}
	p.Total = len(observed.Backends)
	var unexplained, why, known []string
	for _, b := range observed.Backends {
		known = append(known, b.Name)
		if b.Up {
			p.Up++
			continue
		}
		p.Down = append(p.Down, b.Name)
		if a.apiReady(b.Name) {
			unexplained = append(unexplained, b.Name)
			why = append(why, strings.TrimSpace(b.Name+" "+b.Detail))
		}
	}
	problem := Problem{
		Severity: diag.SeverityError, Subject: h.Name, Detail: strings.Join(why, ", "),
		Hint: fmt.Sprintf("check the network and the firewalls from %s to port %d of %s", h.Name, a.c.Kubernetes.APIServerPort, andList(unexplained)),
	}
	switch {
	case len(unexplained) == 0:
	case p.Up == 0:
		problem.Kind, problem.Summary = ProxyNoBackend, "its proxy reaches no API server, though there are ready ones"
		a.add(problem)
	default:
		problem.Kind = ProxyBackendDown
		problem.Summary = fmt.Sprintf("its proxy does not reach the API server of %s, which is ready", andList(unexplained))
		a.add(problem)
	}
	for _, cp := range a.c.ControlPlanes() {
		if !slices.Contains(known, cp.Name) {
			a.warn(ProxyBackendMissing, h.Name, "its proxy does not know of "+cp.Name, "quorate apply adds it")
		}
	}
	return p
}

// addOn is a workload that the cluster needs.
type addOn struct {
	name, workload string
	perNode        bool // runs on every node
}

func (a assessment) addOns() {
	if a.s.API == nil {
		return
	}
	wanted := []addOn{{"coredns", "Deployment/kube-system/coredns", false}, {"kube-proxy", "DaemonSet/kube-system/kube-proxy", true}}
	if a.c.Network.Plugin == "flannel" {
		wanted = append(wanted, addOn{"flannel", "DaemonSet/kube-flannel/kube-flannel-ds", true})
	}
	away := 0 // nodes that are not Ready, whose pods need not be either
	for _, n := range a.Nodes {
		if !n.Ready || (n.Name != "" && a.c.Host(n.Name) != nil && !a.reached(n.Name)) {
			away++
		}
	}
	for _, w := range wanted {
		observed, ok := a.s.API.Workloads[w.workload]
		a.AddOns = append(a.AddOns, AddOn{Name: w.name, Ready: observed.Ready, Desired: observed.Desired})
		kind, rest, _ := strings.Cut(w.workload, "/")
		namespace, name, _ := strings.Cut(rest, "/")
		hint := fmt.Sprintf("kubectl -n %s describe %s %s tells why", namespace, strings.ToLower(kind), name)
		switch missing := observed.Desired - observed.Ready; {
		case !ok:
			a.error(AddOnNotReady, w.name, "is not installed", "quorate apply installs it")
		case missing <= 0:
		case w.perNode && missing <= away, !w.perNode && away > 0 && observed.Ready > 0:
		default:
			a.error(AddOnNotReady, w.name, fmt.Sprintf("%d of %d pods are ready", observed.Ready, observed.Desired), hint)
		}
		if node := observed.Together; node != "" && len(a.s.API.Nodes)-away > 1 {
			a.warn(AddOnTogether, w.name, fmt.Sprintf("all its pods are on %s: when that fails, no name is resolved until they run elsewhere", node),
				fmt.Sprintf("kubectl -n %s rollout restart %s %s spreads them", namespace, strings.ToLower(kind), name))
		}
	}
}

// Clocks may be apart by as much as the observation is inexact: half of its
// round trip, which is seconds where something does not answer. Beyond
// clockBroken, new certificates are refused as not valid yet and tokens as
// expired.
const (
	clockApart  = 3 * time.Second
	clockBroken = time.Minute
)

// clocks compares the hosts' clocks with each other.
func (a assessment) clocks() {
	var first, last string
	for i := range a.c.Hosts {
		name := a.c.Hosts[i].Name
		if !a.reached(name) {
			continue
		}
		if first == "" || a.s.Hosts[name].Clock < a.s.Hosts[first].Clock {
			first = name
		}
		if last == "" || a.s.Hosts[name].Clock > a.s.Hosts[last].Clock {
			last = name
		}
	}
	if first == last {
		return
	}
	apart := a.s.Hosts[last].Clock - a.s.Hosts[first].Clock
	if apart < clockApart {
		return
	}
	p := Problem{
		Kind: ClockSkew, Severity: diag.SeverityWarning, Subject: last,
		Summary: fmt.Sprintf("its clock is %s ahead of that of %s", apart.Round(time.Second), first),
		Hint:    "let the hosts' clocks follow a time server (chrony or systemd-timesyncd)",
	}
	if apart >= clockBroken {
		p.Severity = diag.SeverityError
	}
	a.add(p)
}
