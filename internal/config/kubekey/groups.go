package kubekey

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// Our roles.
const (
	roleControlPlane = "control-plane"
	roleEtcd         = "etcd"
	roleWorker       = "worker"
)

// role is one that a host has, and where the file says so.
type role struct {
	name string
	at   strict.Place
}

// groupRoles are KubeKey's groups that are roles here.
func groupRoles() map[string]string {
	return map[string]string{"master": roleControlPlane, "control-plane": roleControlPlane, "etcd": roleEtcd, "worker": roleWorker}
}

// roles finds out of the groups which roles each host has, by its name, and
// which hosts are in groups that give no role. It returns nil when there are no
// groups at all.
func (m *importer) roles(s *spec) (roles map[string][]role, others map[string]bool) {
	const at = strict.Path("spec.roleGroups")
	if len(s.RoleGroups) == 0 {
		m.fail(at, "add roleGroups: {control-plane: […], etcd: […], worker: […]}", "no roleGroups say what the hosts are for")
		return nil, nil
	}
	hosts := hostNames(s.Hosts)
	roles, others = map[string][]role{}, map[string]bool{}
	budget := maxMembers
	for _, group := range m.inFileOrder(at, slices.Collect(maps.Keys(s.RoleGroups))) {
		from := at.Key(group)
		name, known := groupRoles()[group]
		members := m.members(from, group, s.RoleGroups[group], hosts, &budget)
		switch {
		case !known:
			m.otherGroup(from, group, members)
			for _, member := range members {
				others[member.name] = true
			}
			continue
		case name == roleEtcd && s.Etcd.Type == etcdKubeadm:
			continue // then etcd runs on the control-plane hosts, whatever the group says
		}
		for _, member := range members {
			if !slices.ContainsFunc(roles[member.name], func(r role) bool { return r.name == name }) {
				roles[member.name] = append(roles[member.name], role{name, member.at})
			}
		}
	}
	m.missingRoles(s, roles)
	return roles, others
}

// inFileOrder sorts the keys of a mapping as they stand in the file.
func (m *importer) inFileOrder(p strict.Path, keys []string) []string {
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(inFileOrder(m.theirs.KeyOf(p.Key(a)), m.theirs.KeyOf(p.Key(b))), cmp.Compare(a, b))
	})
	return keys
}

func hostNames(hosts []host) []string {
	var names []string
	for i := range hosts {
		if hosts[i].Name != "" {
			names = append(names, hosts[i].Name)
		}
	}
	return names
}

// otherGroup speaks about a group that is no role here.
func (m *importer) otherGroup(from strict.Path, group string, members []role) {
	if len(members) == 0 {
		return
	}
	if group == "registry" {
		m.warn(from, "set the registry up yourself, and name it below registry",
			"roleGroups.registry is not taken over: no image registry is installed on %s", memberList(members))
		return
	}
	hint := strict.DidYouMean(group, slices.Sorted(maps.Keys(groupRoles())))
	if plain := strings.ToLower(group); strings.HasPrefix(plain, "lb") || strings.Contains(plain, "balancer") || strings.Contains(plain, "haproxy") || strings.Contains(plain, "keepalived") {
		hint = "Quorate can run HAProxy and keepalived on such hosts: write a cluster file with quorate import, give them the role load-balancer in it, and loadBalancer: {mode: managed, vip: …}"
	}
	if hint == "" {
		hint = "label the hosts instead: labels, for each host"
	}
	m.warn(from, hint, "the group %s is not taken over: it is one of your own, and gives its hosts no role", word(group))
}

// memberList names the members of a group, not too many of them.
func memberList(members []role) string {
	const most = 5
	var names []string
	for _, member := range members {
		names = append(names, word(member.name))
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// missingRoles checks that somebody has the roles that every cluster needs.
func (m *importer) missingRoles(s *spec, roles map[string][]role) {
	const at = strict.Path("spec.roleGroups")
	if m.theirs.AnyBadIn(at) {
		return
	}
	has := map[string]bool{}
	for _, of := range roles {
		for _, r := range of {
			has[r.name] = true
		}
	}
	switch {
	case !has[roleControlPlane]:
		m.fail(at, "add control-plane: with one host, or better three", "roleGroups names no control-plane (or master) hosts")
	case !has[roleEtcd] && (s.Etcd.Type == "" || s.Etcd.Type == etcdKubeKey):
		m.warn(at, "add etcd: with an odd number of hosts", "roleGroups names no etcd hosts, which KubeKey refuses: the control-plane hosts run etcd")
	case s.Etcd.Type == etcdKubeadm:
		m.etcdElsewhere(s, roles)
	}
}

// etcdElsewhere speaks about hosts of the group etcd that do not run it,
// because etcd is on the control-plane hosts.
func (m *importer) etcdElsewhere(s *spec, roles map[string][]role) {
	const from = strict.Path("spec.roleGroups.etcd")
	budget := maxMembers
	var others []role
	for _, member := range m.members(from, "etcd", s.RoleGroups["etcd"], hostNames(s.Hosts), &budget) {
		if !slices.ContainsFunc(roles[member.name], func(r role) bool { return r.name == roleControlPlane }) {
			others = append(others, member)
		}
	}
	if len(others) > 0 {
		m.warn(from, "remove them from the group, or write etcd.type: kubekey",
			"with etcd.type kubeadm etcd runs on the control-plane hosts, not on %s", memberList(others))
	}
}

// setRoles gives a host its roles, the control plane's first.
func (m *importer) setRoles(to strict.Path, out *v1alpha1.Host, roles []role) {
	order := []string{roleControlPlane, roleEtcd, roleWorker}
	slices.SortStableFunc(roles, func(a, b role) int { return cmp.Compare(slices.Index(order, a.name), slices.Index(order, b.name)) })
	for i, r := range roles {
		out.Roles = append(out.Roles, r.name)
		m.ours.Set(to.Key("roles").Index(i), r.at)
	}
	m.ours.Set(to.Key("roles"), roles[0].at)
}

// maxMembers is how many members all groups together have at most, ranges
// written out: more than any cluster has, and soon counted.
const maxMembers = 200_000

// spend counts a member, and reports whether there may be one more.
func (m *importer) spend(from strict.Path, budget *int) bool {
	if *budget--; *budget < 0 {
		m.fail(from, "name each host once", "the groups have more than %d members", maxMembers)
	}
	return *budget >= 0
}

// memberRange is what stands for many names: node[2:10].
var memberRange = regexp.MustCompile(`^([^\[\]]*)\[(\d+):(\d+)\]$`)

// members are a group's hosts, ranges written out, names that no host has
// reported.
func (m *importer) members(group strict.Path, what string, texts, hosts []string, budget *int) []role {
	known := make(map[string]bool, len(hosts))
	for _, h := range hosts {
		known[h] = true
	}
	var members []role
	for i, text := range texts {
		from := group.Index(i)
		at := m.theirs.PlaceOf(from)
		text = strings.TrimSpace(text)
		if text == "" {
			continue // "- " with nothing behind it
		}
		names := []string{text}
		if strings.Contains(text, "[") {
			names = m.expand(from, what, text, known)
		}
		for _, name := range names {
			if !known[name] {
				m.noSuchHost(from, what, text, name, hosts)
				break
			}
			if !m.spend(from, budget) {
				return members
			}
			members = append(members, role{name, at})
		}
	}
	return members
}

// expand writes a range out. It stops at the first name that no host has, so
// that a range of billions takes no longer than the list of hosts.
func (m *importer) expand(from strict.Path, what, text string, known map[string]bool) []string {
	const hint = "ranges are written node[2:10]: both ends are included, and numbers have no leading zeros"
	parts := memberRange.FindStringSubmatch(text)
	if parts == nil {
		m.fail(from, hint, "roleGroups.%s: %s is neither a host nor a range of hosts", word(what), quote(text))
		return nil
	}
	first, err1 := strconv.ParseInt(parts[2], 10, 32)
	last, err2 := strconv.ParseInt(parts[3], 10, 32)
	switch {
	case err1 != nil || err2 != nil:
		m.fail(from, hint, "roleGroups.%s: the numbers in %s are too large", word(what), quote(text))
		return nil
	case last < first:
		m.fail(from, fmt.Sprintf("write %s[%d:%d]", word(parts[1]), last, first), "roleGroups.%s: the range %s runs backwards", word(what), quote(text))
		return nil
	}
	var names []string
	for i := first; i <= last; i++ {
		name := fmt.Sprintf("%s%d", parts[1], i)
		names = append(names, name)
		if !known[name] {
			break
		}
	}
	return names
}

// noSuchHost reports a member, or the first of a range, that the list of hosts
// does not have.
func (m *importer) noSuchHost(from strict.Path, what, text, name string, hosts []string) {
	parts := memberRange.FindStringSubmatch(text)
	if parts == nil {
		hint := cmp.Or(m.near(name, hosts), "add the host to hosts, or remove it from the group")
		m.fail(from, hint, "roleGroups.%s: there is no host %s", word(what), quote(name))
		return
	}
	hint := "add the hosts to hosts, or correct the range"
	first, _ := strconv.Atoi(parts[2])
	missing, _ := strconv.Atoi(strings.TrimPrefix(name, parts[1]))
	if missing > first {
		hint = fmt.Sprintf("add the hosts to hosts, or end the range where they end: %s[%d:%d]", word(parts[1]), first, missing-1)
	}
	m.fail(from, hint, "roleGroups.%s: there is no host %s, which the range %s names", word(what), quote(name), quote(text))
}
