package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// watcher watches the objects with keys over as many connections as it needs,
// and goes on with each where the one before ended, as Kubernetes' own clients
// do.
type watcher struct {
	api     api
	every   time.Duration
	timeout time.Duration
	began   time.Time
	log     *probe.Log

	mu   sync.Mutex
	seen Stream
	from string
}

func newWatcher(eyes Eyes, namespace string, timeout, every time.Duration, began time.Time, log *probe.Log) *watcher {
	dial := eyes.Dial
	view := eyes.Viewpoint
	view.Dial = func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dial(ctx)
	}
	clients := view.Clients()
	clients.Kept.Transport.(*http.Transport).ResponseHeaderTimeout = timeout
	return &watcher{
		api:   api{view: view, client: clients.Kept, namespace: namespace},
		every: every, timeout: timeout, began: began, log: log, seen: Stream{Client: eyes.Name},
	}
}

// run watches until the context ends.
func (w *watcher) run(ctx context.Context, from string) {
	w.from = from
	w.until(ctx, func() bool { return false })
}

// drain watches on until everything up to a revision was seen.
func (w *watcher) drain(ctx context.Context, last uint64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.until(ctx, func() bool { return w.revision() >= last })
	w.api.client.CloseIdleConnections()
}

// until watches, on a new connection each time that one ends.
func (w *watcher) until(ctx context.Context, enough func() bool) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for !enough() && ctx.Err() == nil {
		err := w.connect(ctx, enough)
		if ctx.Err() != nil || enough() {
			return
		}
		if err != nil {
			w.log.Add(time.Now(), err)
			if w.api.view.Turn != nil {
				w.api.view.Turn()
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C: // an endpoint that refuses at once is not asked at once again
		}
	}
}

// gone is what the API says of a revision that is too old to watch from.
func gone(err error) bool {
	status, ok := errors.AsType[*probe.StatusError](err)
	return ok && status.Code == http.StatusGone
}

// connect watches on one connection until it ends. A nil error is the API's
// own end of a watch.
func (w *watcher) connect(ctx context.Context, enough func() bool) error {
	if enough() {
		return nil
	}
	query := url.Values{"watch": {"1"}, "labelSelector": {keyLabel}, "resourceVersion": {w.from}, "allowWatchBookmarks": {"true"}}
	err := probe.WatchStream(ctx, w.api.client, w.api.view.URL(w.api.configMaps()+"?"+query.Encode()), func(e probe.Event) (bool, error) {
		var o object
		if err := json.Unmarshal(e.Object, &o); err != nil {
			return false, err
		}
		w.take(e.Type, o)
		return !enough(), nil
	})
	if gone(err) {
		return w.relist(ctx)
	}
	return err
}

func (w *watcher) take(kind string, o object) {
	now := time.Now()
	w.mu.Lock()
	w.from = o.Metadata.ResourceVersion
	if kind != "BOOKMARK" {
		w.seen.Events = append(w.seen.Events, Seen{
			Key: o.Metadata.Name, Type: kind, UID: o.Metadata.UID, Revision: o.revision(), At: now.Sub(w.began),
		})
	}
	w.mu.Unlock()
	if kind != "BOOKMARK" {
		w.log.Add(now, nil)
	}
}

// relist begins anew from what is there now.
func (w *watcher) relist(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*w.timeout)
	defer cancel()
	_, from, err := w.api.list(ctx)
	if err != nil {
		return fmt.Errorf("listing anew: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from, w.seen.Restarted = from, true
	return nil
}

// revision is the last one that was seen.
func (w *watcher) revision() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var o object
	o.Metadata.ResourceVersion = w.from
	return o.revision()
}

func (w *watcher) stream() Stream {
	reached := w.revision()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Reached = reached
	return w.seen
}
