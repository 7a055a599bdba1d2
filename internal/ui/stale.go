package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/plan"
)

// PlanDifference words what a plan that was made before has otherwise than the
// one that would be made now, for somebody who reviewed the former.
func PlanDifference(d plan.Difference) string {
	if d.Empty() {
		return "  the same steps, in another order\n"
	}
	var out strings.Builder
	list := func(label string, steps []plan.Step) {
		for _, s := range steps {
			writeDifferent(&out, label, s.ID, s.Why)
		}
	}
	list("no longer to do", d.OnlyBefore)
	list("now to do as well", d.OnlyNow)
	for _, c := range d.Changed {
		writeDifferent(&out, "differs", c.Before.ID, strings.Join(stepDifferences(c), "; "))
	}
	return out.String()
}

func writeDifferent(out *strings.Builder, label string, id plan.ID, why string) {
	text := fmt.Sprintf("%s: %s", oneLine(string(id)), oneLine(why))
	for i, line := range wrap(text, planWidth-len("  now to do as well  ")) {
		if i > 0 {
			label = ""
		}
		out.WriteString("  " + pad(label, len("now to do as well")) + "  " + line + "\n")
	}
}

// stepDifferences words in which ways a step differs.
func stepDifferences(c plan.StepChange) []string {
	var said []string
	if c.Before.Why != c.Now.Why {
		said = append(said, fmt.Sprintf("since %q, before %q", c.Now.Why, c.Before.Why))
	}
	if c.Before.Impact != c.Now.Impact {
		said = append(said, fmt.Sprintf("its impact is %s, before %s", c.Now.Impact, c.Before.Impact))
	}
	if c.Before.Title != c.Now.Title {
		said = append(said, fmt.Sprintf("to %s, before to %s", c.Now.Title, c.Before.Title))
	}
	var what []string
	for _, change := range slices.Concat(c.Before.Changes, c.Now.Changes) {
		if slices.Contains(c.Before.Changes, change) != slices.Contains(c.Now.Changes, change) {
			what = append(what, change.What)
		}
	}
	slices.Sort(what)
	if what = slices.Compact(what); len(what) > 0 {
		said = append(said, "it changes "+strings.Join(what, ", ")+" otherwise")
	}
	if len(said) == 0 {
		said = append(said, "it waits for other steps")
	}
	return said
}
