package config

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/diag"
)

// path is a field's place in the document, such as spec.hosts[2].address.
type path string

// key is the path of a mapping's value.
func (p path) key(name string) path {
	if p == "" {
		return path(name)
	}
	return p + "." + path(name)
}

// index is the path of a list's element.
func (p path) index(i int) path { return p + path(fmt.Sprintf("[%d]", i)) }

// parent is the path that p is directly in; the document's is "".
func (p path) parent() path {
	return p[:max(strings.LastIndexAny(string(p), ".["), 0)]
}

// positions are where the values of paths stand. A path that is in it was
// written in the file, even if its value is zero.
type positions map[path]diag.Position

// nearest is where a path stands, or else the innermost of the paths around it.
func (ps positions) nearest(p path) diag.Position {
	for {
		if at, ok := ps[p]; ok || p == "" {
			return at
		}
		p = p.parent()
	}
}

// maxFindings is how many findings a report shows at most: beyond that, the
// file is something else than a cluster file.
const maxFindings = 100

// report gathers everything that is found in one document. It leaves out what
// only follows from something already reported: once a path has an error, later
// errors about it, or about anything inside it, are not shown.
type report struct {
	src     *diag.Source
	at      positions
	bad     map[path]bool // paths with an error
	around  map[path]bool // paths that have one of them inside
	list    diag.List
	dropped int
	// said are the findings so far: what is repeated by aliases is told once.
	said map[finding]bool
}

// finding is what makes two diagnostics the same one.
type finding struct {
	at      diag.Position
	summary string
}

func newReport(src *diag.Source) *report {
	return &report{src: src, at: positions{}, bad: map[path]bool{}, around: map[path]bool{}, said: map[finding]bool{}}
}

// errorf reports an error about the value of a path, with an empty hint where
// the summary says it all.
func (r *report) errorf(p path, hint, format string, args ...any) {
	if r.isBad(p) {
		return
	}
	r.markBad(p)
	r.tell(diag.SeverityError, r.at.nearest(p), hint, "", fmt.Sprintf(format, args...))
}

// warnf reports a warning about the value of a path.
func (r *report) warnf(p path, hint, format string, args ...any) {
	if r.isBad(p) {
		return
	}
	r.tell(diag.SeverityWarning, r.at.nearest(p), hint, "", fmt.Sprintf(format, args...))
}

// errorAt reports an error about a place that is no path's.
func (r *report) errorAt(at diag.Position, hint, format string, args ...any) {
	r.tell(diag.SeverityError, at, hint, "", fmt.Sprintf(format, args...))
}

// tell takes a finding into the list, unless it is there already or the list is
// full. Cutting the excerpt comes last: it takes time in a file of one long line.
func (r *report) tell(severity diag.Severity, at diag.Position, hint, detail, summary string) {
	this := finding{at, summary}
	switch {
	case r.full():
		r.dropped++
	case !r.said[this]:
		r.said[this] = true
		d := r.src.At(severity, at, summary, hint)
		d.Detail = detail
		r.list = append(r.list, d)
	}
}

// full reports whether further findings will only be counted.
func (r *report) full() bool { return len(r.list) >= maxFindings }

// markBad notes that a path has an error.
func (r *report) markBad(p path) {
	r.bad[p] = true
	for p != "" && !r.around[p.parent()] {
		p = p.parent()
		r.around[p] = true
	}
}

// isBad reports whether the path, or anything it is in, had an error.
func (r *report) isBad(p path) bool {
	for ; ; p = p.parent() {
		if r.bad[p] {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// anyBadIn reports whether the path or anything inside it had an error, so that
// rules about the whole of it would only confuse.
func (r *report) anyBadIn(p path) bool { return r.around[p] || r.isBad(p) }

// given reports whether the file says something at the path.
func (r *report) given(p path) bool {
	_, ok := r.at[p]
	return ok
}

// finish returns the findings in the file's order.
func (r *report) finish() diag.List {
	r.list.Sort()
	if r.dropped > 0 {
		r.list = append(r.list, diag.Diagnostic{
			Severity: diag.SeverityError, File: r.src.Name(),
			Summary: fmt.Sprintf("%d more findings are not shown", r.dropped),
			Hint:    "mend the first ones, then look again",
		})
	}
	return r.list
}
