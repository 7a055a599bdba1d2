package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/event"
)

// RunSummary words how a run ended, in plain text of at most 80 columns
// except where an error's own words are longer.
func RunSummary(r event.Result) string {
	took := elapsed(r.Duration.Duration())
	var out strings.Builder
	switch {
	case len(r.Steps) == 0:
		return nothing(r.Cluster)
	case r.OK():
		fmt.Fprintf(&out, "Done in %s: %s.\n", took, counts(r.Counts))
		return out.String()
	case r.Interrupted:
		fmt.Fprintf(&out, "Interrupted after %s: %s.\n", took, counts(r.Counts))
	default:
		fmt.Fprintf(&out, "Failed after %s: %s.\n", took, counts(r.Counts))
	}
	for _, s := range r.Failed() {
		out.WriteString("\n" + stepFailure(s))
	}
	for _, s := range r.Steps {
		if s.Outcome == event.OutcomeInterrupted {
			fmt.Fprintf(&out, "\ncut short: %s: %s (%s)\n", place(s.Host), oneLine(s.Title), s.ID)
		}
	}
	out.WriteString("\nRun the same command again to go on: what is done stays done.\n")
	return out.String()
}

// nothing words an empty plan, and a run of one.
func nothing(cluster string) string {
	return fmt.Sprintf("Nothing to do: cluster %s already is as asked.\n", clean(cluster))
}

func stepFailure(s event.StepResult) string {
	text := fmt.Sprintf("error: %s: %s (%s)\n", place(s.Host), oneLine(s.Title), s.ID)
	text += indent(clean(s.Error), "  ") + "\n"
	if s.Hint != "" {
		text += indent("hint: "+clean(s.Hint), "  ") + "\n"
	}
	return text
}

// counts words the numbers that aren't zero.
func counts(c event.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{
		{c.Changed, "changed"}, {c.Unchanged, "already so"}, {c.Failed, "failed"},
		{c.Skipped, "skipped because of that"}, {c.Interrupted, "cut short"}, {c.NotStarted, "not started"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return count(c.Total(), "step") + ", " + strings.Join(parts, ", ")
}

// StepTimes is a table of where a run's time went: what was done, on how many
// hosts, and how long the slowest of them took, slowest first.
func StepTimes(r event.Result) string {
	type subject struct {
		name           string
		n              int
		longest, total time.Duration
		host           string // of the longest
	}
	var subjects []*subject
	byName := map[string]*subject{}
	for _, s := range r.Steps {
		if s.Duration == 0 {
			continue
		}
		name := s.ID.Subject()
		x := byName[name]
		if x == nil {
			x = &subject{name: name}
			byName[name] = x
			subjects = append(subjects, x)
		}
		x.n++
		x.total += s.Duration.Duration()
		if d := s.Duration.Duration(); d > x.longest {
			x.longest, x.host = d, s.Host
		}
	}
	slices.SortStableFunc(subjects, func(a, b *subject) int { return cmp.Compare(b.longest, a.longest) })
	var rows [][]string
	for _, x := range subjects {
		rows = append(rows, []string{clean(x.name), fmt.Sprint(x.n), stamp(x.longest), place(x.host), stamp(x.total / time.Duration(x.n))})
	}
	return Table([]string{"STEP", "TIMES", "LONGEST", "ON", "MEAN"}, rows)
}

// CriticalPath is a table of the chain of steps that determined how long a
// run took, empty for a run in which nothing ran.
func CriticalPath(r event.Result) string {
	if len(r.Critical) == 0 {
		return ""
	}
	var rows [][]string
	for _, c := range r.Critical {
		note := ""
		if c.Slot {
			note = "(waited for a free place)"
		}
		rows = append(rows, []string{
			stamp(c.Start.Duration()), stamp(c.Duration.Duration()), place(c.Host), oneLine(c.Title), note,
		})
	}
	return Table([]string{"AT", "TOOK", "HOST", "STEP", ""}, rows)
}
