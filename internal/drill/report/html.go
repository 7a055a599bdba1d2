package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/ui"
)

//go:embed report.html.tmpl
var templates embed.FS

// HTML is a run's report as one web page that needs nothing beside itself: it
// can be attached to a mail or an audit, is readable in light and dark, and on
// paper.
func HTML(r drill.Record) ([]byte, error) {
	t, err := template.New("report.html.tmpl").Funcs(template.FuncMap{
		"span": ui.Span, "clock": clock, "failed": failed, "healthyAfter": healthyAfter, "takeovers": takeovers,
		"name": name, "headline": Headline, "failures": ui.Failures,
		"join": func(list []string) string { return strings.Join(list, ", ") },
	}).ParseFS(templates, "report.html.tmpl")
	if err != nil {
		return nil, fmt.Errorf("reading the report's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page(r)); err != nil {
		return nil, fmt.Errorf("making the report: %w", err)
	}
	return b.Bytes(), nil
}

// The size of a drawn timeline, in SVG units; labels stand left of the plot.
const (
	labelWidth = 190.0
	plotWidth  = 790.0
	rowHeight  = 34.0
	rowGap     = 10.0
	headHeight = 14.0 // above the plot
	axisHeight = 24.0
)

// slowest is the answer time that fills a row; a slower one fills it, too.
const slowest = time.Second

type pageData struct {
	drill.Record
	Kinds  []string
	Faults []faultRow
	Chart  chart
	// More is how many violations there are beyond those that are shown.
	More int
}

// mostViolations bounds what is shown of them: the history is kept as a whole.
const mostViolations = 100

type faultRow struct {
	drill.FaultRecord
	Number int           // as in the timeline
	Gap    time.Duration // the budget
	Worst  []cell
}

type cell struct {
	Text string
	Over bool
}

// chart is the timelines as shapes.
type chart struct {
	Width, Height, PlotX, PlotY, PlotBottom, LabelX float64
	Rows                                            []chartRow
	Spans                                           []span // faults, behind all rows
	Ticks                                           []tick
	Numbers                                         []tick // the drills', above the plot
	Leaders                                         []leaderMark
}

type chartRow struct {
	Y, TextY, Height float64
	Label            string
	Area             string // the path of the slowest answers
	Failures         []span
}

type span struct {
	X, Y, Width, Height, Strength float64
	Title                         string
}

type tick struct {
	X     float64
	Label string
}

type leaderMark struct {
	X     float64
	Title string
}

func page(r drill.Record) pageData {
	p := pageData{Record: r, Chart: drawChart(r), More: max(len(r.Verdict.Violations)-mostViolations, 0)}
	p.Verdict.Violations = r.Verdict.Violations[:len(r.Verdict.Violations)-p.More]
	for _, k := range kinds {
		p.Kinds = append(p.Kinds, string(k))
	}
	for i, f := range r.Faults {
		row := faultRow{FaultRecord: f, Number: i + 1, Gap: f.Budget.Of(drill.AnyKind)}
		for _, k := range kinds {
			row.Worst = append(row.Worst, cell{Text: ui.Span(f.Worst(k)), Over: over(f, k)})
		}
		p.Faults = append(p.Faults, row)
	}
	return p
}

func drawChart(r drill.Record) chart {
	c := chart{
		Width: labelWidth + plotWidth + 10, PlotX: labelWidth, PlotY: headHeight, LabelX: labelWidth - 10,
		PlotBottom: headHeight + float64(len(r.Series))*(rowHeight+rowGap) + rowGap,
	}
	c.Height = c.PlotBottom + axisHeight
	x := func(at time.Duration) float64 {
		return labelWidth + plotWidth*min(max(float64(at)/float64(max(r.Length, 1)), 0), 1)
	}
	for n, f := range r.Faults {
		end := f.Healthy
		if end == 0 {
			end = r.Length
		}
		c.Spans = append(c.Spans,
			span{X: x(f.Injected), Y: c.PlotY, Width: max(x(f.Undone)-x(f.Injected), 1), Height: c.PlotBottom - c.PlotY, Strength: 0.28, Title: name(f) + ": the fault"},
			span{X: x(f.Undone), Y: c.PlotY, Width: max(x(end)-x(f.Undone), 1), Height: c.PlotBottom - c.PlotY, Strength: 0.12, Title: name(f) + ": until healthy"})
		c.Numbers = append(c.Numbers, tick{X: x(f.Injected), Label: strconv.Itoa(n + 1)})
	}
	for i, s := range r.Series {
		c.Rows = append(c.Rows, drawRow(s, c.PlotY+rowGap+float64(i)*(rowHeight+rowGap), x))
	}
	for _, m := range r.Marks {
		if m.Kind == "leader" {
			c.Leaders = append(c.Leaders, leaderMark{X: x(m.At), Title: clock(m.At) + " " + m.Text})
		}
	}
	step := tickStep(r.Length)
	for at := time.Duration(0); at <= r.Length; at += step {
		c.Ticks = append(c.Ticks, tick{X: x(at), Label: clock(at)})
	}
	return c
}

// drawRow draws the slowest answer of each bucket as an area, and buckets with
// failures as bars over the whole height.
func drawRow(s drill.SeriesRecord, y float64, x func(time.Duration) float64) chartRow {
	row := chartRow{Y: y, TextY: y + rowHeight/2 + 4, Height: rowHeight, Label: s.Viewpoint + " · " + string(s.Kind)}
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", x(0), y+rowHeight)
	for i, b := range s.Buckets {
		from, to := time.Duration(i)*s.Bucket, time.Duration(i+1)*s.Bucket
		height := rowHeight * min(float64(b.Max)/float64(slowest), 1)
		if b.OK > 0 {
			height = max(height, 1.5)
		}
		fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1f", x(from), y+rowHeight-height, x(to), y+rowHeight-height)
		if b.Failed > 0 {
			row.Failures = append(row.Failures, span{
				X: x(from), Y: y, Width: max(x(to)-x(from), 0.8), Height: rowHeight, Strength: 0.35 + 0.65*float64(b.Failed)/float64(b.OK+b.Failed),
				Title: fmt.Sprintf("%s: %d of %d failed", clock(from), b.Failed, b.OK+b.Failed),
			})
		}
	}
	fmt.Fprintf(&path, "L%.1f %.1fZ", x(time.Duration(len(s.Buckets))*s.Bucket), y+rowHeight)
	row.Area = path.String()
	return row
}

// tickStep is a round time that divides a run into about ten parts.
func tickStep(length time.Duration) time.Duration {
	for _, step := range []time.Duration{5, 10, 15, 30, 60, 120, 300, 600, 1800} {
		if length <= 12*step*time.Second {
			return step * time.Second
		}
	}
	return time.Hour
}
