package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/plan"
)

// graph is a plan's steps by index, with the edges both ways.
type graph struct {
	needs      [][]int
	dependents [][]int
	// anyOf are the steps of which one is needed, anyDependents the edges back.
	anyOf         [][]int
	anyDependents [][]int
	// rank orders steps that are ready at the same time, least first: a long
	// chain of dependents goes before a short one, since the run can't be
	// over before that chain is; then the plan's own order.
	rank []int
	// broken holds why a step can't be done at all, where that is so.
	broken map[int]error
}

func newGraph(p *plan.Plan) graph {
	n := len(p.Steps)
	g := graph{
		needs:         make([][]int, n),
		dependents:    make([][]int, n),
		anyOf:         make([][]int, n),
		anyDependents: make([][]int, n),
		broken:        map[int]error{},
	}
	byID := make(map[plan.ID]int, n)
	for i, s := range p.Steps {
		connect := func(ids []plan.ID, to [][]int, back [][]int) {
			for _, id := range ids {
				need, ok := byID[id]
				if !ok {
					g.broken[i] = fmt.Errorf("it needs %s, which is not a step before it in the plan", id)
					continue
				}
				to[i] = append(to[i], need)
				back[need] = append(back[need], i)
			}
		}
		connect(s.Needs, g.needs, g.dependents)
		connect(s.NeedsAny, g.anyOf, g.anyDependents)
		if _, dup := byID[s.ID]; dup {
			g.broken[i] = fmt.Errorf("another step of the plan is called %s too", s.ID)
			continue
		}
		byID[s.ID] = i
	}
	all := make([][]int, n)
	for i := range all {
		all[i] = slices.Concat(g.dependents[i], g.anyDependents[i])
	}
	g.rank = rank(all)
	return g
}

// rank relies on dependents having higher indexes than what they depend on.
func rank(dependents [][]int) []int {
	n := len(dependents)
	chain := make([]int, n) // length of the longest chain that starts here
	order := make([]int, n)
	for i := n - 1; i >= 0; i-- {
		order[i] = i
		for _, d := range dependents[i] {
			chain[i] = max(chain[i], chain[d]+1)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(chain[b], chain[a]) })
	ranks := make([]int, n)
	for r, i := range order {
		ranks[i] = r
	}
	return ranks
}
