package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/ui"
)

// List is a table of runs, a line each.
func List(records []drill.Record) string {
	if len(records) == 0 {
		return "No drill of this cluster is recorded on this machine; `quorate drill run` does some.\n"
	}
	var rows [][]string
	for _, r := range records {
		rows = append(rows, []string{r.RunID, r.Started.Format("2006-01-02 15:04"), what(r), ui.Span(r.Length), Headline(r)})
	}
	return ui.Table([]string{"RUN", "STARTED", "DRILLS", "TOOK", "OUTCOME"}, rows) + "\n"
}

func what(r drill.Record) string {
	switch {
	case r.Soak:
		return fmt.Sprintf("soak, seed %d", r.Seed)
	case len(r.Faults) == 1:
		return name(r.Faults[0])
	}
	return fmt.Sprintf("%d drills", len(r.Faults))
}

// tally is what is known of one drill, over several times that it was done.
type tally struct {
	times, ok int
	budget    time.Duration
	worst     map[probe.Kind]time.Duration
	healthy   time.Duration // the longest
	never     bool          // it was not healthy again
	last      time.Time
}

// tallies counts by drill.
func tallies(records []drill.Record) map[string]*tally {
	out := map[string]*tally{}
	for _, r := range records {
		for _, f := range r.Faults {
			if f.NotDone {
				continue
			}
			t := out[f.Drill]
			if t == nil {
				t = &tally{worst: map[probe.Kind]time.Duration{}}
				out[f.Drill] = t
			}
			t.times++
			if f.OK {
				t.ok++
			}
			t.budget = f.Budget.Of(drill.AnyKind)
			for _, k := range kinds {
				t.worst[k] = max(t.worst[k], f.Worst(k))
			}
			t.healthy = max(t.healthy, f.Healthy-f.Undone)
			t.never = t.never || f.Healthy == 0
			if r.Started.After(t.last) {
				t.last = r.Started
			}
		}
	}
	return out
}

// healthyAfter is the longest time to a healthy cluster in words.
func (t *tally) healthyAfter() string {
	if t.never {
		return "never"
	}
	return ui.Span(t.healthy)
}

// inOrder are the drills of tallies in the catalogue's order.
func inOrder(t map[string]*tally) []string {
	order := map[string]int{}
	for i, d := range drill.Catalogue() {
		order[d.Name] = i
	}
	return slices.SortedFunc(maps.Keys(t), func(a, b string) int { return cmp.Compare(order[a], order[b]) })
}

// Compare shows two runs beside each other, drill by drill: the worst gap of
// each kind in the first, and in the second.
func Compare(a, b drill.Record) string {
	first, second := tallies([]drill.Record{a}), tallies([]drill.Record{b})
	all := maps.Clone(first)
	maps.Copy(all, second)
	header := []string{"DRILL"}
	for _, k := range kinds {
		header = append(header, strings.ToUpper(string(k)))
	}
	header = append(header, "HEALTHY AFTER", "WITHIN BUDGET")
	var rows [][]string
	for _, drill := range inOrder(all) {
		x, y := first[drill], second[drill]
		row := []string{drill}
		for _, k := range kinds {
			row = append(row, change(x, y, func(t *tally) string { return ui.Span(t.worst[k]) }))
		}
		row = append(row, change(x, y, (*tally).healthyAfter),
			change(x, y, func(t *tally) string { return fmt.Sprintf("%d of %d", t.ok, t.times) }))
		rows = append(rows, row)
	}
	return fmt.Sprintf("%s → %s\n%s → %s\n\n%s\n", a.RunID, b.RunID, Headline(a), Headline(b), ui.Table(header, rows))
}

func change(x, y *tally, text func(*tally) string) string {
	side := func(t *tally) string {
		if t == nil {
			return "–"
		}
		return text(t)
	}
	return side(x) + " → " + side(y)
}

// TrackRecord is a Markdown table of all drills of the runs: how often each
// was done, its budget, and the worst that was measured.
func TrackRecord(records []drill.Record) string {
	var b strings.Builder
	b.WriteString("| drill | times | within budget | budget | longest gap: reads | writes | keep-alive | watches | healthy after | last |\n|---|---|---|---|---|---|---|---|---|---|\n")
	t := tallies(records)
	for _, drill := range inOrder(t) {
		x := t[drill]
		fmt.Fprintf(&b, "| `%s` | %d | %d | %s | %s | %s | %s | %s | %s | %s |\n", drill, x.times, x.ok, x.budget,
			ui.Span(x.worst[probe.Read]), ui.Span(x.worst[probe.Write]), ui.Span(x.worst[probe.KeepAlive]), ui.Span(x.worst[probe.Watch]),
			x.healthyAfter(), x.last.Format("2006-01-02"))
	}
	faults, acknowledged, lost, late := 0, 0, 0, time.Duration(0)
	for _, r := range records {
		late = max(late, r.Late())
		acknowledged, lost = acknowledged+r.Verdict.Acknowledged, lost+r.Verdict.Lost
		for _, f := range r.Faults {
			if f.Drill != drill.Baseline && !f.NotDone {
				faults++
			}
		}
	}
	fmt.Fprintf(&b, "\n%d faults in %d runs; %d acknowledged writes, %d lost.", faults, len(records), acknowledged, lost)
	if late > 0 {
		fmt.Fprintf(&b, " The tool itself asked at most %s later than planned.", ui.Span(late))
	}
	b.WriteByte('\n')
	return b.String()
}
