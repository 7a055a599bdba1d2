package kubekey

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/internal/config/strict"
)

// etcdInternal is KubeKey 4's word for etcd in pods on the control-plane hosts.
const etcdInternal = "internal"

// inventoryRoles finds out of the groups which roles each host has. others are
// the hosts that only groups name, in the order in which they do.
func (m *importer) inventoryRoles(s *inventorySpec, etcd string) (roles map[string][]role, others []string) {
	const at = strict.Path("spec.groups")
	roles = map[string][]role{}
	budget := maxMembers
	noted := map[string]bool{}
	give := func(group, name string) {
		for _, member := range m.inventoryMembers(s, group, &budget) {
			if !slices.ContainsFunc(roles[member.name], func(r role) bool { return r.name == name }) {
				roles[member.name] = append(roles[member.name], role{name, member.at})
			}
			if _, listed := s.Hosts[member.name]; !listed && !noted[member.name] {
				noted[member.name] = true
				others = append(others, member.name)
			}
		}
	}
	m.inventoryMembers(s, "k8s_cluster", &budget) // for what is wrong in it
	give("kube_control_plane", roleControlPlane)
	hasControlPlane := len(roles) > 0
	give("kube_worker", roleWorker)
	if etcd != etcdInternal {
		give("etcd", roleEtcd)
	} else if members := m.inventoryMembers(s, "etcd", &budget); len(members) > 0 {
		m.stackedElsewhere(members, roles)
	}
	m.otherGroups(s, &budget)
	switch hasEtcd := len(s.Groups["etcd"].Hosts)+len(s.Groups["etcd"].Groups) > 0; {
	case m.theirs.AnyBadIn(at):
	case !hasControlPlane:
		m.fail(at, "add kube_control_plane: {hosts: […]} with one host, or better three", "no host is in the group kube_control_plane")
	case !hasEtcd && etcd != etcdInternal:
		m.warn(at, "add etcd: {hosts: […]} with an odd number of hosts", "no host is in the group etcd: the control-plane hosts run it")
	}
	return roles, others
}

// stackedElsewhere speaks about hosts of the group etcd that do not run it,
// because etcd is on the control-plane hosts.
func (m *importer) stackedElsewhere(members []role, roles map[string][]role) {
	var elsewhere []role
	for _, member := range members {
		if !slices.ContainsFunc(roles[member.name], func(r role) bool { return r.name == roleControlPlane }) {
			elsewhere = append(elsewhere, member)
		}
	}
	if len(elsewhere) > 0 {
		m.warn("spec.groups.etcd", "remove them from the group, or write etcd.deployment_type: external",
			"with etcd.deployment_type internal etcd runs on the control-plane hosts, not on %s", memberList(elsewhere))
	}
}

// otherGroups speaks about the groups that are no role here.
func (m *importer) otherGroups(s *inventorySpec, budget *int) {
	const at = strict.Path("spec.groups")
	known := []string{"k8s_cluster", "kube_control_plane", "kube_worker", "etcd", "image_registry", "nfs"}
	for _, group := range m.inFileOrder(at, slices.Collect(maps.Keys(s.Groups))) {
		from := at.Key(group)
		m.leaveOut(leftOut{from: from.Key("vars"), value: s.Groups[group].Vars, follows: "variables for KubeKey's playbooks mean nothing here", hint: "write what is meant in a cluster file: quorate import"})
		if slices.Contains(known[:4], group) {
			continue
		}
		switch isUsed := len(s.Groups[group].Hosts)+len(s.Groups[group].Groups) > 0; {
		case !isUsed:
		case group == "image_registry":
			m.warn(from, "set the registry up yourself", "the group image_registry is not taken over: no image registry is installed on %s",
				memberList(m.inventoryMembers(s, group, budget)))
		case group == "nfs":
			m.warn(from, "set the server up yourself", "the group nfs is not taken over: no NFS server is installed on %s",
				memberList(m.inventoryMembers(s, group, budget)))
		case !within(s, group, known[:4]):
			hint := strict.DidYouMean(group, known)
			if hint == "" {
				hint = "label the hosts instead: labels, for each host"
			}
			m.warn(from, hint, "the group %s is not taken over: it is one of your own, and gives its hosts no role", word(group))
		}
	}
}

// inOwnGroups are the hosts that groups name other than as the cluster's as a
// whole: what becomes of them is said with the group.
func inOwnGroups(s *inventorySpec) map[string]bool {
	named := map[string]bool{}
	for name, group := range s.Groups {
		for _, host := range group.Hosts {
			named[host] = named[host] || name != "k8s_cluster"
		}
	}
	return named
}

// within reports whether a group is a part of one of others, directly.
func within(s *inventorySpec, group string, of []string) bool {
	return slices.ContainsFunc(of, func(name string) bool { return slices.Contains(s.Groups[name].Groups, group) })
}

// inventoryMembers are a group's hosts and those of the groups in it.
func (m *importer) inventoryMembers(s *inventorySpec, group string, budget *int) []role {
	var members []role
	m.addMembers(&members, s, group, map[string]bool{}, budget)
	return members
}

// addMembers adds the hosts of a group and of the groups in it, but for those
// that were seen.
func (m *importer) addMembers(members *[]role, s *inventorySpec, group string, seen map[string]bool, budget *int) {
	from := strict.Path("spec.groups").Key(group)
	if seen[group] || !m.spend(from, budget) {
		return
	}
	seen[group] = true
	for i, name := range s.Groups[group].Hosts {
		if name == "" {
			continue
		}
		if !m.spend(from, budget) {
			return
		}
		at := from.Key("hosts").Index(i)
		if _, listed := s.Hosts[name]; !listed && m.misspelt(at, group, name) {
			continue
		}
		*members = append(*members, role{name, m.theirs.PlaceOf(at)})
	}
	for i, inner := range s.Groups[group].Groups {
		if _, ok := s.Groups[inner]; !ok && inner != "" {
			hint := m.near(inner, m.groups)
			m.warn(from.Key("groups").Index(i), hint, "groups.%s: there is no group %s", word(group), quote(inner))
			continue
		}
		m.addMembers(members, s, inner, seen, budget)
	}
}

// misspelt reports a member that nearly is a listed host. All others that are
// not listed are hosts of their own.
func (m *importer) misspelt(from strict.Path, group, name string) bool {
	hint := m.near(name, m.listed)
	if hint == "" || isNumberedLike(name, m.listed) {
		return false
	}
	m.fail(from, hint, "groups.%s: there is no host %s", word(group), quote(name))
	return true
}

// isNumberedLike reports whether a name differs from a listed one in its number
// alone: node4 beside node1 to node3 is no slip of the pen.
func isNumberedLike(name string, hosts []string) bool {
	stem := trimNumber(name)
	return stem != name && slices.ContainsFunc(hosts, func(other string) bool { return trimNumber(other) == stem })
}

// trimNumber is a name without the digits at its end.
func trimNumber(name string) string {
	end := len(name)
	for end > 0 && name[end-1] >= '0' && name[end-1] <= '9' {
		end--
	}
	return name[:end]
}
