package drill

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// leaderWatch notes who leads, and when it changes.
type leaderWatch struct {
	// Ask asks once who leads; what nobody answered is empty.
	ask   func(ctx context.Context) Leaders
	began time.Time

	mu    sync.Mutex
	now   Leaders
	marks []Mark
}

// leadersEvery is how often it is asked who leads.
const leadersEvery = time.Second

// run watches until the context ends.
func (w *leaderWatch) run(ctx context.Context) {
	tick := time.NewTicker(leadersEvery)
	defer tick.Stop()
	for {
		l := w.ask(ctx)
		if ctx.Err() == nil {
			w.take(l)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *leaderWatch) take(l Leaders) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Since(w.began)
	for _, x := range []struct {
		what     string
		old, new string
		to       *string
	}{
		{"etcd", w.now.Etcd, l.Etcd, &w.now.Etcd},
		{"scheduler", w.now.Scheduler, l.Scheduler, &w.now.Scheduler},
		{"controller-manager", w.now.ControllerManager, l.ControllerManager, &w.now.ControllerManager},
		{"VIP", w.now.VIP, l.VIP, &w.now.VIP},
	} {
		if x.new == "" || x.new == x.old {
			continue // what nobody answers is not known to have changed
		}
		if x.old != "" {
			w.marks = append(w.marks, Mark{At: at, Kind: "leader", Text: fmt.Sprintf("%s: %s → %s", x.what, x.old, x.new)})
		}
		*x.to = x.new
	}
}

// cutLeader takes a leader's mark apart again.
func cutLeader(text string) (what, from, to string) {
	what, rest, _ := strings.Cut(text, ": ")
	from, to, _ = strings.Cut(rest, " → ")
	return what, from, to
}

func (w *leaderWatch) leaders() Leaders {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *leaderWatch) seen() []Mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Mark(nil), w.marks...)
}
