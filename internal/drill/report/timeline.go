package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/ui"
)

// width is how many cells a timeline is wide.
const width = 72

// bars show how long the slowest answer of a cell took, from fast to slow.
var bars = [...]struct {
	below          time.Duration
	unicode, ascii rune
}{
	{25 * time.Millisecond, '▁', '_'},
	{100 * time.Millisecond, '▂', '.'},
	{250 * time.Millisecond, '▄', '-'},
	{500 * time.Millisecond, '▅', '='},
	{1 << 62, '▇', '#'},
}

const (
	someFailed = 'x'
	allFailed  = 'X'
	nobody     = ' ' // nothing was over in this time
)

func legend(look ui.Look) string {
	if look.Unicode {
		return "▁▂▄▅▇ slowest answer: under 25, 100, 250, 500 ms, above; x some failed, X all; !! a fault, ~~ not yet healthy"
	}
	return "_.-=# slowest answer: under 25, 100, 250, 500 ms, above; x some failed, X all; !! a fault, ~~ not yet healthy"
}

// timeline draws every series as one line of cells, with what happened below.
func timeline(r drill.Record, look ui.Look) string {
	var rows [][]string
	for _, s := range r.Series {
		rows = append(rows, []string{s.Viewpoint, string(s.Kind), "|" + cells(s, look.Unicode) + "|"})
	}
	rows = append(rows, []string{"", "faults", "|" + faultCells(r) + "|"}, []string{"", "", axis(r.Length)})
	text := ui.Table(nil, rows) + "\n"
	var b strings.Builder
	b.WriteString(text)
	const most = 40
	shown := 0
	for _, m := range r.Marks {
		switch {
		case m.Kind == "fault", m.Kind == "undone", m.Kind == "healthy": // the table of the drills has them
			continue
		case shown < most:
			fmt.Fprintf(&b, "  %6s  %-7s %s\n", clock(m.At), m.Kind, m.Text)
		}
		shown++
	}
	if shown > most {
		fmt.Fprintf(&b, "  … and %d more\n", shown-most)
	}
	return b.String()
}

// axis names the times below the beginning, the middle and the end of a line.
func axis(length time.Duration) string {
	begin, middle, end := clock(0), clock(length/2), clock(length)
	at := 1 + width/2 - len(middle)/2
	text := fmt.Sprintf(" %-*s%s", at-1, begin, middle)
	return text + fmt.Sprintf("%*s", width+1-len(text), end)
}

// cells puts a series' buckets into the width of a line.
func cells(s drill.SeriesRecord, unicode bool) string {
	merged := make([]drill.Bucket, width)
	for at := range merged {
		// The buckets that the cell has a part of; at least one, where the cells
		// are the finer ones.
		from := at * len(s.Buckets) / width
		to := max((at+1)*len(s.Buckets)/width, from+1)
		for _, b := range s.Buckets[min(from, len(s.Buckets)):min(to, len(s.Buckets))] {
			merged[at].OK += b.OK
			merged[at].Failed += b.Failed
			merged[at].Max = max(merged[at].Max, b.Max)
		}
	}
	line := make([]rune, width)
	for i, b := range merged {
		switch {
		case b.OK == 0 && b.Failed == 0:
			line[i] = nobody
		case b.OK == 0:
			line[i] = allFailed
		case b.Failed > 0:
			line[i] = someFailed
		default:
			line[i] = bar(b.Max, unicode)
		}
	}
	return string(line)
}

func bar(d time.Duration, unicode bool) rune {
	for _, b := range bars {
		if d < b.below {
			if unicode {
				return b.unicode
			}
			return b.ascii
		}
	}
	return allFailed // not reached: the last bar is for everything
}

func cellOf(at, length time.Duration) int {
	if length <= 0 {
		return 0
	}
	return min(max(int(int64(at)*width/int64(length)), 0), width-1)
}

// faultCells shows when a fault was under way, and when the cluster was not yet
// healthy again.
func faultCells(r drill.Record) string {
	line := []rune(strings.Repeat(" ", width))
	for _, f := range r.Faults {
		end := f.Healthy
		if end == 0 {
			end = r.Length
		}
		for i := cellOf(f.Injected, r.Length); i <= cellOf(end, r.Length); i++ {
			line[i] = '~'
		}
		for i := cellOf(f.Injected, r.Length); i <= cellOf(f.Undone, r.Length); i++ {
			line[i] = '!'
		}
	}
	return string(line)
}
