package ui

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/plan"
)

// impactSummary names the worst that the plan does to what is already running,
// where, and then everything that it disturbs.
func impactSummary(p *plan.Plan) string {
	worst := p.Impact()
	if worst == plan.ImpactNone {
		return "Worst impact: none. Nothing that runs is disturbed."
	}
	words := []struct {
		impact plan.Impact
		text   string
	}{
		{plan.ImpactReload, "reloads services (connections live on)"},
		{plan.ImpactRestart, "restarts running services"},
		{plan.ImpactDrain, "moves pods away from their hosts"},
		{plan.ImpactDestroy, "REMOVES data or memberships"},
	}
	var said []string
	for _, w := range words {
		if where := impactPlaces(p, w.impact); where != "" {
			said = append(said, w.text+" "+where)
		}
	}
	lines := wrap("Worst impact: "+strings.ToUpper(string(worst))+" "+impactPlaces(p, worst)+".", planWidth)
	return strings.Join(append(lines, wrap("This plan "+strings.Join(said, "; ")+".", planWidth)...), "\n")
}

// impactPlaces names where steps have an impact: "on cp-1, cp-2 and in the
// cluster as a whole"; empty for nowhere.
func impactPlaces(p *plan.Plan, impact plan.Impact) string {
	var hosts []string
	cluster := false
	for _, s := range p.Steps {
		switch {
		case s.Impact != impact:
		case s.Host == "":
			cluster = true
		default:
			hosts = append(hosts, clean(s.Host))
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	var where []string
	if len(hosts) > 0 {
		where = append(where, "on "+strings.Join(hosts, ", "))
	}
	if cluster {
		where = append(where, "in the cluster as a whole")
	}
	return strings.Join(where, " and ")
}
