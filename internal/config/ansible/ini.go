package ansible

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// iniSection is a line such as [kube-master] or [k8s-cluster:children], with a
// comment behind it if need be.
var iniSection = regexp.MustCompile(`^\[([^:\[\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?$`)

// iniGroup is a line of a :children section.
var iniGroup = regexp.MustCompile(`^([^:\[\]\s]+)\s*(?:[#;].*)?$`)

// IsINI reports whether a text is an INI inventory: one of its lines is a
// section's head. Heads may be indented, except in what looks like YAML.
func IsINI(data []byte) bool {
	first, indented := "", false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(strings.TrimPrefix(line, "\ufeff"), " \t\r\n")
		trimmed := strings.TrimLeft(line, " \t")
		if trimmed == "" || isComment(trimmed) {
			continue
		}
		if first == "" {
			first = trimmed
		}
		if m := iniSection.FindStringSubmatch(trimmed); m != nil && groupName.MatchString(m[1]) {
			if trimmed == line {
				return true
			}
			indented = true
		}
	}
	return indented && (first[0] == '[' || strings.Contains(first, "="))
}

// groupName is what a group may be called, for telling an inventory from a
// list in YAML's flow style.
var groupName = regexp.MustCompile(`^[A-Za-z_][\w.-]*$`)

func isComment(line string) bool { return line[0] == ';' || line[0] == '#' }

// iniReader reads one INI inventory.
type iniReader struct {
	*inventory
	file    *strict.File
	section *group
	kind    string // hosts, children or vars
}

// readINI reads an INI inventory by Ansible's rules: hosts before the first
// section are in no group, a host may be in several, and what is said about it
// in one place holds in all.
func (inv *inventory) readINI(f *strict.File) {
	r := &iniReader{inventory: inv, file: f, section: inv.group("ungrouped", whole(f)), kind: "hosts"}
	r.section.isDefined = true
	src := f.Source
	for n := 1; n <= src.LineCount(); n++ {
		line := src.Line(n)
		hideINISecrets(src, n, line, r.kind == "hosts")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || isComment(trimmed) {
			continue
		}
		indent := utf8.RuneCountInString(line[:strings.Index(line, trimmed)])
		r.line(trimmed, diag.Position{Line: n, Column: indent + 1})
	}
}

// place is a position of the file.
func (r *iniReader) place(at diag.Position) strict.Place {
	return strict.Place{Source: r.file.Source, Position: at}
}

// line reads a line without the blanks around it.
func (r *iniReader) line(line string, at diag.Position) {
	if line[0] == '[' {
		m := iniSection.FindStringSubmatch(line)
		if m != nil {
			r.head(m[1], m[2], at)
			return
		}
		if r.kind != "hosts" || strings.HasSuffix(line, "]") && !strings.Contains(line, "=") {
			r.fail(r.place(at), "a section begins with [GROUP], [GROUP:children] or [GROUP:vars], without blanks inside the brackets", "this is not the head of a section")
			r.kind = "" // what follows belongs nowhere
			return
		}
	}
	switch r.kind {
	case "children":
		m := iniGroup.FindStringSubmatch(line)
		if m == nil {
			r.fail(r.place(at), "variables of a group stand in a [GROUP:vars] section", "a :children section has the name of one group a line")
			return
		}
		r.addChild(r.section, r.group(m[1], r.place(at)), r.place(at))
	case "vars":
		r.groupVariable(line, at)
	case "hosts":
		r.host(line, at)
	}
}

// head begins a section.
func (r *iniReader) head(name, kind string, at diag.Position) {
	if kind == "" {
		kind = "hosts"
	}
	r.section, r.kind = r.group(name, r.place(at)), kind
	switch kind {
	case "hosts", "children":
		if !r.section.isDefined {
			r.section.at = r.place(at)
		}
		r.section.isDefined = true
	case "vars":
	default:
		r.fail(r.place(at), "the kinds are [GROUP], [GROUP:children] and [GROUP:vars]", "there is no kind of section %s", quote(kind))
		r.kind = ""
	}
}

// host reads a host's line: its name, and variables as key=value.
func (r *iniReader) host(line string, at diag.Position) {
	words, err := splitWords(line)
	if err != nil {
		r.fail(r.place(at), "put a value that holds a quote in quotes of the other kind", "the line cannot be read: %v", err)
		r.broken(line, at)
		return
	}
	if len(words) == 0 {
		return
	}
	if !r.count(len(words), r.place(at)) {
		return
	}
	vars, fine := r.hostVariables(words[1:], at)
	first := words[0]
	if strings.Contains(first.text, "=") {
		r.fail(r.place(at), "variables of a group stand in a [GROUP:vars] section", "a host's line begins with its name")
		return
	}
	r.addHosts(first.text, r.section, vars, r.place(at))
	if !fine {
		r.broken(line, at)
	}
}

// hostVariables reads the words behind a host's name, and reports whether all
// were KEY=VALUE.
func (r *iniReader) hostVariables(words []word, at diag.Position) (vars []*variable, fine bool) {
	fine = true
	for i := 0; i < len(words); i++ {
		w := words[i]
		there := r.place(diag.Position{Line: at.Line, Column: at.Column + w.from - 1})
		key, value, ok := strings.Cut(w.text, "=")
		switch {
		case ok && key != "" && (value != "" || i+1 == len(words) || strings.Contains(words[i+1].text, "=")):
		case strings.HasPrefix(w.text, ";"):
			r.fail(there, "only # begins a comment behind a host", "behind a host's name stand its variables, as KEY=VALUE")
			return vars, false
		default:
			fine = false
			r.fail(there, "write KEY=VALUE without blanks around the =, and a value with blanks in quotes, a password too", "behind a host's name stand its variables, as KEY=VALUE")
			i += aroundEquals(words[i:])
			continue
		}
		if strict.IsPasswordKey(key) && r.cutsPassword(w, i+1 == len(words), at.Line) {
			vars = append(vars, r.define(key, "", there)) // none, rather than another one
			r.fail(there, "put the password in quotes; a comment behind it begins with # and a blank", "a # begins a comment here, and may be meant for a part of the value of %s", strict.Clip(strict.Printable(key)))
			continue
		}
		if w.cut {
			r.warn(there, "put the value in quotes if the # belongs to it", "a # begins a comment here, inside the value of %s: Ansible uses what stands before it", strict.Clip(strict.Printable(key)))
		}
		vars = append(vars, r.define(key, value, there))
	}
	return vars, fine
}

// cutsPassword reports whether a # that begins a comment inside a password, or
// right behind it, may be a part of it.
func (r *iniReader) cutsPassword(w word, isLast bool, number int) bool {
	if w.cut || w.isQuoted || !isLast {
		return w.cut
	}
	line := []rune(r.file.Source.Line(number))
	behind := strings.TrimLeft(string(line[min(w.to-1+indentOf(line), len(line)):]), " \t")
	return len(behind) > 1 && behind[0] == '#' && !strings.ContainsAny(behind[1:2], " \t#-=")
}

// indentOf is how many blanks a line begins with.
func indentOf(line []rune) int {
	return len(line) - len([]rune(strings.TrimLeftFunc(string(line), unicode.IsSpace)))
}

// aroundEquals is how many words behind the first belong to it, where blanks
// stand around its equals sign: a = b, a =b and a= b.
func aroundEquals(words []word) int {
	switch {
	case len(words) > 2 && words[1].text == "=":
		return 2
	case len(words) > 1 && (strings.HasPrefix(words[1].text, "=") || strings.HasSuffix(words[0].text, "=")):
		return 1
	}
	return 0
}

// broken notes that the host, or the hosts, of a line that could not be read
// may lack what the line says.
func (r *iniReader) broken(line string, at diag.Position) {
	name, _, _ := strings.Cut(line, " ")
	if strings.ContainsAny(name, "=\"'") {
		return
	}
	r.addHosts(name, r.section, nil, r.place(at))
	names, _, _ := expandHosts(name, maxHosts)
	for _, name := range names {
		if h := r.byName[name]; h != nil {
			h.isBroken = true
		}
	}
}

// groupVariable reads a line of a :vars section. There, no blank ends a value,
// and no # that is not behind a number or the like.
func (r *iniReader) groupVariable(line string, at diag.Position) {
	key, value, ok := strings.Cut(line, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !ok || key == "" {
		r.fail(r.place(at), "", "a :vars section has one KEY=VALUE a line")
		return
	}
	if !r.count(1, r.place(at)) {
		return
	}
	v := r.define(key, value, r.place(at))
	if v.value.Tag == "!!str" && v.value.Value == value && strings.Contains(value, " #") {
		r.warn(v.at, "move the comment to a line of its own", "in a :vars section Ansible takes the comment for a part of the value of %s", strict.Clip(strict.Printable(key)))
	}
	r.section.vars[v.name] = v
}

// define notes a variable.
func (r *iniReader) define(key, value string, at strict.Place) *variable {
	v := &variable{name: key, value: pythonValue(value), at: at.Called(strict.Clip(strict.Printable(key))), file: r.file}
	r.variables = append(r.variables, v)
	return v
}

// whole is a file as a whole, which findings show at its first line.
func whole(f *strict.File) strict.Place {
	return strict.Place{Source: f.Source, Position: diag.Position{Line: 1, Column: 1}}
}
