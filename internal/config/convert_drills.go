package config

import (
	"slices"
	"time"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/config/strict"
)

// The bounds of what a drill may cost. Less than the shortest is not measured.
const (
	shortestBudget = 10 * time.Millisecond
	longestBudget  = time.Hour
)

func (c *converter) drillBudgets(p strict.Path, budgets []v1alpha1.DrillBudget) []cluster.DrillBudget {
	var out []cluster.DrillBudget
	for i := range budgets {
		b, at := &budgets[i], p.Index(i)
		to := cluster.DrillBudget{}
		if b.Drill != "" || c.Given(at.Key("drill")) {
			to.Drill = c.drillName(at.Key("drill"), b.Drill)
		}
		given := false
		for _, x := range []struct {
			key  string
			from time.Duration
			to   *time.Duration
		}{
			{"gap", b.Gap, &to.Gap}, {"read", b.Read, &to.Read}, {"keepAlive", b.KeepAlive, &to.KeepAlive},
			{"write", b.Write, &to.Write}, {"watch", b.Watch, &to.Watch},
			{"disturbed", b.Disturbed, &to.Disturbed}, {"recovery", b.Recovery, &to.Recovery}, {"moved", b.Moved, &to.Moved},
		} {
			if x.from == 0 && !c.Given(at.Key(x.key)) {
				continue
			}
			given = true
			if x.from < shortestBudget || x.from > longestBudget {
				c.Errorf(at.Key(x.key), "such as 2s", "a budget's %s %v is not between %v and %v", x.key, x.from, shortestBudget, longestBudget)
				continue
			}
			*x.to = x.from
		}
		if !given {
			c.Errorf(at, "such as gap: 3s", "a budget says nothing of what may be spent")
		}
		out = append(out, to)
	}
	return out
}

// drillName checks a drill's name. There are too many of them to list them all in
// an error.
func (c *converter) drillName(p strict.Path, name string) string {
	known := cluster.DrillNames()
	c.tell(p, Rule{Choices: known})
	if !slices.Contains(known, name) {
		hint := strict.DidYouMean(name, known)
		if hint == "" {
			hint = "`quorate drill list` shows them"
		}
		c.Errorf(p, hint, "there is no drill %s", quote(name))
	}
	return name
}
