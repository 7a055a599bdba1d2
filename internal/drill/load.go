package drill

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/probe"
)

// Eyes are a viewpoint and where it is.
type Eyes struct {
	probe.Viewpoint
	// Host is the host whose agent carries the viewpoint; empty for the
	// operator's machine.
	Host string
	// Unbalanced tells that no balancer that checks API servers is between.
	Unbalanced bool
	// Writes tells whether objects are written from here, beside the register.
	Writes bool
}

// Series is all samples of one kind from one viewpoint.
type Series struct {
	Eyes
	Kind  probe.Kind
	Every time.Duration
	log   *probe.Log
}

// Samples is what was noted so far.
func (s Series) Samples() []probe.Sample { return s.log.Samples() }

// Since is what was over at a time or later.
func (s Series) Since(at time.Duration) []probe.Sample { return s.log.Since(at) }

// Load is what clients do to the API during a run.
type Load struct {
	Namespace string
	// Every is the time between two questions of a kind, Timeout how long an
	// answer may take.
	Every, Timeout time.Duration
	Eyes           []Eyes

	began  time.Time
	series []Series

	mu         sync.Mutex
	operations []Operation
	watchers   []*watcher
	clients    []probe.Clients
	pooled     []api // one of each viewpoint

	stop    context.CancelFunc
	wg      sync.WaitGroup
	started int // probers
}

// phases are the moments between two questions over which probers are spread: a
// number that shares no factor with that of a viewpoint's probers.
const phases = 7

// swapEvery is the time between two swaps of one client, in probes: swaps of
// several clients get in one another's way, which is what they are for.
const swapEvery = 5

// Start sets up the namespace and starts all clients. Stop ends them.
func (l *Load) Start(ctx context.Context) error {
	l.began = time.Now()
	ctx, l.stop = context.WithCancel(ctx)
	first := l.api(l.Eyes[0])
	watchFrom := ""
	err := l.insist(ctx, func(ctx context.Context) (err error) {
		_, watchFrom, err = first.list(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("listing before the first write: %w", err)
	}
	for _, eyes := range l.Eyes {
		l.startEyes(ctx, eyes, watchFrom)
	}
	return nil
}

// setUpTimeout bounds what is asked before and after the load.
const setUpTimeout = 30 * time.Second

// insist asks again until it is answered.
func (l *Load) insist(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	return poll(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, 5*l.Timeout)
		defer cancel()
		return question(ctx)
	})
}

func (l *Load) api(eyes Eyes) api {
	clients := eyes.Clients()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients = append(l.clients, clients)
	return api{view: eyes.Viewpoint, client: clients.Pooled, namespace: l.Namespace}
}

func (l *Load) log(eyes Eyes, kind probe.Kind) *probe.Log {
	log := probe.NewLog(l.began)
	l.series = append(l.series, Series{Eyes: eyes, Kind: kind, Every: l.Every, log: log})
	return log
}

func (l *Load) startEyes(ctx context.Context, eyes Eyes, watchFrom string) {
	pooled := l.api(eyes)
	l.mu.Lock()
	clients := l.clients[len(l.clients)-1]
	l.pooled = append(l.pooled, pooled)
	l.mu.Unlock()
	fresh := pooled
	fresh.client = clients.Fresh
	register := pooled.configMaps() + "/" + registerName
	start := func(kind probe.Kind, every time.Duration, ask func(context.Context) error) {
		// Clients of their own do not ask at the same moment.
		l.started++
		offset := l.Every * time.Duration(l.started%phases) / phases
		p := probe.Prober{Every: every, Timeout: l.Timeout, Offset: offset, Ask: ask, Turn: eyes.Turn}
		log := probe.NewLog(l.began)
		if kind != "" {
			log = l.log(eyes, kind)
		}
		l.wg.Go(func() { p.Run(ctx, log) })
	}
	start(probe.Read, l.Every, func(ctx context.Context) error { return l.look(ctx, fresh, eyes.Name) })
	start(probe.KeepAlive, l.Every, eyes.Get(clients.Kept, register))
	start("", swapEvery*l.Every, func(ctx context.Context) error { return l.swap(ctx, pooled, eyes.Name) })
	if eyes.Writes {
		var mu sync.Mutex
		n := 0
		start(probe.Write, l.Every, func(ctx context.Context) error {
			mu.Lock()
			n++
			key := fmt.Sprintf("%s-%06d", keyName(eyes.Name), n)
			mu.Unlock()
			return l.create(ctx, pooled, eyes.Name, key)
		})
	}
	w := newWatcher(eyes, l.Namespace, l.Timeout, l.Every, l.began, l.log(eyes, probe.Watch))
	l.watchers = append(l.watchers, w)
	l.wg.Go(func() { w.run(ctx, watchFrom) })
}

// keyName makes a viewpoint's name a part of an object's name.
func keyName(viewpoint string) string {
	out := []byte(viewpoint)
	for i, c := range out {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			out[i] = '-'
		}
	}
	return string(out)
}

func (l *Load) note(op Operation, err error) {
	op.End = time.Since(l.began)
	op.Answer = answerOf(err)
	if err != nil {
		op.Error = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operations = append(l.operations, op)
}

// answerOf says what a client may conclude from an error. Only the API's own
// words tell that a write was not done.
func answerOf(err error) Answer {
	if err == nil {
		return Acknowledged
	}
	if status, ok := errors.AsType[*probe.StatusError](err); ok && status.Code/100 == 4 && status.Code != http.StatusRequestTimeout && status.Code != http.StatusTooManyRequests {
		return Rejected
	}
	return Unanswered
}

func (l *Load) create(ctx context.Context, a api, client, key string) error {
	op := Operation{Client: client, Kind: Create, Key: key, Start: time.Since(l.began)}
	made, err := a.create(ctx, key)
	op.UID, op.Revision = made.Metadata.UID, made.revision()
	l.note(op, err)
	return err
}

func (l *Load) look(ctx context.Context, a api, client string) error {
	op := Operation{Client: client, Kind: Look, Start: time.Since(l.began)}
	read, value, err := a.look(ctx)
	op.Value, op.Revision = value, read.revision()
	l.note(op, err)
	return err
}

// swap reads the register and adds one. That another client was quicker is no
// failure.
func (l *Load) swap(ctx context.Context, a api, client string) error {
	op := Operation{Client: client, Kind: Look, Start: time.Since(l.began)}
	read, value, err := a.look(ctx)
	op.Value, op.Revision = value, read.revision()
	l.note(op, err)
	if err != nil {
		return err
	}
	op = Operation{Client: client, Kind: Swap, Value: value + 1, From: read.revision(), Start: time.Since(l.began)}
	now, err := a.swap(ctx, read, value+1)
	op.Revision = now.revision()
	l.note(op, err)
	if status, ok := errors.AsType[*probe.StatusError](err); ok && status.Code == http.StatusConflict {
		return nil
	}
	return err
}

// drainTimeout bounds how long the watches may lag behind the last write.
const drainTimeout = 30 * time.Second

// Stop ends the clients' writing and asking, gives the watches time to see all
// that is there, and tells the history.
func (l *Load) Stop(ctx context.Context) (History, error) {
	l.stop()
	l.wg.Wait()
	a := l.api(l.Eyes[0])
	h := History{}
	err := l.insist(ctx, func(ctx context.Context) (err error) {
		if h.Final, _, err = a.list(ctx); err != nil {
			return err
		}
		_, h.Register, err = a.look(ctx)
		return err
	})
	if err != nil {
		return h, fmt.Errorf("reading what is there in the end: %w", err)
	}
	last := uint64(0)
	for _, o := range h.Final {
		last = max(last, o.Revision)
	}
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range l.watchers {
		wg.Go(func() { w.drain(drain, last) })
	}
	wg.Wait()
	for _, w := range l.watchers {
		h.Streams = append(h.Streams, w.stream())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Operations = l.operations
	return h, nil
}

// Close ends the clients' connections.
func (l *Load) Close() {
	for _, c := range l.clients {
		c.Close()
	}
}
