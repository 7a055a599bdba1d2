package plan

import (
	"encoding/json"
	"fmt"
)

// Difference is what one plan has otherwise than another of the same cluster.
type Difference struct {
	OnlyBefore []Step // steps that are no longer planned
	OnlyNow    []Step // steps that were not planned before
	Changed    []StepChange
}

// StepChange is a step that both plans have, each in its own way.
type StepChange struct{ Before, Now Step }

// Empty reports whether both plans have the same steps. Plans with the same
// steps may still differ in their order.
func (d Difference) Empty() bool {
	return len(d.OnlyBefore) == 0 && len(d.OnlyNow) == 0 && len(d.Changed) == 0
}

// Compare tells what differs between two plans, in the order of their steps.
func Compare(before, now *Plan) Difference {
	var d Difference
	was, is := before.byID(), now.byID()
	for _, old := range before.Steps {
		s, ok := is[old.ID]
		switch {
		case !ok:
			d.OnlyBefore = append(d.OnlyBefore, old)
		case s.text() != old.text():
			d.Changed = append(d.Changed, StepChange{old, s})
		}
	}
	for _, s := range now.Steps {
		if _, ok := was[s.ID]; !ok {
			d.OnlyNow = append(d.OnlyNow, s)
		}
	}
	return d
}

func (p *Plan) byID() map[ID]Step {
	out := make(map[ID]Step, len(p.Steps))
	for _, s := range p.Steps {
		out[s.ID] = s
	}
	return out
}

// text is all that a reviewer is shown of a step.
func (s Step) text() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("plan: a step is plain data and must marshal: %v", err))
	}
	return string(b)
}
