package probe

import (
	"context"
	"net/http"
	"sync"
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
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, mostAtOnce)
	for {
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				defer func() { <-slots }()
				p.once(ctx, log)
			})
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p Prober) once(ctx context.Context, log *Log) {
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
	s := log.Add(asked, err)
	if p.Seen != nil {
		p.Seen(s)
	}
}

// Get is the question for a path with a client.
func (v Viewpoint) Get(client *http.Client, path string) func(context.Context) error {
	url := v.URL(path)
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		_, err = Do(client, request)
		return err
	}
}
