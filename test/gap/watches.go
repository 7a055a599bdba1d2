package gap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

const (
	// writeEvery is the time between two changes that the watches are to see.
	writeEvery   = 100 * time.Millisecond
	writeTimeout = time.Second
	// connectTimeout is how long a watch that is begun anew may take to be
	// accepted before it is tried again.
	connectTimeout = time.Second

	watchedPath = "/api/v1/namespaces/default/configmaps"
	watchedName = "quorate-gap"
)

// WatchStats is what came of watches that were open before.
type WatchStats struct {
	Behind  time.Duration // the longest time from a change to its sight
	Cut     int           // connections that ended, and were resumed
	Relists int           // watches that could not be resumed where they ended
	Changes int
}

// watches see the changes of one object, which is written without the
// endpoint's help. The changes are numbered.
type watches struct {
	began time.Time
	wg    sync.WaitGroup

	mu      sync.Mutex
	written []time.Duration   // when a change was acknowledged, by its number; 0 for one that was not
	seen    [][]time.Duration // the same of its sight, of each watch
	cuts    []time.Duration
	relists []time.Duration
}

// startWatches starts n watches through a viewpoint and, direct to the API
// servers, the changes that they see; all end with ctx.
func startWatches(ctx context.Context, view, direct probe.Viewpoint, n int, began time.Time) (*watches, error) {
	w := &watches{began: began, seen: make([][]time.Duration, n)}
	if n == 0 {
		return w, nil
	}
	clients := direct.Clients()
	revision, err := makeWatched(ctx, direct, clients.Fresh)
	if err != nil {
		return nil, fmt.Errorf("making what is watched: %w", err)
	}
	w.wg.Go(func() {
		defer clients.Close()
		w.write(ctx, direct, clients.Pooled)
	})
	for i := range n {
		w.wg.Go(func() { w.watch(ctx, view, i, revision) })
	}
	return w, nil
}

// object is what is used of the object that is watched.
type object struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

// call makes a request with a JSON body and reads the object that comes back.
func call(ctx context.Context, view probe.Viewpoint, client *http.Client, method, path, kind, body string) (object, error) {
	var o object
	request, err := http.NewRequestWithContext(ctx, method, view.URL(path), strings.NewReader(body))
	if err != nil {
		return o, err
	}
	request.Header.Set("Content-Type", kind)
	answer, err := probe.Do(client, request)
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(answer, &o)
}

// makeWatched makes the object anew and gives the revision to watch from.
func makeWatched(ctx context.Context, view probe.Viewpoint, client *http.Client) (string, error) {
	if err := removeWatched(ctx, view, client); err != nil {
		return "", err
	}
	made, err := call(ctx, view, client, http.MethodPost, watchedPath, "application/json",
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"`+watchedName+`"},"data":{"n":"0"}}`)
	return made.Metadata.ResourceVersion, err
}

func removeWatched(ctx context.Context, view probe.Viewpoint, client *http.Client) error {
	_, err := call(ctx, view, client, http.MethodDelete, watchedPath+"/"+watchedName, "application/json", "")
	if status, ok := errors.AsType[*probe.StatusError](err); ok && status.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// write changes the object again and again. A number is used once, also when
// nobody knows what became of it.
func (w *watches) write(ctx context.Context, view probe.Viewpoint, client *http.Client) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	w.mu.Lock()
	w.written = append(w.written, 0) // the number that it was made with
	w.mu.Unlock()
	for {
		w.mu.Lock()
		n := len(w.written)
		w.mu.Unlock()
		try, cancel := context.WithTimeout(ctx, writeTimeout)
		_, err := call(try, view, client, http.MethodPatch, watchedPath+"/"+watchedName, "application/merge-patch+json", fmt.Sprintf(`{"data":{"n":"%d"}}`, n))
		cancel()
		at := time.Since(w.began)
		if err != nil {
			at = 0
			view.Turn()
		}
		w.mu.Lock()
		w.written = append(w.written, at)
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watch watches the object as Kubernetes' own clients do: it goes on where a
// connection ended, and notices a silent peer as late as they do.
func (w *watches) watch(ctx context.Context, view probe.Viewpoint, i int, from string) {
	dial := view.Dial
	view.Dial = func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return dial(ctx)
	}
	clients := view.Clients()
	defer clients.Close()
	clients.Kept.Transport.(*http.Transport).ResponseHeaderTimeout = connectTimeout
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		query := url.Values{"watch": {"1"}, "fieldSelector": {"metadata.name=" + watchedName}, "resourceVersion": {from}}
		err := probe.WatchStream(ctx, clients.Kept, view.URL(watchedPath+"?"+query.Encode()), func(e probe.Event) (bool, error) {
			var o object
			if err := json.Unmarshal(e.Object, &o); err != nil {
				return false, err
			}
			from = o.Metadata.ResourceVersion
			if n, err := strconv.Atoi(o.Data["n"]); err == nil {
				w.see(i, n)
			}
			return true, nil
		})
		if ctx.Err() != nil {
			return
		}
		relist := false
		if status, ok := errors.AsType[*probe.StatusError](err); ok && status.Code == http.StatusGone {
			from, relist = "0", true
		}
		w.ended(relist)
		select {
		case <-ctx.Done():
			return
		case <-tick.C: // an endpoint that refuses at once is not asked at once again
		}
	}
}

func (w *watches) ended(relist bool) {
	at := time.Since(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = append(w.cuts, at)
	if relist {
		w.relists = append(w.relists, at)
	}
}

func (w *watches) see(i, n int) {
	at := time.Since(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.seen[i]) <= n {
		w.seen[i] = append(w.seen[i], 0)
	}
	w.seen[i][n] = at
}

// settled tells whether all watches have seen, lately, what was written.
func (w *watches) settled() bool {
	now := time.Since(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.seen {
		if len(w.seen[i]) == 0 || now-w.seen[i][len(w.seen[i])-1] > calm {
			return false
		}
	}
	return true
}

// stats counts what was written between two times, and when it was seen.
func (w *watches) stats(from, to time.Duration) WatchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out WatchStats
	for _, seen := range w.seen {
		for n, at := range seen {
			if at != 0 && n < len(w.written) && w.written[n] >= from && w.written[n] <= to {
				out.Behind = max(out.Behind, min(at, to)-w.written[n])
			}
		}
		for n, at := range w.written {
			if n >= len(seen) && at >= from && at <= to {
				out.Behind = max(out.Behind, to-at)
			}
		}
	}
	for _, at := range w.written {
		if at >= from && at <= to {
			out.Changes++
		}
	}
	within := func(times []time.Duration) (n int) {
		for _, at := range times {
			if at >= from && at <= to {
				n++
			}
		}
		return n
	}
	out.Cut, out.Relists = within(w.cuts), within(w.relists)
	return out
}
