package engine

import (
	"fmt"
	"testing"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// BenchmarkSteps measures what the engine itself costs a step: 10,000 steps
// that do nothing, in chains of 100 on 100 hosts, all tied together halfway.
func BenchmarkSteps(b *testing.B) {
	var steps []plan.Step
	var middle []plan.ID
	for h := range 100 {
		host := fmt.Sprintf("node-%d", h)
		for i := range 100 {
			s := plan.Step{ID: plan.On(fmt.Sprintf("s%d", i), host), Host: host, Title: "do"}
			if i > 0 {
				s.Needs = append(s.Needs, plan.On(fmt.Sprintf("s%d", i-1), host))
			}
			if i == 50 {
				middle = append(middle, s.ID)
			}
			if i == 51 {
				s.Needs = append(s.Needs, "barrier")
			}
			steps = append(steps, s)
		}
	}
	steps = append(steps, plan.Step{ID: "barrier", Title: "wait for all", Needs: middle})
	p := newPlan(b, steps...)
	b.ReportAllocs()
	for b.Loop() {
		if res := Run(b.Context(), p, funcs{}, event.Discard, Options{}); !res.OK() {
			b.Fatal("the run failed")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(p.Steps)), "µs/step")
}
