package ansible

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// The roles of hosts, with the groups that give them.
const (
	roleControlPlane = "control-plane"
	roleWorker       = "worker"
	roleEtcd         = "etcd"
	roleLoadBalancer = "load-balancer"
)

// hasOldNames reports whether the inventory has the names of groups from before
// kubespray 2.16, which KubeSphere 2.x has too.
func (inv *inventory) hasOldNames() bool {
	g, ok := inv.groups[groupControlPlane]
	return ok && plainName(g.name) == groupControlPlane && strings.HasSuffix(g.name, "master")
}

// hostsPath is where the hosts are in the document.
const hostsPath = strict.Path("spec.hosts")

// hosts makes the document's hosts, and the bastion.
func (m *importer) hosts() {
	m.r.Set(hostsPath, whole(m.inv.file))
	m.isStacked = slices.ContainsFunc(m.inv.hosts, m.runsStackedEtcd)
	for _, h := range m.inv.hosts {
		roles := m.rolesOf(h)
		if at, inEtcd := h.isIn(groupEtcd); inEtcd && !slices.Contains(roles, roleEtcd) {
			m.inv.warn(at, "write etcd_deployment_type: host to run it there", "host %s is in the group etcd, but with etcd_deployment_type kubeadm the control-plane hosts run etcd", quote(h.name))
			if len(roles) == 0 {
				continue
			}
		}
		_, isBastion := h.isIn(groupBastion)
		switch {
		case len(roles) > 0:
			m.members = append(m.members, h)
		case isBastion || h.name == "bastion" && !m.isKubeSphere:
			m.bastion(h)
			continue
		default:
			if _, isReflector := h.isIn(groupReflector); isReflector {
				m.inv.warn(h.at, "", "host %s is a Calico route reflector, which only Calico needs: it is left out of the cluster", quote(h.name))
				continue
			}
			if h.isBroken || m.isKubeasz && m.leftOutOfKubeasz(h) {
				continue
			}
			m.inv.warn(h.at, cmp.Or(m.balancerHint(h), "put it into a group: "+m.groupNames()), "host %s is in no group that gives it something to do: it is left out of the cluster", quote(h.name))
			continue
		}
	}
	var logins []login
	isControlled := false
	for i, h := range m.members {
		m.doc.Spec.Hosts = append(m.doc.Spec.Hosts, v1alpha1.Host{})
		l := m.host(hostsPath.Index(i), h, &m.doc.Spec.Hosts[i])
		logins = append(logins, l)
		_, isOne := h.isIn(groupControlPlane)
		isControlled = isControlled || isOne
	}
	switch {
	case len(m.inv.hosts) == 0:
		m.r.Errorf(hostsPath, "", "the inventory lists no hosts")
	case !isControlled:
		m.r.Errorf(hostsPath, "name one host, or better three, below ["+m.controlPlaneGroup()+"]", "no host is in the group %s: the cluster would have no control plane", m.controlPlaneGroup())
	}
	m.explainGroups()
	m.writeLogins(logins)
	if !m.isKubeSphere && len(m.members) > 0 {
		m.checkUser(logins)
	}
}

// explainGroups tells about groups that give their hosts nothing to do: neither
// a role, as they are or by the groups that they are in, nor variables.
func (m *importer) explainGroups() {
	var isKnown func(g *group) bool
	isKnown = func(g *group) bool {
		switch plainName(g.name) {
		case groupAll, groupControlPlane, groupWorker, groupEtcd, groupCluster, groupReflector, groupBastion, "ungrouped", "no_floating":
			return true
		case groupBalancer, groupHarbor, groupChrony:
			return m.isKubeasz
		}
		return slices.ContainsFunc(g.parents, isKnown)
	}
	for _, g := range m.inv.order {
		if g.hasHosts && g.isDefined && len(g.vars) == 0 && len(g.fileVars) == 0 && !isKnown(g) {
			hint := ""
			if isBalancerName(g.name) {
				hint = managedHint
			}
			m.inv.warn(g.at, hint, "the group %s is not one that Quorate knows: nothing is installed for it", quote(g.name))
		}
	}
}

// managedHint is how to have load balancers that Quorate runs.
const managedHint = "Quorate can run HAProxy and keepalived on such hosts: write a cluster file with quorate import, give them the role load-balancer in it, and loadBalancer: {mode: managed, vip: …}"

// isBalancerName reports whether a group or host is by its name one of load balancers.
func isBalancerName(name string) bool {
	plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	return strings.HasPrefix(plain, "lb") || strings.Contains(plain, "loadbalancer") || strings.Contains(plain, "haproxy") || strings.Contains(plain, "keepalived")
}

// balancerHint is what to do about a load balancer's host that has no role.
func (m *importer) balancerHint(h *host) string {
	if isBalancerName(h.name) {
		return managedHint
	}
	return ""
}

// checkUser tells who Quorate logs in as where the inventory leaves it open.
func (m *importer) checkUser(logins []login) {
	for i, l := range logins {
		h := m.members[i]
		if !l.isLocal && !h.isBroken && m.inv.lookup(h, "ansible_user") == nil && m.inv.lookup(h, "ansible_ssh_user") == nil {
			m.inv.warn(h.at, "say ansible_user for all hosts",
				"no ansible_user is given: Ansible logs in as you or as ansible.cfg says, Quorate as ~/.ssh/config says, else as root")
			return
		}
	}
}

func (m *importer) controlPlaneGroup() string {
	if m.inv.hasOldNames() {
		return "kube-master"
	}
	return "kube_control_plane"
}

func (m *importer) groupNames() string {
	if m.inv.hasOldNames() {
		return "kube-master, kube-node or etcd"
	}
	return "kube_control_plane, kube_node or etcd"
}

// rolesOf are the roles that a host's groups give it.
func (m *importer) rolesOf(h *host) []string {
	var roles []string
	if _, ok := h.isIn(groupControlPlane); ok {
		roles = append(roles, roleControlPlane)
	}
	if _, ok := h.isIn(groupWorker); ok {
		roles = append(roles, roleWorker)
	}
	if _, ok := h.isIn(groupEtcd); ok && (!m.isStacked || slices.Contains(roles, roleControlPlane)) {
		roles = append(roles, roleEtcd)
	}
	if _, ok := h.isIn(groupBalancer); ok && m.isKubeasz {
		roles = append(roles, roleLoadBalancer)
	}
	return roles
}

// host fills in a host, and returns how to log in to it.
func (m *importer) host(p strict.Path, h *host, out *v1alpha1.Host) login {
	m.r.Set(p, h.at)
	if h.isBroken {
		m.r.MarkBad(p)
	}
	m.r.Set(p.Key("name"), h.at)
	out.Name = h.name
	if m.isKubeasz {
		out.Name = m.kubeaszName(p.Key("name"), h)
	}
	out.Roles = m.rolesOf(h)
	m.placeRoles(p.Key("roles"), h, out.Roles)

	l := m.login(p.Key("ssh"), h)
	if l.isLocal {
		out.Connection = "local"
		m.r.Set(p.Key("connection"), l.connectionAt)
	}
	m.addresses(p, h, out, l.isLocal)
	m.labels(p.Key("labels"), h, out)
	return l
}

// runsStackedEtcd reports whether a control-plane host has kubeadm run etcd, so that
// the group etcd is nobody's.
func (m *importer) runsStackedEtcd(h *host) bool {
	if _, ok := h.isIn(groupControlPlane); !ok {
		return false
	}
	is := func(name, value string) bool {
		v := m.inv.lookup(h, name)
		if v == nil {
			return false
		}
		n, why := m.resolve(v.value, h)
		return why == nil && canonical(n) == value
	}
	return is("etcd_deployment_type", "kubeadm") || is("etcd_kubeadm_enabled", "true")
}

// placeRoles notes where the groups name a host. Findings about all its roles
// are mostly about etcd.
func (m *importer) placeRoles(p strict.Path, h *host, roles []string) {
	for i, role := range roles {
		at, _ := h.isIn(map[string]string{roleControlPlane: groupControlPlane, roleWorker: groupWorker, roleEtcd: groupEtcd, roleLoadBalancer: groupBalancer}[role])
		m.r.Set(p.Index(i), at)
		m.r.Set(p, at)
	}
}

// of returns a variable of a host, resolved, as text: the first of several
// names that is there. It reports an error about the path where the value is
// not known.
func (m *importer) of(p strict.Path, h *host, names ...string) (string, *variable) {
	var found *variable
	for _, name := range names {
		m.handled[name] = true
		if v := m.inv.lookup(h, name); v != nil && found == nil && !isNull(v.value) {
			found = v
		}
	}
	if found == nil {
		return "", nil
	}
	n, why := m.resolve(found.value, h)
	if why == nil && n.Kind != yaml.ScalarNode {
		why = &unresolved{"must be one value, not " + describe(n), ""}
	}
	if why != nil {
		m.failOnce(p, h, found, why)
		return "", found
	}
	return n.Value, found
}

// failOnce reports an error about a variable of a host: once, if several hosts
// have it from the same group.
func (m *importer) failOnce(p strict.Path, h *host, v *variable, why *unresolved) {
	if !m.told[v] {
		m.r.Set(p, v.at)
		m.r.Errorf(p, why.hint, "host %s: %s %s", quote(h.name), v.name, why.why)
	}
	m.told[v] = true
	m.r.MarkBad(p)
}

// addresses fills in where SSH and where the other hosts reach a host.
func (m *importer) addresses(p strict.Path, h *host, out *v1alpha1.Host, isLocal bool) {
	address, addressAt := m.of(p.Key("address"), h, "ansible_host", "ansible_ssh_host")
	internal, internalAt := m.of(p.Key("internalAddress"), h, "ip")
	access, accessAt := m.of(p.Key("internalAddress"), h, "access_ip")
	switch {
	case internalAt == nil:
		internal, internalAt = access, accessAt
	case accessAt != nil && access != internal && access != "":
		if !m.accessTold {
			m.accessTold = true
			m.inv.warn(accessAt.at, "write the address that the other hosts reach it at as ip", "host %s, and perhaps others, has ip and another access_ip: Quorate uses one address between hosts, ip", quote(h.name))
		}
	}
	at := h.at
	if addressAt != nil {
		at = addressAt.at
	} else if isLocal && internalAt != nil {
		address, at = internal, internalAt.at
	} else {
		address, at = h.name, at.Called("address") // which no variable says
	}
	m.r.Set(p.Key("address"), at)
	out.Address = address
	if m.refuseStandIn(p.Key("address"), "host "+quote(h.name)+": the address", address) {
		m.r.MarkBad(p.Key("internalAddress"))
		return
	}
	if internalAt != nil && internal != address {
		m.r.Set(p.Key("internalAddress"), internalAt.at)
		out.InternalAddress = internal
		m.refuseStandIn(p.Key("internalAddress"), "host "+quote(h.name)+": ip", internal)
	}
	if _, err := netip.ParseAddr(address); err == nil || internalAt != nil || address == "" || !hasLetter.MatchString(address) {
		return // what is of digits and dots alone is refused as an address
	}
	m.r.Set(p.Key("internalAddress"), at)
	m.r.Errorf(p.Key("internalAddress"), "add ip=ADDRESS to the host, the IP address that the other hosts reach it at",
		"host %s has a name as address, so it needs an ip too", quote(h.name))
}

var hasLetter = regexp.MustCompile(`[A-Za-z]`)

// refuseStandIn refuses a stand-in for an address, and reports whether it did.
func (m *importer) refuseStandIn(p strict.Path, name, address string) bool {
	is := strict.IsStandIn(address)
	if is {
		m.r.Errorf(p, "write the real address", "%s %s is a guide's stand-in for an address", name, quote(address))
	}
	return is
}

// labels fills in the labels of a host's node.
func (m *importer) labels(p strict.Path, h *host, out *v1alpha1.Host) {
	m.handled["node_labels"] = true
	v := m.inv.lookup(h, "node_labels")
	if v == nil || isNull(v.value) {
		return
	}
	m.r.Set(p, v.at)
	n, why := m.resolve(v.value, h)
	if why == nil && n.Kind == yaml.ScalarNode {
		n, why = labelsOfText(n.Value)
	}
	if why == nil && n.Kind != yaml.MappingNode {
		why = &unresolved{"must be a mapping (label: value)", ""}
	}
	if why != nil {
		m.r.Errorf(p, why.hint, "host %s: node_labels %s", quote(h.name), why.why)
		return
	}
	out.Labels = map[string]string{}
	for _, pair := range m.inv.pairs(v.file, n) {
		value, why := m.resolve(pair.value, h)
		if why != nil || value.Kind != yaml.ScalarNode {
			m.r.Errorf(p, "write the value out", "host %s: the value of the label %s is not known", quote(h.name), quote(pair.key.Value))
			continue
		}
		m.r.Set(p.Key(pair.key.Value), v.at)
		out.Labels[pair.key.Value] = value.Value
	}
}

// labelsOfText makes a mapping of labels that are written as a=b,c=d, or in JSON,
// whose words (true) INI inventories do not know.
func labelsOfText(s string) (*yaml.Node, *unresolved) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		var labels map[string]any
		if err := json.Unmarshal([]byte(s), &labels); err != nil {
			return n, &unresolved{"is neither a=b,c=d nor a mapping", `write {"label": "value"}`}
		}
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			switch labels[key].(type) {
			case string, bool, float64:
				n.Content = append(n.Content, text(key), text(fmt.Sprint(labels[key])))
			default:
				return n, &unresolved{"has a label whose value is no text", `write {"label": "value"}`}
			}
		}
		return n, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok && strings.TrimSpace(part) != "" {
			return n, &unresolved{"has " + quote(part) + " in it, which is no label", "write label=value,label=value"}
		}
		if ok {
			n.Content = append(n.Content, text(key), text(value))
		}
	}
	return n, nil
}

// parseWhole reads a whole number.
func parseWhole(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
