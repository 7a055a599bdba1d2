package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/preflight"
)

// PreflightOptions say how much of a report to show.
type PreflightOptions struct {
	// Verbose shows what is well, too, with its figures.
	Verbose bool
}

// Preflight words a report: what is wrong by check, each with what to do about
// it, and the verdict last, where the eye ends up.
func Preflight(r preflight.Report, look Look, o PreflightOptions) string {
	v := preflightView{look: look}
	for _, c := range r.Checks {
		v.check(c, o.Verbose)
	}
	if v.out.Len() > 0 {
		v.out.WriteString("\n")
	}
	m := markDone
	if !r.OK {
		m = markFailed
	}
	fmt.Fprintf(&v.out, "%s %s\n", look.paint(m, look.symbol(m, 0)), look.bold(clean(r.Cluster)+": "+r.Summary()))
	if i := slices.IndexFunc(r.Checks, func(c preflight.CheckResult) bool { return c.Status == preflight.Error }); i >= 0 {
		fmt.Fprintf(&v.out, "  %s\n", look.faint("to take one for a warning, name it: --ignore-preflight "+r.Checks[i].Name))
	}
	return v.out.String()
}

type preflightView struct {
	look Look
	out  strings.Builder
}

// check writes one check's findings under its name.
func (v *preflightView) check(c preflight.CheckResult, verbose bool) {
	if c.Status != preflight.Error && c.Status != preflight.Warning && !verbose {
		return
	}
	note := ""
	if c.Ignored {
		note = "  " + v.look.faint("an error, ignored as you asked")
	}
	fmt.Fprintf(&v.out, "%s %s%s\n", v.mark(c.Status), v.look.bold(c.Name), note)
	shown := slices.DeleteFunc(slices.Clone(c.Findings), func(f preflight.Finding) bool {
		return f.Summary == "" || !verbose && (f.Status == preflight.OK || f.Status == preflight.Skipped)
	})
	for i, f := range shown {
		v.lines(v.mark(f.Status)+" ", "  ", f.Summary)
		// What is to be done about several hosts alike is said once.
		again := i+1 < len(shown) && shown[i+1].Hint == f.Hint && shown[i+1].Status == f.Status
		if f.Hint != "" && !again {
			v.lines(v.look.faint("hint:")+" ", "    ", f.Hint)
		}
	}
	if len(shown) == 0 {
		v.lines("  ", "  ", c.About)
	}
}

// lines writes a text after a lead, broken between words.
func (v *preflightView) lines(lead, indent, text string) {
	under := strings.Repeat(" ", width(lead))
	for i, line := range words(oneLine(text), statusWidth-len(indent)-width(lead)) {
		if i > 0 {
			lead = under
		}
		fmt.Fprintf(&v.out, "%s%s%s\n", indent, lead, line)
	}
}

func (v *preflightView) mark(s preflight.Status) string {
	switch s {
	case preflight.Error:
		return v.look.paint(markFailed, v.look.symbol(markFailed, 0))
	case preflight.Warning:
		return v.look.paint(markRunning, "!")
	case preflight.Skipped:
		return v.look.paint(markSkipped, v.look.symbol(markSkipped, 0))
	}
	return v.look.paint(markDone, v.look.symbol(markDone, 0))
}

// PreflightList words what the checks look at.
func PreflightList(checks []preflight.Check, look Look) string {
	var out strings.Builder
	widest := 0
	for _, c := range checks {
		widest = max(widest, width(c.Name))
	}
	for _, c := range checks {
		lead := look.bold(c.Name) + strings.Repeat(" ", widest-width(c.Name)+2)
		for i, line := range words(c.About, statusWidth-widest-2) {
			if i > 0 {
				lead = strings.Repeat(" ", widest+2)
			}
			out.WriteString(lead + line + "\n")
		}
	}
	return out.String()
}
