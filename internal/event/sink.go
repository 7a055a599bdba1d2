package event

import (
	"fmt"
	"sync"
	"time"
)

// Sink takes events. A sink that Fan made may be called from many goroutines
// at once; any other only if it says so.
type Sink func(Event)

// Emit sends a body to the sink, stamped with the time.
func (s Sink) Emit(b Body) { s(Event{Time: time.Now(), Body: b}) }

// Notef sends a Note.
func (s Sink) Notef(format string, args ...any) {
	s.Emit(Note{Text: fmt.Sprintf(format, args...)})
}

// Fan gives every event to each of the sinks in turn, one event at a time,
// so that all of them see the same order and none needs a lock of its own.
// Nil sinks are left out. A sink must not send events itself.
func Fan(sinks ...Sink) Sink {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sinks {
			if s != nil {
				s(e)
			}
		}
	}
}

// Discard takes events and drops them.
func Discard(Event) {}
