package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/event"
)

// quiet is how long plain output may say nothing before a heartbeat is worth
// its lines. With the engine's heartbeats 5 s apart no silence is longer than 10 s.
const quiet = 5 * time.Second

// busyLines is how many running steps one heartbeat names.
const busyLines = 6

// PlainView writes one line for each thing worth knowing: for logs, pipes and
// terminals that can't redraw. It never writes the run's closing summary,
// which RunSummary words.
type PlainView struct {
	out   io.Writer
	state plainState
}

// NewPlain makes a plain view. Write errors are left to whoever reads out.
func NewPlain(out io.Writer) *PlainView { return &PlainView{out: out} }

// Send implements View.
func (v *PlainView) Send(e event.Event) { _, _ = io.WriteString(v.out, v.state.lines(e)) }

// Close implements View; there is nothing left to draw.
func (v *PlainView) Close() error { return nil }

// plainState is what plain lines depend on beyond their own event.
type plainState struct {
	began time.Time // of the first event
	spoke time.Time // of the last line
	hosts int       // width of the host column
}

// lines words an event, or gives "" where it is not worth a line.
func (s *plainState) lines(e event.Event) string {
	if s.began.IsZero() {
		s.began = e.Time
	}
	text := s.word(e)
	if text != "" {
		s.spoke = e.Time
	}
	return text
}

func (s *plainState) word(e event.Event) string {
	switch b := e.Body.(type) {
	case event.RunStarted:
		s.hosts = len("cluster")
		seen := map[string]bool{}
		for _, st := range b.Steps {
			s.hosts = max(s.hosts, width(place(st.Host)))
			if st.Host != "" {
				seen[st.Host] = true
			}
		}
		return s.line(e, "", "", fmt.Sprintf("%s %s: %s on %s (run %s)",
			b.Verb, clean(b.Cluster), count(len(b.Steps), "step"), count(len(seen), "host"), b.RunID))
	case event.StepDone:
		if !b.Changed {
			return s.line(e, place(b.Host), "same", oneLine(b.Title))
		}
		return s.line(e, place(b.Host), "done", fmt.Sprintf("%s (%s)", oneLine(b.Title), elapsed(b.Duration.Duration())))
	case event.StepFailed:
		text := s.line(e, place(b.Host), "FAILED", fmt.Sprintf("%s (%s)", oneLine(b.Title), elapsed(b.Duration.Duration())))
		text += s.below(clean(b.Error))
		if b.Hint != "" {
			text += s.below("hint: " + clean(b.Hint))
		}
		return text
	case event.StepInterrupted:
		return s.line(e, place(b.Host), "stopped", fmt.Sprintf("%s: %s", oneLine(b.Title), oneLine(b.Error)))
	case event.StepSkipped:
		return s.line(e, place(b.Host), "skipped", fmt.Sprintf("%s: it needs %s", oneLine(b.Title), b.Because))
	case event.Heartbeat:
		return s.busy(e, b)
	case event.Stopping:
		return s.line(e, "", "", fmt.Sprintf("stopping: waiting for %s to end; nothing new starts", count(b.Running, "running step")))
	case event.Note:
		host := ""
		if b.Host != "" {
			host = place(b.Host)
		}
		return s.line(e, host, "", oneLine(b.Text))
	}
	return ""
}

// busy words a heartbeat, unless something was said lately anyway.
func (s *plainState) busy(e event.Event, b event.Heartbeat) string {
	if e.Time.Sub(s.spoke) < quiet {
		return ""
	}
	var out strings.Builder
	for _, r := range b.Running[:min(len(b.Running), busyLines)] {
		text := fmt.Sprintf("%s, %s", oneLine(r.Title), elapsed(r.Elapsed.Duration()))
		if r.Message != "" {
			text += ": " + oneLine(r.Message)
		} else if r.Phase == event.PhaseCheck {
			text += ": looking whether it is already so"
		}
		out.WriteString(s.line(e, place(r.Host), "busy", text))
	}
	if more := len(b.Running) - busyLines; more > 0 {
		out.WriteString(s.line(e, "", "busy", fmt.Sprintf("and %s; %d of %d done", count(more, "more step"), b.Done, b.Total)))
	}
	return out.String()
}

// line lays out: elapsed time, host, what kind of thing, text.
func (s *plainState) line(e event.Event, host, kind, text string) string {
	at := fmt.Sprintf("%8s", stamp(e.Time.Sub(s.began)))
	switch {
	case host == "" && kind == "":
		return at + "  " + text + "\n"
	case kind == "":
		return at + "  " + pad(host, s.hosts) + "  " + text + "\n"
	}
	return at + "  " + pad(host, s.hosts) + "  " + pad(kind, len("stopped")) + "  " + text + "\n"
}

// below lays out the lines that belong to the line before.
func (s *plainState) below(text string) string {
	return indent(text, strings.Repeat(" ", 8+2+s.hosts+2)+"| ") + "\n"
}
