package ui

import (
	"fmt"
	"strings"
	"time"
)

// canvas is what a frame is drawn for.
type canvas struct {
	look   Look
	now    time.Time
	width  int // cells
	height int // lines; 0 means no limit
	spin   int // which picture of the spinner
	// stopping is set once Ctrl-C was pressed; forces says that pressing it
	// again leaves at once, forced that it was.
	stopping, forces, forced bool
}

// frame draws the board: a line on the run, a line for each host that is
// still of interest, one for those that are done, and the failures so far.
// No line is wider than the canvas, and there are no more than fit.
func (b *board) frame(c canvas) string {
	lines := []string{b.header(c)}
	var failures []string
	if b.done == nil { // else RunSummary says them all, right below
		failures = b.failureLines(c)
	}
	if c.height > 0 {
		// Failures have up to half of the screen, but hosts get what they leave.
		if most := max(c.height/2, c.height-1-len(b.hosts)-1); len(failures) > most {
			failures = append(failures[:max(most-1, 0)], c.look.faint("  "+c.look.ellipsis()+" all failures are listed at the end"))
		}
	}
	room := len(b.hosts) + 1
	if c.height > 0 {
		room = max(c.height-1-len(failures), 1)
	}
	hosts := b.hostLines(c, room)
	lines = append(lines, hosts[:min(len(hosts), room)]...)
	lines = append(lines, failures...)
	if c.height > 0 {
		lines = lines[:min(len(lines), c.height)]
	}
	for i, l := range lines {
		lines[i] = clip(l, c.width, c.look.ellipsis())
	}
	return strings.Join(lines, "\n")
}

func (b *board) header(c canvas) string {
	took := elapsed(c.now.Sub(b.began))
	if b.began.IsZero() {
		took = elapsed(0)
	}
	if b.steps == nil {
		return c.look.paint(markRunning, c.look.symbol(markRunning, c.spin)) + " " + b.note + "  " + took
	}
	text := c.look.bold(fmt.Sprintf("%s %s", b.verb, b.cluster)) +
		fmt.Sprintf("  %d/%s  %s", b.settled, count(len(b.steps), "step"), took)
	switch {
	case b.done != nil && b.done.OK:
		text += "  " + c.look.paint(markDone, "done")
	case b.done != nil && b.done.Interrupted:
		text += "  " + c.look.paint(markFailed, "interrupted")
	case b.done != nil:
		text += "  " + c.look.paint(markFailed, "failed")
	case c.forced:
		text += "  " + c.look.paint(markFailed, "leaving at once: running steps may be half done")
	case b.stopping || c.stopping:
		text += "  " + c.look.paint(markFailed, "stopping"+c.look.ellipsis())
		if c.forces {
			text += " (Ctrl-C again to leave at once)"
		}
	case b.note != "":
		text += "  " + c.look.faint(b.note)
	}
	return text
}

// hostLines draws at most room lines. What runs or failed comes before what
// waits when there isn't room for all.
func (b *board) hostLines(c canvas, room int) []string {
	names := 0
	var finished []string
	var rows []*hostRow
	for _, h := range b.hosts {
		if h.mark() == markDone {
			finished = append(finished, place(h.name))
			continue
		}
		rows = append(rows, h)
		names = max(names, width(place(h.name)))
	}
	if len(finished) > 0 {
		room--
	}
	names = min(names, max(c.width/3, 8)) // what a host does matters more than the end of its name
	rows, left := fit(rows, room)
	var lines []string
	for _, h := range rows {
		lines = append(lines, b.hostLine(c, h, names))
	}
	if left > 0 {
		lines = append(lines, c.look.faint(fmt.Sprintf("  %s and %s", c.look.ellipsis(), count(left, "more host"))))
	}
	if len(finished) > 0 {
		done := c.look.paint(markDone, c.look.symbol(markDone, 0))
		lines = append(lines, fmt.Sprintf("%s %s done: %s", done, count(len(finished), "host"), strings.Join(finished, ", ")))
	}
	return lines
}

// fit keeps the rows that matter most where there is not room for all, in
// their old order, and says how many it left out; one line is kept to say so.
func fit(rows []*hostRow, room int) ([]*hostRow, int) {
	if len(rows) <= room {
		return rows, 0
	}
	room = max(room-1, 0)
	keep := make(map[*hostRow]bool, room)
	for _, m := range []mark{markFailed, markRunning, markWaiting, markSkipped} {
		for _, h := range rows {
			if h.mark() == m && len(keep) < room {
				keep[h] = true
			}
		}
	}
	var kept []*hostRow
	for _, h := range rows {
		if keep[h] {
			kept = append(kept, h)
		}
	}
	return kept, len(rows) - len(kept)
}

func (b *board) hostLine(c canvas, h *hostRow, names int) string {
	m := h.mark()
	head := c.look.paint(m, c.look.symbol(m, c.spin)) + " " + pad(clip(place(h.name), names, c.look.ellipsis()), names) + "  "
	step, running := h.current()
	switch {
	case step != nil:
		text := fmt.Sprintf("%s  %s", step.Title, elapsed(c.now.Sub(step.since)))
		if running > 1 {
			text += fmt.Sprintf(" (+%d)", running-1)
		}
		if room := c.width - width(head+text) - 2; step.message != "" && room >= 8 {
			text += "  " + c.look.faint(squeeze(step.message, room, c.look.ellipsis()))
		}
		return head + text
	case h.failed > 0:
		return head + h.tally()
	}
	if need := b.waitsFor(h); need != nil && b.done == nil {
		return head + c.look.faint(fmt.Sprintf("waits for %s: %s", place(need.Host), need.Title))
	}
	return head + c.look.faint(h.tally())
}

// tally words the host's steps by how they ended.
func (h *hostRow) tally() string {
	text := fmt.Sprintf("%d of %s done", h.done(), count(len(h.steps), "step"))
	for _, p := range []struct {
		n    int
		word string
	}{{h.failed, "failed"}, {h.skipped, "skipped"}, {h.cut, "cut short"}} {
		if p.n > 0 {
			text += fmt.Sprintf(", %d %s", p.n, p.word)
		}
	}
	return text
}

// failureLines lists the failures so far in full.
func (b *board) failureLines(c canvas) []string {
	var lines []string
	for _, f := range b.failures {
		lines = append(lines, failure(c.look, c.width, f.Host, f.Title, f.Error, f.Hint)...)
	}
	return lines
}

// failure words one failed step: host and step, the error's own words, the hint.
func failure(look Look, cells int, host, title, text, hint string) []string {
	lines := []string{look.paint(markFailed, look.symbol(markFailed, 0)+" "+place(host)+": "+oneLine(title))}
	for _, l := range strings.Split(strings.TrimRight(strings.ReplaceAll(clean(text), "\t", "    "), "\n"), "\n") {
		for _, w := range wrap(l, cells-4) {
			lines = append(lines, "    "+w)
		}
	}
	if hint != "" {
		for i, w := range wrap("hint: "+oneLine(hint), cells-10) {
			if i > 0 {
				w = "      " + w
			}
			lines = append(lines, "    "+w)
		}
	}
	return lines
}
