// Package report shows what drills found: as text for a terminal, as a web
// page that needs nothing beside itself, and as tables of several runs. It is
// pure: the same record gives the same report.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/ui"
)

// kinds in the order in which they are shown.
var kinds = []probe.Kind{probe.Read, probe.Write, probe.KeepAlive, probe.Watch}

// Text is a run's report for a terminal.
func Text(r drill.Record, look ui.Look) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", Headline(r))
	fmt.Fprintf(&b, "run %s on %s, %s, Kubernetes %s, endpoint mode %s, %d hosts%s\n",
		r.RunID, r.Cluster, r.Started.Format("2006-01-02 15:04 UTC"), r.Kubernetes, r.Endpoint, len(r.Hosts), ofLab(r))
	if r.Soak {
		fmt.Fprintf(&b, "soak with --seed %d\n", r.Seed)
	}
	b.WriteString("\nDRILLS\n" + faultTable(r) + "\n")
	for _, f := range r.Faults {
		reasons := slices.Concat(f.Why, f.Unjudged)
		if len(reasons) > 0 {
			fmt.Fprintf(&b, "  %s  %s\n", clock(f.Injected), name(f))
		}
		for _, why := range reasons {
			fmt.Fprintf(&b, "    %s\n", why)
		}
	}
	if late := r.Late(); late > 0 {
		fmt.Fprintf(&b, "This program asked at most %s later than planned: a shorter gap may be its own.\n", ui.Span(late))
	}
	b.WriteString("\nTIMELINE  " + legend(look) + "\n" + timeline(r, look))
	b.WriteString("\nHISTORY\n" + history(r.Verdict))
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "\nThe run ended early: %s\n", r.Error)
	}
	return b.String()
}

func ofLab(r drill.Record) string {
	if r.Lab {
		return " of a lab"
	}
	return ""
}

// Headline is the run's outcome in one line.
func Headline(r drill.Record) string {
	within := 0
	for _, f := range r.Faults {
		if f.OK {
			within++
		}
	}
	word := "NOT PROVEN"
	switch {
	case r.OK:
		word = "PROVEN"
	case r.Unjudged():
		word = "NOT JUDGED"
	}
	return fmt.Sprintf("%s: %d of %d drills as they should be; %d writes acknowledged, %d lost", word, within, len(r.Faults), r.Verdict.Acknowledged, r.Verdict.Lost)
}

func name(f drill.FaultRecord) string {
	return strings.TrimSpace(f.Drill + " " + strings.Join(f.Targets, ", "))
}

func faultTable(r drill.Record) string {
	header := []string{"AT", "", "DRILL", "TARGET", "BUDGET"}
	for _, k := range kinds {
		header = append(header, strings.ToUpper(string(k)))
	}
	header = append(header, "DISTURBED", "FAILED", "HEALTHY AFTER", "TOOK OVER")
	var rows [][]string
	for _, f := range r.Faults {
		mark := "ok"
		switch {
		case !f.OK && len(f.Why) == 0:
			mark = "?"
		case !f.OK:
			mark = "BAD"
		}
		row := []string{clock(f.Injected), mark, f.Drill, strings.Join(f.Targets, ", "), f.Budget.Of(drill.AnyKind).String()}
		for _, k := range kinds {
			text := ui.Span(f.Worst(k))
			if over(f, k) {
				text += " !"
			}
			row = append(row, text)
		}
		rows = append(rows, append(row, ui.Span(f.Disturbed()), failed(f), healthyAfter(f), strings.Join(takeovers(f), ", ")))
	}
	return ui.Table(header, rows)
}

// over reports whether a gap of a kind was longer than its budget.
func over(f drill.FaultRecord, kind probe.Kind) bool {
	return slices.ContainsFunc(f.Figures, func(x drill.Figure) bool { return x.Kind == kind && x.Over() })
}

// failed is how many questions failed, of all.
func failed(f drill.FaultRecord) string {
	n, of := 0, 0
	for _, figure := range f.Figures {
		n, of = n+figure.Stats.Failed(), of+figure.Stats.Asked
	}
	return fmt.Sprintf("%d of %d", n, of)
}

func healthyAfter(f drill.FaultRecord) string {
	if f.Healthy == 0 {
		return "never"
	}
	return ui.Span(f.Healthy - f.Undone)
}

// takeovers are what somebody else took over, and how long after the fault.
func takeovers(f drill.FaultRecord) []string {
	var parts []string
	for _, what := range []string{"etcd", "scheduler", "controller-manager", "VIP"} {
		if d, ok := f.Takeovers[what]; ok {
			parts = append(parts, what+" "+ui.Span(d))
		}
	}
	if f.Moved > 0 {
		parts = append(parts, "a pod elsewhere "+ui.Span(f.Moved))
	}
	return parts
}

func history(v drill.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %d writes: %d acknowledged, %d rejected, %d unanswered; %d swaps, %d reads, %d events watched\n",
		v.Writes, v.Acknowledged, v.Rejected, v.Unanswered, v.Swaps, v.Looks, v.Watched)
	if v.OK() {
		b.WriteString("  Every acknowledged write is there, once, and every watch saw all of them in order.\n")
		return b.String()
	}
	const most = 20
	for i, x := range v.Violations {
		if i == most {
			fmt.Fprintf(&b, "  … and %d more\n", len(v.Violations)-most)
			break
		}
		fmt.Fprintf(&b, "  %s\n", strings.Join(slices.DeleteFunc([]string{x.Kind, x.Client, x.Key, x.Text}, func(s string) bool { return s == "" }), ": "))
	}
	return b.String()
}

func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
