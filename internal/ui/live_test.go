package ui

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/event"
)

// screen is an output that can be read while it is written.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// The whole live view, with a keyboard and a terminal that are pipes: it draws
// events, passes Ctrl-C on, and leaves its last picture when closed.
func TestLive(t *testing.T) {
	keyboard, press := io.Pipe()
	defer press.Close()
	var out screen
	interrupts := make(chan struct{}, 2)
	v := newLive(keyboard, &out, Look{}, Options{Interrupt: func() { interrupts <- struct{}{} }},
		tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm"}))
	events := script(t)
	for _, e := range events[:len(events)-3] {
		v.Send(e)
	}
	for range 2 {
		if _, err := press.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-interrupts:
		case <-time.After(10 * time.Second):
			t.Fatal("Ctrl-C was not passed on")
		}
	}
	for _, e := range events[len(events)-3:] {
		v.Send(e)
	}
	// A pipe's read can't be cancelled as a terminal's can.
	if err := press.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	v.Send(at(80, event.Note{})) // must not block
	text := ansi.Strip(out.String())
	for _, want := range []string{"apply prod", "interrupted", "cp-3: start the etcd member", "hint: stop what listens on port 2379"} {
		if !strings.Contains(text, want) {
			t.Errorf("nowhere in what was drawn: %q\n%s", want, text)
		}
	}
}

func press(t *testing.T, m model, r rune) (model, tea.Cmd) {
	t.Helper()
	next, cmd := m.Update(tea.KeyPressMsg{Code: r, Mod: tea.ModCtrl})
	return next.(model), cmd
}

func TestModelKeys(t *testing.T) {
	interrupts := 0
	m := model{board: boardAt(t, 16), interrupt: func() { interrupts++ }, now: at(16, nil).Time}
	var headers []string
	for range 2 {
		var cmd tea.Cmd
		m, cmd = press(t, m, 'c')
		cmd()
		headers = append(headers, strings.SplitN(m.View().Content, "\n", 2)[0])
	}
	want := []string{
		"apply prod  10/20 steps  16s  stopping... (Ctrl-C again to leave at once)",
		"apply prod  10/20 steps  16s  leaving at once: running steps may be half done",
	}
	if d := cmp.Diff(want, headers); d != "" || interrupts != 2 {
		t.Errorf("%d interrupts, headers (-want +got):\n%s", interrupts, d)
	}
	if _, cmd := press(t, m, 'z'); cmd == nil {
		t.Error("Ctrl-Z does nothing")
	} else if _, ok := cmd().(tea.SuspendMsg); !ok {
		t.Error("Ctrl-Z does not suspend")
	}
	m.interrupt = nil
	if _, cmd := press(t, m, 'c'); cmd != nil {
		t.Error("Ctrl-C without anyone to tell gives a command")
	}
}

func TestModelResizesAndTicks(t *testing.T) {
	m := model{board: boardAt(t, 16), now: at(16, nil).Time}
	next, _ := m.Update(tea.WindowSizeMsg{Width: 40, Height: 6})
	m = next.(model)
	lines := strings.Split(m.View().Content, "\n")
	if len(lines) != 6 || lines[5] != "" {
		t.Errorf("%d lines, want 5 and an empty one, which bubbletea clears", len(lines))
	}
	for _, l := range lines {
		if width(l) > 40 {
			t.Errorf("%q is wider than 40", l)
		}
	}
	before := m.View().Content
	next, _ = m.Update(at(17, event.StepDone{ID: "etcd/member@cp-2"}))
	m = next.(model)
	if m.View().Content != before {
		t.Error("an event draws; only ticks, keys and sizes should")
	}
	next, cmd := m.Update(tick(at(20, nil).Time))
	if m = next.(model); m.spin != 1 || !strings.Contains(m.View().Content, "11/20 steps  20s") || cmd == nil {
		t.Errorf("a tick must move time and spinner and call the next: spin %d\n%s", m.spin, m.draw())
	}
}
