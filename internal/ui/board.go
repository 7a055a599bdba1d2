package ui

import (
	"slices"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// board is a run as far as its events have told: what the live view draws.
type board struct {
	began    time.Time
	verb     string
	cluster  string
	settled  int
	hosts    []*hostRow // in the plan's order, the cluster itself last
	steps    map[plan.ID]*stepRow
	failures []event.StepFailed
	note     string // the last one, until the run starts
	stopping bool
	done     *event.RunDone
}

// hostRow is one host's steps; its counts are of settled steps.
type hostRow struct {
	name    string // empty for the cluster itself
	steps   []*stepRow
	settled int
	failed  int
	skipped int
	cut     int // short, by a run being stopped
}

// stepRow is one step. A step that is not settled and has no since waits.
type stepRow struct {
	event.StepInfo
	since   time.Time
	phase   event.Phase
	message string
	settled bool
}

func (b *board) take(e event.Event) {
	if b.began.IsZero() {
		b.began = e.Time
	}
	switch body := e.Body.(type) {
	case event.RunStarted:
		b.start(body)
	case event.StepStarted:
		if s := b.steps[body.ID]; s != nil {
			if s.since.IsZero() {
				s.since = e.Time
			}
			s.phase, s.message = body.Phase, ""
		}
	case event.StepProgress:
		if s := b.steps[body.ID]; s != nil {
			s.message = oneLine(body.Message)
		}
	case event.StepDone:
		b.settle(body.ID)
	case event.StepFailed:
		if h := b.settle(body.ID); h != nil {
			h.failed++
		}
		b.failures = append(b.failures, body)
	case event.StepSkipped:
		if h := b.settle(body.ID); h != nil {
			h.skipped++
		}
	case event.StepInterrupted:
		if h := b.settle(body.ID); h != nil {
			h.cut++
		}
	case event.Stopping:
		b.stopping = true
	case event.Note:
		b.note = oneLine(body.Text)
		if body.Host != "" {
			b.note = place(body.Host) + ": " + b.note
		}
	case event.RunDone:
		b.done = &body
	}
}

func (b *board) start(r event.RunStarted) {
	b.verb, b.cluster, b.note = r.Verb, oneLine(r.Cluster), ""
	b.hosts, b.steps = nil, make(map[plan.ID]*stepRow, len(r.Steps))
	rows := map[string]*hostRow{}
	for _, info := range r.Steps {
		info.Title = oneLine(info.Title)
		row := rows[info.Host]
		if row == nil {
			row = &hostRow{name: info.Host}
			rows[info.Host] = row
			b.hosts = append(b.hosts, row)
		}
		s := &stepRow{StepInfo: info}
		row.steps = append(row.steps, s)
		b.steps[info.ID] = s
	}
	slices.SortStableFunc(b.hosts, func(x, y *hostRow) int {
		switch {
		case x.name != "" && y.name == "":
			return -1
		case x.name == "" && y.name != "":
			return 1
		}
		return 0
	})
}

// settle marks a step as over and gives its host, if the step is known.
func (b *board) settle(id plan.ID) *hostRow {
	s := b.steps[id]
	if s == nil || s.settled {
		return nil
	}
	s.settled = true
	b.settled++
	for _, h := range b.hosts {
		if h.name == s.Host {
			h.settled++
			return h
		}
	}
	return nil
}

// current is the host's step that has been running longest, and how many run.
func (h *hostRow) current() (*stepRow, int) {
	var oldest *stepRow
	n := 0
	for _, s := range h.steps {
		if s.settled || s.since.IsZero() {
			continue
		}
		n++
		if oldest == nil || s.since.Before(oldest.since) {
			oldest = s
		}
	}
	return oldest, n
}

// waitsFor is a step elsewhere that the host's next step waits for, if any.
func (b *board) waitsFor(h *hostRow) *stepRow {
	for _, s := range h.steps {
		if s.settled || !s.since.IsZero() {
			continue
		}
		for _, id := range s.Needs {
			if need := b.steps[id]; need != nil && !need.settled {
				return need
			}
		}
	}
	return nil
}

// done is how many of the host's steps are so.
func (h *hostRow) done() int { return h.settled - h.failed - h.skipped - h.cut }

func (h *hostRow) mark() mark {
	_, running := h.current()
	switch {
	case running > 0:
		return markRunning
	case h.failed > 0:
		return markFailed
	case h.settled == len(h.steps) && h.skipped+h.cut > 0:
		return markSkipped
	case h.settled == len(h.steps):
		return markDone
	}
	return markWaiting
}
