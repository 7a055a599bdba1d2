package ansible

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
)

// level says what a file of variables belongs to, by its path: a folder
// group_vars or host_vars and what is in it, a group's file or folder.
func level(name string) (kind, owner string) {
	parts := strings.Split(filepath.ToSlash(name), "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if parts[i] != "group_vars" && parts[i] != "host_vars" {
			continue
		}
		owner := parts[i+1]
		if i+2 == len(parts) { // hosts have dots in their names, and no ending at times
			switch ext := path.Ext(owner); ext {
			case ".yml", ".yaml", ".json":
				owner = strings.TrimSuffix(owner, ext)
			}
		}
		return parts[i], owner
	}
	return "", ""
}

// readVariables reads a file of variables into its level.
func (inv *inventory) readVariables(f *strict.File, isNamedAlone bool) {
	kind, owner := level(f.Path)
	if IsEncrypted(f) {
		inv.encrypted = append(inv.encrypted, f)
		inv.warn(whole(f), "decrypt it with ansible-vault decrypt, or write what it holds into a cluster file of Quorate's own, with passwordFrom for passwords",
			"the file is encrypted with Ansible Vault: what it says is not known, and not used")
		return
	}
	if len(f.Roots) == 0 {
		return
	}
	root := f.Roots[0]
	at := strict.Place{Source: f.Source, Position: firstLine(root)}
	if len(f.Roots) > 1 {
		inv.fail(strict.Place{Source: f.Source, Position: strict.Position(f.Roots[1])}, "put all variables into one document", "a second document: a file of variables holds one")
	}
	if root.Kind != yaml.MappingNode {
		inv.fail(at, "is it the right file?", "a file of variables must be a mapping (key: value), not %s", strict.Describe(root))
		return
	}
	into, idle := inv.levelScope(kind, owner, isNamedAlone)
	for _, p := range inv.pairs(f, root) {
		v := inv.define(f, p)
		v.idle = idle
		into[v.name] = v
	}
}

// levelScope is the scope that a file of variables goes into. Idle says why
// no host has its variables, where none has.
func (inv *inventory) levelScope(kind, owner string, isNamedAlone bool) (into scope, idle string) {
	switch kind {
	case "group_vars":
		g, ok := inv.groups[plainName(owner)]
		if !ok || !g.hasHosts {
			return scope{}, "no host is in the group " + quote(owner)
		}
		return g.fileVars, ""
	case "host_vars":
		h, ok := inv.byName[owner]
		if !ok {
			return scope{}, "the inventory has no host " + quote(owner)
		}
		return h.fileVars, ""
	}
	if isNamedAlone {
		return inv.extra, ""
	}
	return inv.common, ""
}

// lookup finds the definition of a variable that holds for a host, by Ansible's
// precedence: files named beside the inventory win, then host_vars, the host's
// line, the files and then the sections of the groups that it is in, the
// innermost first and all last, with every file before any section.
func (inv *inventory) lookup(h *host, name string) *variable {
	for _, s := range []scope{inv.extra, h.fileVars, h.vars, inv.common} {
		if v, ok := s[name]; ok {
			return v
		}
	}
	for _, g := range slices.Backward(h.lineage) {
		if v, ok := g.fileVars[name]; ok {
			return v
		}
	}
	for _, g := range slices.Backward(h.lineage) {
		if v, ok := g.vars[name]; ok {
			return v
		}
	}
	return nil
}

// noteIdle marks the variables of sections whose group has no hosts.
func (inv *inventory) noteIdle() {
	for _, g := range inv.order {
		if g.hasHosts {
			continue
		}
		for _, v := range g.vars {
			v.idle = "no host is in the group " + quote(g.name)
		}
	}
}
