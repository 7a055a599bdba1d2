// Package diag holds diagnostics: what is wrong with something a user wrote,
// where exactly, and what to do about it. Reading a cluster file gathers all of
// them before giving up, so that one look at the output is enough to mend it.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a diagnostic stops the work.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Position is a place in a text file. Line and Column count from 1, Column in
// characters (not bytes); zero means unknown.
type Position struct {
	Line   int
	Column int
}

// Diagnostic is one finding.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Summary is the finding in one sentence without a full stop.
	Summary string `json:"summary"`
	// Detail is more of the reason, if the summary cannot hold it; may have
	// several lines.
	Detail string `json:"detail,omitempty"`
	// Hint says what to do, where something helpful can be said.
	Hint string `json:"hint,omitempty"`
	// File, Line and Column are the place; Line 0 is the file as a whole.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	// Excerpt is the line of the place, made safe to print: secrets hidden,
	// control characters replaced, shortened when it is very long.
	Excerpt string `json:"excerpt,omitempty"`
	// Caret is how many characters of Excerpt stand before the place; it
	// differs from Column-1 where the excerpt was shortened or hidden.
	Caret int `json:"-"`
}

// Place is where the diagnostic is, as editors and terminals understand it:
// file:line:column, or as much of it as is known.
func (d Diagnostic) Place() string {
	switch {
	case d.File == "" || d.Line == 0:
		return d.File
	case d.Column == 0:
		return fmt.Sprintf("%s:%d", d.File, d.Line)
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)
}

// String is the diagnostic in one line, without the excerpt.
func (d Diagnostic) String() string {
	var b strings.Builder
	if place := d.Place(); place != "" {
		b.WriteString(place + ": ")
	}
	if d.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Summary)
	if d.Hint != "" {
		fmt.Fprintf(&b, " (%s)", d.Hint)
	}
	return b.String()
}

// List is any number of diagnostics.
type List []Diagnostic

// HasErrors reports whether any of them is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// Errors returns only the errors.
func (l List) Errors() List { return l.only(SeverityError) }

// Warnings returns only the warnings.
func (l List) Warnings() List { return l.only(SeverityWarning) }

func (l List) only(s Severity) List {
	var some List
	for _, d := range l {
		if d.Severity == s {
			some = append(some, d)
		}
	}
	return some
}

// Err returns nil when the list has no errors, else an *Error with all of the
// list, so that whoever prints it can show the excerpts too.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return &Error{List: l}
}

// Sort puts the list in the order of the file: findings about the file as a
// whole first, then by line and column. Findings of the same place keep their
// order.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Error is a list with at least one error, as an error.
type Error struct{ List List }

// Error gives one line per error; warnings are left out.
func (e *Error) Error() string {
	var lines []string
	for _, d := range e.List.Errors() {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}
