package strict

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/diag"
)

// MaxFindings is how many errors, and how many warnings, are shown at most:
// beyond that, the file is something else than a cluster file.
const MaxFindings = 100

// Report gathers what is found in one document. It leaves out what only follows
// from something already reported: once a path has an error, later errors about
// it, or about anything inside it, are not shown.
type Report struct {
	*findings
	src    *diag.Source // the text that positions without a source are in
	at     places
	keys   places        // where the keys stand, of paths that have one
	bad    map[Path]bool // paths with an error
	around map[Path]bool // paths that have one of them inside
	words  *vocabulary   // what the file calls our fields; nil for its own
}

// findings are what all the reports of one reading found.
type findings struct {
	list  diag.List
	shown map[diag.Severity]int
	// dropped are those that did not fit. They count too: a file whose
	// hundredth and first error is not shown still has it.
	dropped map[diag.Severity]int
	// said is what was found so far: what is repeated by aliases is told once.
	said map[finding]bool
	// order is the files', by name: findings about one stand together.
	order map[string]int
	// lost is what the cluster will not have though the file asks for it, losing
	// are the summaries of findings that say so, and ipv6 is what asks for IPv6.
	lost          []string
	losing, grave map[string]bool
	ipv6          []Wanted
}

// finding is what makes two diagnostics the same one.
type finding struct {
	at      Place
	summary string
}

// NewReport begins the report on a document that stands in a text.
func NewReport(src *diag.Source) *Report {
	return (&Report{findings: &findings{
		said: map[finding]bool{}, shown: map[diag.Severity]int{}, dropped: map[diag.Severity]int{}, order: map[string]int{}, losing: map[string]bool{}, grave: map[string]bool{},
	}}).On(src)
}

// On is a report on another document, with paths of its own. What it finds goes
// into the same list.
func (r *Report) On(src *diag.Source) *Report {
	if _, known := r.order[src.Name()]; !known {
		r.order[src.Name()] = len(r.order)
	}
	return &Report{findings: r.findings, src: src, at: places{}, keys: places{}, bad: map[Path]bool{}, around: map[Path]bool{}}
}

// Source is the text that the report is on.
func (r *Report) Source() *diag.Source { return r.src }

// Errorf reports an error about the value of a path, with an empty hint where
// the summary says it all.
func (r *Report) Errorf(p Path, hint, format string, args ...any) {
	if r.IsBad(p) {
		return
	}
	r.MarkBad(p)
	r.Tell(diag.SeverityError, r.PlaceOf(p), r.InFilesWords(p, hint), "", r.InFilesWords(p, fmt.Sprintf(format, args...)))
}

// Warnf reports a warning about the value of a path.
func (r *Report) Warnf(p Path, hint, format string, args ...any) {
	if r.IsBad(p) {
		return
	}
	r.Tell(diag.SeverityWarning, r.PlaceOf(p), r.InFilesWords(p, hint), "", r.InFilesWords(p, fmt.Sprintf(format, args...)))
}

// ErrorAt reports an error about a position in the report's text that is no
// path's; the zero position is the file as a whole.
func (r *Report) ErrorAt(at diag.Position, hint, format string, args ...any) {
	r.Tell(diag.SeverityError, Place{Source: r.src, Position: at}, hint, "", fmt.Sprintf(format, args...))
}

// WarnAt is ErrorAt for a warning.
func (r *Report) WarnAt(at diag.Position, hint, format string, args ...any) {
	r.Tell(diag.SeverityWarning, Place{Source: r.src, Position: at}, hint, "", fmt.Sprintf(format, args...))
}

// Tell takes a finding into the list, unless it is there already or the list is
// full. Cutting the excerpt comes last: it takes time in a file of one long line.
func (r *Report) Tell(severity diag.Severity, at Place, hint, detail, summary string) {
	if at.Source == nil {
		at.Source = r.src
	}
	if r.Full(severity) {
		r.dropped[severity]++
		return
	}
	summary, hint, detail = withoutLogins(summary), withoutLogins(hint), withoutLogins(detail)
	if this := (finding{at, summary}); !r.said[this] {
		r.said[this] = true
		r.shown[severity]++
		d := at.Source.At(severity, at.Position, summary, hint)
		d.Detail = detail
		r.list = append(r.list, d)
	}
}

// Full reports whether further findings of a severity will only be counted, so
// that working out a helpful hint for them would be in vain.
func (f *findings) Full(severity diag.Severity) bool { return f.shown[severity] >= MaxFindings }

// Found reports whether there is any finding so far.
func (f *findings) Found() bool { return len(f.list) > 0 }

// MarkBad notes that a path has an error.
func (r *Report) MarkBad(p Path) {
	r.bad[p] = true
	for p != "" && !r.around[p.parent()] {
		p = p.parent()
		r.around[p] = true
	}
}

// IsBad reports whether the path, or anything it is in, had an error.
func (r *Report) IsBad(p Path) bool {
	for ; ; p = p.parent() {
		if r.bad[p] {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// AnyBadIn reports whether the path or anything inside it had an error, so that
// rules about the whole of it would only confuse.
func (r *Report) AnyBadIn(p Path) bool { return r.around[p] || r.IsBad(p) }

// Given reports whether a file says something at the path.
func (r *Report) Given(p Path) bool {
	_, ok := r.at[p]
	return ok
}

// Set notes where the value of a path stands. An importer does it for every
// value that it gives the document; decoding does it by itself.
func (r *Report) Set(p Path, at Place) { r.at[p] = at }

// PlaceOf is where the value of a path stands, or else the innermost of what
// is around it.
func (r *Report) PlaceOf(p Path) Place {
	at, _ := r.at.nearest(p)
	return at
}

// KeyOf is where the key of a path's value stands, so that a finding about a
// whole block points at its name and not at the first thing in it. Of what is
// not there at all it is the key, or else the element, that is around it.
func (r *Report) KeyOf(p Path) Place {
	for ; p != ""; p = p.parent() {
		if at, ok := r.keys[p]; ok {
			return at
		}
		if at, ok := r.at[p]; ok { // an element of a list has no key
			return at
		}
	}
	return r.PlaceOf(p)
}

// Finish returns the findings: errors first, then what says that something is
// lost, then the rest, each in the files' order.
func (f *findings) Finish() diag.List {
	f.list.Sort()
	rank := func(d diag.Diagnostic) int {
		switch {
		case d.Severity == diag.SeverityError:
			return 0
		case f.grave[d.Summary]:
			return 1
		case f.losing[d.Summary]:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(f.list, func(a, b diag.Diagnostic) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(f.order[a.File], f.order[b.File]))
	})
	for _, severity := range []diag.Severity{diag.SeverityError, diag.SeverityWarning} {
		if n := f.dropped[severity]; n > 0 {
			f.list = append(f.list, diag.Diagnostic{
				Severity: severity, File: f.list[0].File,
				Summary: fmt.Sprintf("%d more %ss are not shown", n, severity),
				Hint:    "mend the first ones, then look again",
			})
		}
	}
	return f.list
}
