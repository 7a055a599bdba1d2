package ansible

import (
	"cmp"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

//go:embed kubespray-defaults.yaml
var defaultsFile []byte

// usualValues are the values that kubespray's variables have anyway, compacted,
// by name.
var usualValues = sync.OnceValue(func() map[string][]string {
	var document map[string][]yaml.Node
	if err := yaml.Unmarshal(defaultsFile, &document); err != nil {
		panic(fmt.Sprintf("kubespray-defaults.yaml: %v", err)) // a test reads it
	}
	usual := map[string][]string{}
	for name, values := range document {
		for i := range values {
			usual[name] = append(usual[name], compact(&values[i]))
		}
	}
	return usual
})

// The reasons for which variables are not used, each a finding.
const (
	reasonNothing = "nothing" // lost without them
	reasonIdle    = "idle"
	reasonUnknown = "unknown"
	reasonFamily  = "family"
)

// unused is a number of variables that nothing is made of, for the same reason.
type unused struct {
	reason string
	family *family
	idle   string
	vars   []*variable
}

// reportUnused names every variable that nothing was made of, with what follows
// from that: those that say what is so anyway together, the rest by family.
func (m *importer) reportUnused() {
	known, names := families(), m.names()
	if m.isKubeasz {
		known = kubeaszFamilies()
	}
	var groups []*unused
	index := map[string]*unused{}
	for _, v := range m.inv.variables {
		if m.handled[v.name] && v.idle == "" || m.referred[v] && m.familyOf(known, v.name) == nil || v.idle == "" && m.saysNothing(v, known) {
			continue
		}
		u := m.reasonFor(v, known)
		key := u.reason + "\x00" + u.idle
		if u.family != nil {
			key += u.family.what
		}
		if index[key] == nil {
			index[key] = &u
			groups = append(groups, &u)
		}
		index[key].vars = append(index[key].vars, v)
	}
	for _, u := range groups {
		m.reportGroup(u, names)
	}
}

// saysNothing reports whether a variable is none that anybody chose: one of the
// installer's own sample, with the value that it has there, or a setting of a network
// plugin that is not the file's, which does nothing for the installer either. Every
// inventory is full of them.
func (m *importer) saysNothing(v *variable, known []family) bool {
	if usual, ok := usualValues()[v.name]; ok && slices.Contains(usual, compact(v.value)) {
		return true
	}
	f := m.familyOf(known, v.name)
	if f == nil || !f.ofPlugin {
		return false
	}
	plugin := strings.ReplaceAll(m.pluginOf(), "-", "_")
	return !strings.HasPrefix(v.name, plugin+"_") && !slices.Contains(f.plugins, plugin)
}

// pluginOf is the network plugin that the file asks for.
func (m *importer) pluginOf() string {
	if s := m.cluster("kube_network_plugin"); s != nil {
		if n, why := m.resolve(s.value, s.host); why == nil && n.Kind == yaml.ScalarNode {
			return n.Value
		}
	}
	return "calico"
}

func (m *importer) familyOf(known []family, name string) *family {
	i := slices.IndexFunc(known, func(f family) bool { return f.has(name) })
	if i < 0 {
		return nil
	}
	return &known[i]
}

// reasonFor says why a variable is not used.
func (m *importer) reasonFor(v *variable, known []family) unused {
	if v.idle != "" {
		return unused{reason: reasonIdle, idle: v.idle}
	}
	f := m.familyOf(known, v.name)
	switch {
	case f == nil:
		return unused{reason: reasonUnknown}
	case f.ofPlugin, len(f.switches) > 0 && !m.isOn(f), m.isKubeasz && strings.HasSuffix(v.name, "_install") && canonical(v.value) == "false":
		return unused{reason: reasonNothing}
	}
	return unused{reason: reasonFamily, family: f}
}

// isOn reports whether any of a family's switches is on, or may be.
func (m *importer) isOn(f *family) bool {
	for _, name := range f.switches {
		for _, h := range m.members {
			v := m.inv.lookup(h, name)
			if v == nil {
				continue
			}
			if n, why := m.resolve(v.value, h); why != nil || canonical(n) != "false" && canonical(n) != "" {
				return true
			}
		}
	}
	return false
}

// reportGroup tells about variables that are not used for one reason.
func (m *importer) reportGroup(u *unused, names []string) {
	slices.SortStableFunc(u.vars, func(a, b *variable) int {
		return cmp.Or(cmp.Compare(slices.Index(m.files, a.file), slices.Index(m.files, b.file)),
			cmp.Compare(a.at.Position.Line, b.at.Position.Line), cmp.Compare(a.at.Position.Column, b.at.Position.Column))
	})
	first, hint, detail := u.vars[0], "", ""
	subject, are, they, belong := first.shown(), "is", "it", "belongs"
	if len(u.vars) > 1 {
		subject, are, they, belong = fmt.Sprintf("%d variables", len(u.vars)), "are", "they", "belong"
		detail = listed(u, names)
	}
	var summary, lost string
	switch u.reason {
	case reasonNothing:
		summary = fmt.Sprintf("%s %s not needed: %s to what is switched off, or to a network plugin that is not installed", subject, are, they+" "+belong)
		hint = "nothing is lost without"
	case reasonIdle:
		summary = fmt.Sprintf("%s %s not used: %s", subject, are, u.idle)
	case reasonUnknown:
		summary = fmt.Sprintf("%s %s not used: not known to Quorate as %s's", subject, are, m.installer())
		hint = "nothing in the cluster will depend on it"
		if near := strict.Nearest(first.name, names); near != "" && len(u.vars) == 1 {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		if first.at.Source.Hides(first.at.Position) {
			hint = "put the password in quotes: then it is plain where it ends"
		}
	case reasonFamily:
		if len(u.vars) > 1 {
			subject = fmt.Sprintf("%d settings of %s", len(u.vars), u.family.what)
		}
		summary = fmt.Sprintf("%s %s not used: %s", subject, are, u.family.follows)
		hint = u.family.hint
		if slices.ContainsFunc(u.vars, func(v *variable) bool { return !slices.Contains([]string{"", "false", "[]", "{}"}, canonical(v.value)) }) {
			lost = u.family.lost // what is off asks for nothing
		}
	}
	m.r.TellLoss(diag.SeverityWarning, first.at, hint, detail, summary, lost)
}

// names are the names of variables that something is made of.
func (m *importer) names() []string {
	var names []string
	for name := range m.handled {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The limits of what a finding lists.
const (
	mostListed  = 400
	detailWidth = 96
)

// listed names variables: with their lines, one a line, where each matters, and
// else close together. What hosts or groups have each is named once.
func listed(u *unused, known []string) string {
	var names []string
	lines, bare := map[string][]int{}, map[string]string{}
	several := slices.ContainsFunc(u.vars, func(v *variable) bool { return v.file != u.vars[0].file })
	for _, v := range u.vars {
		name := v.shown()
		if several && u.reason != reasonNothing {
			name += " in " + strict.Printable(filepath.Base(v.file.Path))
		}
		if lines[name] == nil {
			names, bare[name] = append(names, name), v.name
		}
		lines[name] = append(lines[name], v.at.Position.Line)
	}
	var b strings.Builder
	width := 0
	for i, name := range names {
		if i == mostListed {
			fmt.Fprintf(&b, "\nand %d more", len(names)-i)
			break
		}
		item := name
		if u.reason == reasonUnknown {
			if near := strict.Nearest(bare[name], known); near != "" {
				item += " (did you mean " + near + "?)"
			}
		}
		if u.reason != reasonNothing {
			item += " (" + linesText(lines[name]) + ")"
		}
		switch {
		case i == 0:
		case width+len(item) > detailWidth:
			b.WriteString(",\n")
			width = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(item)
		width += len(item) + 2
	}
	return b.String()
}

// linesText names lines, not too many of them.
func linesText(lines []int) string {
	const most = 5
	if len(lines) == 1 {
		return fmt.Sprintf("line %d", lines[0])
	}
	var words []string
	for _, line := range lines[:min(len(lines), most)] {
		words = append(words, strconv.Itoa(line))
	}
	if len(lines) > most {
		return fmt.Sprintf("lines %s and %d more", strings.Join(words, ", "), len(lines)-most)
	}
	last := len(words) - 1
	return "lines " + strings.Join(words[:last], ", ") + " and " + words[last]
}
