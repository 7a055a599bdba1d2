package drill

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// judge fills in a drill's figures from the series, and what they say. Eyes on
// a host that the fault takes see nothing but that, and are left out. Wrong is
// what was wrong with a cluster that was not healthy again. From calm to the fault
// there was none: what was over the budget then already cannot be judged.
func (f *FaultRecord) judge(d Drill, series []Series, marks []Mark, calm, until time.Duration, wrong string) {
	for _, s := range series {
		if d.TakesHost() && slices.Contains(f.Targets, s.Host) {
			continue
		}
		figure := Figure{
			Viewpoint: s.Name, Kind: s.Kind, Limit: f.Budget.For(s.Kind, s.Unbalanced),
			Disturbance: f.Budget.Disturbance(s.Unbalanced),
			Stats:       probe.Summarise(s.Since(f.Injected), f.Injected, until, s.Every),
		}
		f.Figures = append(f.Figures, figure)
	}
	before := len(f.Why)
	f.failTogether(f.Figures, "nothing succeeded", func(x Figure) (time.Duration, time.Duration, bool) {
		return x.Stats.Gap.Length, x.Limit, x.Over()
	})
	f.failTogether(f.Figures, "some failed", func(x Figure) (time.Duration, time.Duration, bool) {
		return x.Stats.Disturbed.Length, x.Disturbance, x.Disturbed() && !x.Over()
	})
	if busy := f.busyBefore(series, calm); busy != "" && len(f.Why) > before {
		f.Unjudged = append([]string{busy}, f.Why[before:]...)
		f.Why = f.Why[:before]
	}
	if len(f.Figures) == 0 {
		f.fail("nobody could look from outside the fault")
	}
	if f.Healthy == 0 {
		f.fail("the cluster was not healthy again within %s: %s", round(until-f.Undone), wrong)
	} else if took := f.Healthy - f.Undone; f.Budget.Recovery > 0 && took > f.Budget.Recovery {
		f.fail("the cluster was healthy again after %s; the budget is %s", round(took), f.Budget.Recovery)
	}
	switch {
	case !d.Moves:
	case f.Moved == 0:
		f.fail("no pod of %s was ready on another node within %s", strings.Join(f.Targets, ", "), round(f.Undone-f.Injected))
	case f.Budget.Moved > 0 && f.Moved > f.Budget.Moved:
		f.fail("a pod was ready on another node after %s; the budget is %s", round(f.Moved), f.Budget.Moved)
	}
	for _, m := range marks {
		if m.Kind != "leader" || m.At < f.Injected || m.At > until {
			continue
		}
		what, _, _ := cutLeader(m.Text)
		if _, known := f.Takeovers[what]; !known {
			if f.Takeovers == nil {
				f.Takeovers = map[string]time.Duration{}
			}
			f.Takeovers[what] = m.At - f.Injected
		}
	}
	f.OK = len(f.Why) == 0 && len(f.Unjudged) == 0
}

// busyBefore says where the time before the fault broke the budget by itself; empty where
// it did not.
func (f *FaultRecord) busyBefore(series []Series, calm time.Duration) string {
	for _, s := range series {
		stats := probe.Summarise(s.Since(calm), calm, f.Injected, s.Every)
		if limit := f.Budget.For(s.Kind, s.Unbalanced); limit > 0 && stats.Gap.Length > limit {
			return fmt.Sprintf("this machine is too busy to judge it: before the fault %s from %s had a gap of %s, and the budget is %s", s.Kind, s.Name, round(stats.Gap.Length), limit)
		}
	}
	return ""
}

// failTogether says of each kind from where its budget was not kept, the worst
// first: what ails one viewpoint most often ails the others. Look gives a figure's
// time, its budget, and whether that was not kept.
func (f *FaultRecord) failTogether(figures []Figure, what string, look func(Figure) (took, limit time.Duration, over bool)) {
	type place struct {
		from string
		took time.Duration
	}
	type budget struct {
		kind  probe.Kind
		limit time.Duration
	}
	places := map[budget][]place{}
	var order []budget
	for _, x := range figures {
		took, limit, over := look(x)
		if !over {
			continue
		}
		key := budget{x.Kind, limit}
		if places[key] == nil {
			order = append(order, key)
		}
		places[key] = append(places[key], place{x.Viewpoint, took})
	}
	for _, key := range order {
		slices.SortStableFunc(places[key], func(a, b place) int { return cmp.Compare(b.took, a.took) })
		var parts []string
		for _, p := range places[key] {
			parts = append(parts, fmt.Sprintf("%s from %s", round(p.took), p.from))
		}
		f.fail("%s: %s for %s; the budget is %s", key.kind, what, strings.Join(parts, ", "), key.limit)
	}
}

func (f *FaultRecord) fail(format string, args ...any) {
	f.Why = append(f.Why, fmt.Sprintf(format, args...))
}

// round keeps a time readable.
func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
