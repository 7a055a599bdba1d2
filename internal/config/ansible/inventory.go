package ansible

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// The limits of an inventory. Kubernetes itself is tested with 5000 nodes;
// maxEntries keeps a range of many hosts with many variables each, or many hosts
// in many groups each, from filling the memory.
const (
	maxHosts   = 5000
	maxGroups  = 2000
	maxEntries = 300_000
)

// variable is one definition of a variable: a key and a value in a file.
type variable struct {
	name  string
	value *yaml.Node // aliases followed; of tag !!null for none
	at    strict.Place
	file  *strict.File
	// idle says why no host has it, such as a group without hosts; empty if
	// one has.
	idle string
}

// scope is the variables of one level, such as a group's.
type scope map[string]*variable

// host is a machine of the inventory.
type host struct {
	name string
	at   strict.Place
	// vars are those of the inventory, fileVars those of host_vars.
	vars, fileVars scope
	// groups are those that name the host themselves, with the place.
	groups map[*group]strict.Place
	// lineage is all groups that the host is in, those that win last.
	lineage []*group
	// isBroken is true when a line of it could not be read: what is missing
	// may be in that line.
	isBroken bool
}

// group is a group of hosts and of further groups.
type group struct {
	name           string
	at             strict.Place
	vars, fileVars scope
	parents        []*group
	isDefined      bool // not only mentioned
	hasHosts       bool // in it, or in a group in it
	depth          int  // from the group all, 0 where not known yet
	inChain        bool // being visited, to notice a group inside itself
}

// inventory is all that the files say, before anything is made of it.
type inventory struct {
	r      *strict.Report
	file   *strict.File // the first inventory
	hosts  []*host      // in the files' order
	byName map[string]*host
	groups map[string]*group // by their plain names
	order  []*group
	// common are the variables of files beside the inventory, extra those that
	// were named with it.
	common, extra scope
	variables     []*variable // every definition, in the files' order
	encrypted     []*strict.File
	entries       int
	exhausted     bool
}

func newInventory(r *strict.Report, first *strict.File) *inventory {
	inv := &inventory{r: r, file: first, byName: map[string]*host{}, groups: map[string]*group{}, common: scope{}, extra: scope{}}
	inv.group(groupAll, strict.Place{Source: first.Source, Position: diag.Position{Line: 1, Column: 1}}).isDefined = true
	return inv
}

// The groups that give hosts something to do, by their plain names.
const (
	groupAll          = "all"
	groupControlPlane = "kube_control_plane"
	groupWorker       = "kube_node"
	groupEtcd         = "etcd"
	groupCluster      = "k8s_cluster"
	groupReflector    = "calico_rr"
	groupBastion      = "bastion"
)

// plainName is a group's name without what differs between kubespray's
// releases: kube-node is kube_node, and kube-master kube_control_plane.
func plainName(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	if name == "kube_master" || name == "kube_controlplane" {
		return groupControlPlane
	}
	return name
}

// group returns the group of a name, made if need be.
func (inv *inventory) group(name string, at strict.Place) *group {
	g, ok := inv.groups[plainName(name)]
	if !ok {
		g = &group{name: name, at: at, vars: scope{}, fileVars: scope{}}
		if len(inv.order) >= maxGroups {
			inv.exhaust(at)
			return g
		}
		inv.groups[plainName(name)] = g
		inv.order = append(inv.order, g)
	}
	return g
}

// groupNamed finds a group by the name that the inventory has for it.
func (inv *inventory) groupNamed(name string) (*group, bool) {
	g, ok := inv.groups[plainName(name)]
	return g, ok && g.name == name
}

// count notes that there are so many further entries, and reports whether the
// inventory is still of a sane size.
func (inv *inventory) count(entries int, at strict.Place) bool {
	if inv.entries += entries; inv.entries > maxEntries {
		inv.exhaust(at)
	}
	return !inv.exhausted
}

// exhaust refuses an inventory that is too large, once.
func (inv *inventory) exhaust(at strict.Place) {
	if !inv.exhausted {
		inv.fail(at, "is it the right file?", "the inventory is too large: more than %d hosts or %d groups, or too many variables", maxHosts, maxGroups)
	}
	inv.exhausted = true
}

// addChild puts a group into another.
func (inv *inventory) addChild(parent, child *group, at strict.Place) {
	switch {
	case child == inv.groups[groupAll]:
		inv.fail(at, "", "the group all holds every host and cannot be in another group")
	case !slices.Contains(child.parents, parent):
		child.parents = append(child.parents, parent)
	}
}

// addHosts puts the hosts of a pattern, such as node[1:3], into a group, with
// the variables that stand beside it.
func (inv *inventory) addHosts(pattern string, in *group, vars []*variable, at strict.Place) {
	names, port, err := expandHosts(pattern, maxHosts-len(inv.hosts))
	if err != nil {
		inv.fail(at, "a range is such as node[01:20] or rack-[a:c]", "%s: %v", strict.Clip(strict.Printable(pattern)), err)
		return
	}
	if len(inv.hosts)+len(names) > maxHosts {
		inv.exhaust(at)
	}
	if !inv.count(len(names)*(len(vars)+1), at) {
		return
	}
	if port != "" {
		v := &variable{name: "ansible_port", value: text(port), at: at, file: inv.file}
		inv.variables = append(inv.variables, v)
		vars = append([]*variable{v}, vars...)
	}
	for _, name := range names {
		h, ok := inv.byName[name]
		if !ok {
			h = &host{name: name, at: at, vars: scope{}, fileVars: scope{}, groups: map[*group]strict.Place{}}
			inv.byName[name] = h
			inv.hosts = append(inv.hosts, h)
		}
		if _, ok := h.groups[in]; !ok {
			h.groups[in] = at
		}
		for _, v := range vars {
			inv.overridden(h, v)
			h.vars[v.name] = v
		}
	}
}

// overridden tells about a variable that a host has already, with another value:
// whoever gave it there did not mean it to be forgotten.
func (inv *inventory) overridden(h *host, v *variable) {
	before := h.vars[v.name]
	if before == nil || before == v || inv.r.Full(diag.SeverityWarning) || canonical(before.value) == canonical(v.value) {
		return
	}
	inv.warn(v.at, "say it once", "host %s has another %s on line %d; as with Ansible, the last one counts", quote(h.name), v.shown(), before.at.Position.Line)
}

// connect works out which groups each host is in. It reports groups that are
// only mentioned, and groups inside themselves.
func (inv *inventory) connect() {
	// kubespray puts all nodes into this group by itself.
	cluster := inv.group(groupCluster, whole(inv.file))
	cluster.isDefined = true
	for _, name := range []string{groupControlPlane, groupWorker, groupReflector} {
		if g, ok := inv.groups[name]; ok && !slices.Contains(g.parents, cluster) && !slices.Contains(cluster.parents, g) {
			g.parents = append(g.parents, cluster)
		}
	}
	for _, g := range inv.order {
		if !g.isDefined {
			inv.warn(g.at, cmp.Or(inv.nearGroup(g), "add a section for it, or remove the line"), "the group %s is named, but the inventory does not define it", quote(g.name))
		}
		inv.depthOf(g)
	}
	all := inv.groups[groupAll]
	all.hasHosts = true
	for _, h := range inv.hosts {
		seen := map[*group]bool{all: true}
		h.lineage = []*group{all}
		var add func(g *group)
		add = func(g *group) {
			if seen[g] {
				return
			}
			seen[g], g.hasHosts = true, true
			h.lineage = append(h.lineage, g)
			for _, p := range g.parents {
				add(p)
			}
		}
		for g := range h.groups {
			add(g)
		}
		if !inv.count(len(h.lineage), h.at) {
			return
		}
		slices.SortFunc(h.lineage, func(a, b *group) int { return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.name, b.name)) })
	}
}

// nearGroup is a hint that names the group that one which nobody defines is
// probably meant for, or "".
func (inv *inventory) nearGroup(undefined *group) string {
	if inv.r.Full(diag.SeverityWarning) {
		return "" // comparing thousands with thousands takes long
	}
	var names []string
	for _, g := range inv.order {
		if g.isDefined && g.name != "ungrouped" {
			names = append(names, g.name)
		}
	}
	return strict.DidYouMean(undefined.name, names)
}

// depthOf is how many groups a group is in, the longest way; the variables of
// deeper ones win. A group that is inside itself is taken out, and reported.
func (inv *inventory) depthOf(g *group) int {
	if g.depth > 0 || g == inv.groups[groupAll] {
		return g.depth
	}
	g.inChain = true
	depth := 1
	g.parents = slices.DeleteFunc(g.parents, func(p *group) bool {
		if p.inChain {
			inv.fail(g.at, "remove one of the lines", "the group %s is inside itself, by way of %s", quote(g.name), quote(p.name))
			return true
		}
		depth = max(depth, inv.depthOf(p)+1)
		return false
	})
	g.inChain = false
	g.depth = depth
	return depth
}

// isIn reports whether a host is in a group, by its plain name, and where it
// says so: at the host's line, or that of the group of groups.
func (h *host) isIn(name string) (strict.Place, bool) {
	for _, g := range h.lineage {
		if plainName(g.name) != name {
			continue
		}
		if at, ok := h.groups[g]; ok {
			return at, true
		}
		return g.at, true
	}
	return strict.Place{}, false
}

// fail and warn report on a place that is no path's.
func (inv *inventory) fail(at strict.Place, hint, format string, args ...any) {
	inv.r.Tell(diag.SeverityError, at, hint, "", fmt.Sprintf(format, args...))
}

func (inv *inventory) warn(at strict.Place, hint, format string, args ...any) {
	inv.r.Tell(diag.SeverityWarning, at, hint, "", fmt.Sprintf(format, args...))
}

// quote is a name as messages show it.
func quote(s string) string { return fmt.Sprintf("%q", strict.Clip(s)) }

// text makes a value of a text.
func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }
