package ui

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/quorate/quorate/internal/printable"
	"github.com/quorate/quorate/internal/probe"
)

// probeKinds are shown in this order.
var probeKinds = [...]probe.Kind{probe.Read, probe.KeepAlive, probe.Write, probe.Watch}

// Probe words the figures of a probe, a line each kind.
func Probe(viewpoint string, stats map[probe.Kind]probe.Stats) string {
	var rows [][]string
	for _, kind := range probeKinds {
		s, ok := stats[kind]
		if !ok {
			continue
		}
		rows = append(rows, []string{
			string(kind), fmt.Sprint(s.Asked), fmt.Sprintf("%.3f %%", 100*s.Availability()), Failures(s.Failures),
			Span(s.Gap.Length), Span(s.Median), Span(s.P99), Span(s.Max),
		})
	}
	header := []string{"FROM " + strings.ToUpper(clean(viewpoint)), "ASKED", "ANSWERED", "FAILURES", "LONGEST GAP", "MEDIAN", "P99", "MAX"}
	return Table(header, rows) + "\n"
}

// Failures words how many questions failed of which kind, the most first.
func Failures(failures map[probe.Outcome]int) string {
	if len(failures) == 0 {
		return "none"
	}
	kinds := slices.SortedFunc(maps.Keys(failures), func(a, b probe.Outcome) int {
		if failures[a] != failures[b] {
			return failures[b] - failures[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var parts []string
	for _, k := range kinds {
		parts = append(parts, fmt.Sprintf("%d %s", failures[k], k))
	}
	return strings.Join(parts, ", ")
}

// Span words a measured time: "1.25 s", "12 ms", "0".
func Span(d time.Duration) string {
	switch {
	case d < 50*time.Microsecond:
		return "0"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// probeLineEvery is how often the live line of a probe is drawn, and plainEvery
// how often one is written where nothing can be redrawn.
const (
	probeLineEvery = 250 * time.Millisecond
	plainEvery     = 5 * time.Second
)

// ProbeLine shows how a probe goes, while it goes: one line that is redrawn on
// a terminal, a line every few seconds elsewhere, and every begin and end of a
// row of failures.
type ProbeLine struct {
	out      io.Writer
	terminal bool
	name     string
	began    time.Time

	mu     sync.Mutex
	counts map[probe.Kind]*probeCount
}

type probeCount struct {
	asked, failed int
	last          time.Duration
	failing       probe.Outcome // of the row of failures under way; empty for none
	since         time.Time
}

// NewProbeLine begins to show a probe from a viewpoint.
func NewProbeLine(out io.Writer, viewpoint string) *ProbeLine {
	f := printable.File(out)
	return &ProbeLine{
		out: printable.Painted(out), terminal: f != nil && term.IsTerminal(int(f.Fd())), name: clean(viewpoint), began: time.Now(), counts: map[probe.Kind]*probeCount{},
	}
}

// Seen takes in one sample; it may be called from several goroutines.
func (l *ProbeLine) Seen(kind probe.Kind, s probe.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[kind]
	if c == nil {
		c = &probeCount{}
		l.counts[kind] = c
	}
	c.asked++
	c.last = s.Took
	switch failed := s.Outcome != probe.OK; {
	case failed && c.failing == "":
		c.failing, c.since = s.Outcome, time.Now()
		l.say("%s: %s: %s", kind, s.Outcome, oneLine(s.Detail))
	case !failed && c.failing != "":
		l.say("%s: answered again, after %s", kind, Span(time.Since(c.since)))
		c.failing = ""
	}
	if s.Outcome != probe.OK {
		c.failed++
	}
}

// say writes a line that stays.
func (l *ProbeLine) say(format string, args ...any) {
	lead := ""
	if l.terminal {
		lead = "\r\x1b[K"
	}
	fmt.Fprintf(l.out, "%s%s  %s\n", lead, time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// Run draws until the context ends.
func (l *ProbeLine) Run(ctx context.Context) {
	every := plainEvery
	if l.terminal {
		every = probeLineEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if l.terminal {
				fmt.Fprint(l.out, "\r\x1b[K")
			}
			return
		case <-tick.C:
			l.draw()
		}
	}
}

func (l *ProbeLine) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := []string{fmt.Sprintf("from %s, %s", l.name, time.Since(l.began).Round(time.Second))}
	for _, kind := range probeKinds {
		if c := l.counts[kind]; c != nil {
			parts = append(parts, fmt.Sprintf("%s: %d asked, %d failed, last %s", kind, c.asked, c.failed, Span(c.last)))
		}
	}
	text := strings.Join(parts, " · ")
	if l.terminal {
		fmt.Fprintf(l.out, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(l.out, text)
}
