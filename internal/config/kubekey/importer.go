package kubekey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
	"github.com/quorate/quorate/internal/diag"
)

// importer makes our document of one of theirs. Paths of both are in use:
// "to" is always in ours, "from" in theirs.
type importer struct {
	ours   *strict.Report // on the document that is made
	theirs *strict.Report // on the document that is read
	doc    *v1alpha1.Cluster
	told   map[*yaml.Node]bool // unknown keys that were spoken about
	// listed and groups are the names of an Inventory's hosts and groups, sorted.
	listed, groups []string
	// dual tells that a host with addresses of two families was told.
	dual bool
	// compared is how many names were compared to find slips of the pen.
	compared int
}

// near is a hint that names the host, or group, that a name is probably meant
// for, or "". In a file with very many of them and slips only the first get one.
func (m *importer) near(name string, names []string) string {
	const most = 200_000
	if m.compared += len(names); m.compared > most {
		return ""
	}
	return strict.DidYouMean(name, names)
}

// newImporter begins an import.
func newImporter(ours, theirs *strict.Report, doc *v1alpha1.Cluster) *importer {
	return &importer{ours: ours, theirs: theirs, doc: doc, told: map[*yaml.Node]bool{}}
}

// set gives a field of the document a value of theirs, with its place. A value
// that they left out, or left empty, leaves the field to our defaults.
func set[T comparable](m *importer, to strict.Path, field *T, from strict.Path, value T) {
	var zero T
	switch {
	case m.theirs.IsBad(from):
		m.ours.MarkBad(to)
	case value != zero:
		*field = value
		m.ours.Set(to, m.theirs.PlaceOf(from).Called(called(from)))
	}
}

// place is where a finding about their value points: at the value, or at the
// key of a block that begins on a later line.
func (m *importer) place(from strict.Path) strict.Place {
	key, value := m.theirs.KeyOf(from), m.theirs.PlaceOf(from)
	if m.theirs.Given(from) && key.Position.Line == value.Position.Line {
		return value.Called(called(from))
	}
	return key.Called(called(from))
}

// called is a path of theirs as findings name the field: without the number in a
// list. A host's fields have their names in the importer's words.
func called(from strict.Path) string {
	if strings.HasPrefix(string(from), "spec.hosts") {
		return ""
	}
	field, _, _ := strings.Cut(name(from), "[")
	return field
}

// warn reports a warning about a value of theirs.
func (m *importer) warn(from strict.Path, hint, format string, args ...any) {
	if !m.theirs.IsBad(from) {
		m.theirs.Tell(diag.SeverityWarning, m.place(from), hint, "", fmt.Sprintf(format, args...))
	}
}

// lose is warn where the cluster will not have what the value asks for.
func (m *importer) lose(from strict.Path, hint, lost, format string, args ...any) {
	if !m.theirs.IsBad(from) {
		m.theirs.TellLoss(diag.SeverityWarning, m.place(from), hint, "", fmt.Sprintf(format, args...), lost)
	}
}

// fail reports an error about a value of theirs.
func (m *importer) fail(from strict.Path, hint, format string, args ...any) {
	if !m.theirs.IsBad(from) {
		m.theirs.MarkBad(from)
		m.theirs.Tell(diag.SeverityError, m.place(from), hint, "", fmt.Sprintf(format, args...))
	}
}

// leftOut is a field of theirs that our document has no room for.
type leftOut struct {
	from  strict.Path
	value any
	// harmless are values, besides empty ones, that change nothing when they
	// are left out: KubeKey's defaults that are ours too.
	harmless []any
	// follows says what the cluster is like without it.
	follows string
	// hint says what to do instead.
	hint string
	// lost is what the cluster will not have, where that is worth a word at the
	// end.
	lost string
}

// leaveOut warns about the fields that are given and that it matters to leave
// out, at once about those of which the same follows.
func (m *importer) leaveOut(rows ...leftOut) {
	rows = slices.DeleteFunc(rows, func(row leftOut) bool {
		return isEmpty(row.value) || isOneOf(row.value, row.harmless) || m.theirs.IsBad(row.from)
	})
	slices.SortStableFunc(rows, func(a, b leftOut) int { return inFileOrder(m.place(a.from), m.place(b.from)) })
	told := map[string]bool{}
	for i, row := range rows {
		if told[row.follows] {
			continue
		}
		told[row.follows] = true
		names, verb, lost := name(row.from), "is", row.lost
		for _, other := range rows[i+1:] {
			if other.follows == row.follows {
				names += fmt.Sprintf(", %s (line %d)", name(other.from), m.place(other.from).Position.Line)
				verb, lost = "are", cmp.Or(lost, other.lost)
			}
		}
		m.lose(row.from, row.hint, lost, "%s %s not taken over: %s", names, verb, row.follows)
	}
}

// inFileOrder compares two places of one file.
func inFileOrder(a, b strict.Place) int {
	return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
}

// name is a path of theirs as people say it.
func name(from strict.Path) string {
	return word(strings.TrimPrefix(string(from), "spec."))
}

// isEmpty reports whether a free value says nothing: off, none, nothing in it.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == "" || v == "false"
	case bool:
		return !v
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

func isOneOf(value any, of []any) bool {
	for _, v := range of {
		if fmt.Sprint(v) == fmt.Sprint(value) {
			return true
		}
	}
	return false
}

// quote is a value as messages show it: in quotes, shortened, fit for a
// terminal.
func quote(s string) string { return fmt.Sprintf("%q", strict.Clip(s)) }

// word is a name as messages show it where it needs no quotes.
func word(s string) string { return strict.Clip(strict.Printable(s)) }
