package ui

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

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

// wait polls until all of want have been drawn.
func (s *screen) wait(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		text := ansi.Strip(s.String())
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(text, w) })
		if len(missing) == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("not drawn: %q; drawn:\n%s", missing, text)
		}
	}
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
	interrupted := make(chan struct{})
	v := newLive(keyboard, &out, Look{}, Options{Interrupt: func() { close(interrupted) }},
		tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm"}))
	events := script(t)
	for _, e := range events[:len(events)-3] {
		v.Send(e)
	}
	if _, err := press.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-interrupted:
	case <-time.After(10 * time.Second):
		t.Fatal("Ctrl-C was not passed on")
	}
	out.wait(t, "apply prod", "stopping...", "cp-3: start the etcd member", "hint: stop what listens on port 2379")
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
	// The last picture is there when Close returns.
	if text := ansi.Strip(out.String()); !strings.Contains(text, "12/20 steps  1m11s  interrupted") {
		t.Errorf("the last picture is not there:\n%s", text)
	}
}

// A second Ctrl-C gives the terminal back and then calls Force.
func TestLiveForced(t *testing.T) {
	keyboard, press := io.Pipe()
	defer press.Close()
	var out screen
	interrupted, forced := make(chan struct{}), make(chan struct{})
	v := newLive(keyboard, &out, Look{},
		Options{Interrupt: func() { close(interrupted) }, Force: func() { close(forced) }},
		tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm"}))
	for i, heard := range []chan struct{}{interrupted, forced} {
		if _, err := press.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			_ = press.Close() // a pipe's read can't be cancelled as a terminal's can
		}
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Fatalf("press %d of Ctrl-C was not passed on", i+1)
		}
	}
	if err := v.Close(); err != nil {
		t.Error(err)
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
	header := func() string { return strings.SplitN(m.View().Content, "\n", 2)[0] }

	m, cmd := press(t, m, 'c')
	cmd()
	if want := "apply prod  10/20 steps  16s  stopping..."; header() != want {
		t.Errorf("after Ctrl-C: %q, want %q", header(), want)
	}
	if m, cmd = press(t, m, 'c'); cmd != nil || m.forced {
		t.Error("a second Ctrl-C does something, though nobody is there to force")
	}
	m.forces = true
	if m, cmd = press(t, m, 'c'); cmd == nil || !m.forced {
		t.Fatal("a second Ctrl-C does not leave")
	}
	if _, ok := cmd().(tea.QuitMsg); !ok {
		t.Error("a second Ctrl-C does not quit the view")
	}
	if want := "apply prod  10/20 steps  16s  leaving at once: running steps may be half done"; header() != want {
		t.Errorf("after the second Ctrl-C: %q, want %q", header(), want)
	}
	if interrupts != 1 {
		t.Errorf("%d interrupts, want 1", interrupts)
	}
	if _, cmd := press(t, m, 'z'); cmd == nil {
		t.Error("Ctrl-Z does nothing")
	} else if _, ok := cmd().(tea.SuspendMsg); !ok {
		t.Error("Ctrl-Z does not suspend")
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
