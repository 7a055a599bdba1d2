package probe

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// Prober asks one question from one viewpoint at a fixed rate.
type Prober struct {
	// Every is the time between two questions, Timeout how long each may take.
	Every, Timeout time.Duration
	// Offset is how long it waits before the first question: probers that start
	// together do not have to ask together.
	Offset time.Duration
	// Ask asks once.
	Ask func(ctx context.Context) error
	// Turn, when set, is called after each failure.
	Turn func()
	// Seen, when set, is given each sample; from several goroutines.
	Seen func(Sample)
}

// mostAtOnce bounds how many questions wait for an answer at the same time.
// Beyond it none is asked until one is over, so that an endpoint that swallows
// everything costs no more than this.
const mostAtOnce = 64

// Run asks until the context ends, and returns when the last answer is in.
// What was under way when it ended is not noted: it says nothing of the
// endpoint.
func (p Prober) Run(ctx context.Context, log *Log) {
	offset := time.NewTimer(p.Offset)
	defer offset.Stop()
	select {
	case <-ctx.Done():
		return
	case <-offset.C:
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, mostAtOnce)
	began := time.Now()
	next := time.NewTimer(0)
	defer next.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		planned := began.Add(time.Duration(n) * p.Every)
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-slots }()
				p.once(ctx, log, planned)
			})
		default:
		}
		n = following(n, time.Since(began), p.Every)
		next.Reset(time.Until(began.Add(time.Duration(n) * p.Every)))
	}
}

// following is the number of the question after the nth, some time after the first.
// Those whose time is over are left out: who is late does not ask twice at once.
func following(n int, since, every time.Duration) int { return max(n, int(since/every)) + 1 }

func (p Prober) once(ctx context.Context, log *Log, planned time.Time) {
	asked := time.Now()
	try, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	err := p.Ask(try)
	if ctx.Err() != nil {
		return
	}
	if err != nil && p.Turn != nil {
		p.Turn()
	}
	s := log.add(asked, asked.Sub(planned), err)
	if p.Seen != nil {
		p.Seen(s)
	}
}

// Get is the question for a path with a client.
func (v Viewpoint) Get(client *http.Client, path string) func(context.Context) error {
	url := v.URL(path)
	return func(ctx context.Context) error {
		var begun atomic.Bool
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { begun.Store(true) }})
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if _, err = Do(client, request); err != nil && begun.Load() {
			return &begunError{err}
		}
		return err
	}
}
