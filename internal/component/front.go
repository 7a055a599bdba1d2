package component

import (
	"slices"

	"github.com/quorate/quorate/internal/plan"
)

// InFront makes all other steps of a plan wait for the first ones, as far as they
// are in it: a run that fails there has changed nothing. Steps that need others of
// the plan wait with those.
func InFront(steps []plan.Step, first ...plan.ID) {
	planned := map[plan.ID]bool{}
	for _, s := range steps {
		planned[s.ID] = true
	}
	first = slices.DeleteFunc(slices.Clone(first), func(id plan.ID) bool { return !planned[id] })
	if len(first) == 0 {
		return
	}
	for i, s := range steps {
		waits := slices.ContainsFunc(slices.Concat(s.Needs, s.NeedsAny), func(id plan.ID) bool { return planned[id] })
		if !slices.Contains(first, s.ID) && !waits {
			steps[i].Needs = append(slices.Clone(s.Needs), first...)
		}
	}
}
