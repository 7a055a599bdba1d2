package engine

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// stage is what is going on now and the way to the sink. Its lock puts all
// events in one order; a step that left it can say nothing more, so nothing
// about a step follows its end even if its code lingers.
type stage struct {
	mu      sync.Mutex
	sink    event.Sink
	steps   []plan.Step
	running map[int]*actor
}

// actor is a step that runs.
type actor struct {
	since   time.Time
	phase   event.Phase
	message string
}

func (s *stage) emit(b event.Body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(b)
}

// send needs the lock.
func (s *stage) send(b event.Body) {
	if s.sink != nil {
		s.sink.Emit(b)
	}
}

func (s *stage) enter(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[i] = &actor{since: time.Now()}
}

// begin moves a running step to a phase.
func (s *stage) begin(i int, p event.Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.running[i]
	if !ok {
		return
	}
	a.phase, a.message = p, ""
	st := s.steps[i]
	s.send(event.StepStarted{ID: st.ID, Host: st.Host, Title: st.Title, Phase: p})
}

// say passes on what a running step says, unless it repeats itself, as
// polling loops do.
func (s *stage) say(i int, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.running[i]
	if !ok || a.message == message {
		return
	}
	a.message = message
	s.send(event.StepProgress{ID: s.steps[i].ID, Host: s.steps[i].Host, Message: message})
}

// last is the last thing that a running step said in its phase.
func (s *stage) last(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.running[i]; ok {
		return a.message
	}
	return ""
}

// phase is where a running step is.
func (s *stage) phase(i int) event.Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.running[i]; ok {
		return a.phase
	}
	return ""
}

func (s *stage) leave(i int, b event.Body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, i)
	s.send(b)
}

func (s *stage) heartbeat(settled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := make([]int, 0, len(s.running))
	for i := range s.running {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(s.running[a].since.Compare(s.running[b].since), cmp.Compare(a, b))
	})
	beat := event.Heartbeat{Done: settled, Total: len(s.steps)}
	for _, i := range order {
		a, st := s.running[i], s.steps[i]
		beat.Running = append(beat.Running, event.Running{
			ID: st.ID, Host: st.Host, Title: st.Title, Phase: a.phase,
			Elapsed: event.Seconds(time.Since(a.since)), Message: a.message,
		})
	}
	s.send(beat)
}
