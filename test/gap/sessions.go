package gap

import (
	"context"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

const (
	// sessionEvery is the time between an answer and the next question on a
	// kept connection.
	sessionEvery = 100 * time.Millisecond
	// sessionPatience is how long a kept connection is waited for: long enough
	// to see how long one can be stuck.
	sessionPatience = 100 * time.Second
)

// SessionStats is what came of clients that keep their connection.
type SessionStats struct {
	Stuck     time.Duration // the longest time that one of them waited for an answer or the end of its connection
	Cut       int           // connections that ended, and were made anew
	Questions int
	Failed    int // questions that were not answered
}

// sessions are clients that ask one question after another, each on a
// connection that it keeps as long as it lasts.
type sessions struct {
	began time.Time
	wg    sync.WaitGroup

	mu      sync.Mutex
	waits   []wait
	open    map[int]time.Duration // when the question that is out was asked, by client
	renewed []time.Duration       // when a connection was made anew
}

type wait struct {
	at, took time.Duration
	failed   bool
}

// startSessions starts n clients, every other one with HTTP/2 and the pings of
// Kubernetes' own clients; they end with ctx.
func startSessions(ctx context.Context, view probe.Viewpoint, n int, began time.Time) *sessions {
	s := &sessions{began: began, open: map[int]time.Duration{}}
	for i := range n {
		clients := view.Clients()
		client := clients.Pooled
		if i%2 == 1 {
			client = clients.Kept
		}
		s.wg.Go(func() {
			defer clients.Close()
			s.run(ctx, i, view.Get(client, Path))
		})
	}
	return s
}

func (s *sessions) run(ctx context.Context, i int, ask func(context.Context) error) {
	tick := time.NewTicker(sessionEvery)
	defer tick.Stop()
	connections := 0
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if connections++; connections > 1 {
			s.renewed = append(s.renewed, time.Since(s.began))
		}
	}})
	for {
		at := time.Since(s.began)
		s.mu.Lock()
		s.open[i] = at
		s.mu.Unlock()
		try, cancel := context.WithTimeout(traced, sessionPatience)
		err := ask(try)
		cancel()
		s.mu.Lock()
		if ctx.Err() == nil {
			delete(s.open, i)
			s.waits = append(s.waits, wait{at, time.Since(s.began) - at, err != nil})
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answered tells whether every one of n clients has had an answer.
func (s *sessions) answered(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waits) >= 2*n
}

// settled tells whether nobody has waited for long or in vain of late.
func (s *sessions) settled() bool {
	now := time.Since(s.began)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.open {
		if now-at > calm {
			return false
		}
	}
	for _, w := range s.waits {
		if end := w.at + w.took; now-end < calm && (w.failed || w.took > calm) {
			return false
		}
	}
	return true
}

// stats counts what was over, or still waited for, between two times.
func (s *sessions) stats(from, to time.Duration) SessionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out SessionStats
	for _, w := range s.waits {
		if w.at+w.took < from || w.at+w.took > to {
			continue
		}
		out.Questions++
		if w.failed {
			out.Failed++
		}
		out.Stuck = max(out.Stuck, w.took)
	}
	for _, at := range s.open {
		out.Stuck = max(out.Stuck, to-at)
	}
	for _, at := range s.renewed {
		if at >= from && at <= to {
			out.Cut++
		}
	}
	return out
}
