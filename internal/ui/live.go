package ui

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/quorate/quorate/internal/event"
)

// redraw is the time between two pictures of the live view.
const redraw = 125 * time.Millisecond

// liveView redraws a board in place. What it drew last stays on the terminal.
type liveView struct {
	program *tea.Program
	ended   chan struct{} // closed when the program has given the terminal back
	err     error         // of the program; set before ended is closed
	closed  atomic.Bool
}

func newLive(in io.Reader, out io.Writer, look Look, o Options, more ...tea.ProgramOption) *liveView {
	m := model{board: &board{}, look: look, interrupt: o.Interrupt, forces: o.Force != nil, now: time.Now()}
	options := append([]tea.ProgramOption{
		tea.WithInput(in), tea.WithOutput(out),
		// Signals are the command's own business: it cancels the run, and the
		// view learns of it by the Stopping event.
		tea.WithoutSignalHandler(),
	}, more...)
	v := &liveView{program: tea.NewProgram(m, options...), ended: make(chan struct{})}
	go func() {
		defer close(v.ended)
		var end tea.Model
		end, v.err = v.program.Run()
		if m, ok := end.(model); ok && m.forced {
			o.Force()
		}
	}()
	return v
}

// Send implements View. After the view ended, by Close or by a failure of the
// terminal, events go nowhere: the run is more important than its picture.
func (v *liveView) Send(e event.Event) { v.program.Send(e) }

// Close draws the last picture, leaves it there, and gives the terminal back.
func (v *liveView) Close() error {
	if v.closed.CompareAndSwap(false, true) {
		v.program.Send(lastPicture{})
		v.program.Quit()
	}
	<-v.ended
	if v.err != nil {
		return fmt.Errorf("live view: %w", v.err)
	}
	return nil
}

// model is the live view's state for bubbletea.
type model struct {
	board     *board
	look      Look
	interrupt func()
	stopping  bool // Ctrl-C was pressed
	forces    bool // whether a second Ctrl-C may leave at once
	forced    bool // whether it did
	now       time.Time
	spin      int
	width     int
	height    int
	// picture is what was drawn last. Events do not draw: bubbletea asks for
	// the view after each of them, and on large clusters thousands come.
	picture string
}

// lastPicture asks for a picture of all events so far.
type lastPicture struct{}

// tick is the time for another picture.
type tick time.Time

func nextTick() tea.Cmd {
	return tea.Tick(redraw, func(t time.Time) tea.Msg { return tick(t) })
}

// Init implements tea.Model.
func (m model) Init() tea.Cmd { return nextTick() }

// Update implements tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case event.Event:
		m.board.take(msg)
		m.now = msg.Time
	case tick:
		m.now = time.Time(msg)
		m.spin++
		m.picture = m.draw()
		return m, nextTick()
	case lastPicture:
		m.picture = m.draw()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.picture = m.draw()
	case tea.KeyPressMsg:
		switch msg.String() {
		case "ctrl+c":
			again := m.stopping
			m.stopping, m.forced = true, again && m.forces
			m.picture = m.draw()
			if m.forced {
				return m, tea.Quit
			}
			if m.interrupt != nil && !again {
				return m, func() tea.Msg { m.interrupt(); return nil }
			}
		case "ctrl+z":
			return m, tea.Suspend
		}
	}
	return m, nil
}

// View implements tea.Model.
func (m model) View() tea.View {
	// The empty last line is for bubbletea, which clears the last line as it
	// leaves.
	v := tea.NewView(m.picture + "\n")
	v.DisableBracketedPasteMode = true // nothing is typed here
	return v
}

func (m model) draw() string {
	cells, lines := m.width, max(m.height-1, 0)
	if cells <= 0 {
		cells = 80
	}
	return m.board.frame(canvas{
		look: m.look, now: m.now, width: cells, height: lines,
		spin: m.spin, stopping: m.stopping, forces: m.forces, forced: m.forced,
	})
}
