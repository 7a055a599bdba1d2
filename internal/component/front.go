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

// BeforeTheRest makes all steps of a plan wait for one, as far as it is in it, but
// those that it waits for itself.
func BeforeTheRest(steps []plan.Step, first plan.ID) {
	byID := map[plan.ID]plan.Step{}
	for _, s := range steps {
		byID[s.ID] = s
	}
	if _, planned := byID[first]; !planned {
		return
	}
	leads := map[plan.ID]bool{}
	var mark func(plan.ID)
	mark = func(id plan.ID) {
		if s, planned := byID[id]; planned && !leads[id] {
			leads[id] = true
			for _, need := range slices.Concat(s.Needs, s.NeedsAny) {
				mark(need)
			}
		}
	}
	mark(first)
	for i, s := range steps {
		if !leads[s.ID] {
			steps[i].Needs = append(slices.Clone(s.Needs), first)
		}
	}
}
