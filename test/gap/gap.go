// Package gap measures how long clients of a cluster's endpoint were not
// answered while something was done to it.
package gap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/quorate/quorate/internal/probe"
)

// How the endpoint is asked: with a new TLS connection every 20 ms, each of
// which gives up after 300 ms.
const (
	Every   = 20 * time.Millisecond
	Timeout = 300 * time.Millisecond

	// Path is what is asked for: something that a quorum of etcd has. (/readyz
	// would fail on an API server that is about to stop, and still serves.)
	Path = "/api/v1/namespaces/default"
)

const (
	// before is how many answers come before the thing is done, after how long
	// every request is answered when it is over, within patience.
	before   = 25
	after    = 3 * time.Second
	patience = 2 * time.Minute
)

// ErrUnwell says that new requests went on failing until patience ended. What
// came of them until then is returned beside it.
var ErrUnwell = errors.New("the endpoint did not become well again")

// calm is how long what keeps its connection must have been well.
const calm = time.Second

// Load is what clients do meanwhile.
type Load struct {
	// Timeout is when those that connect anew give up; 0 for the default. On a
	// busy machine, a longer one tells what is lost from what is slow.
	Timeout time.Duration
	// Patience is how long all may take to be well again; 0 for the default, two
	// minutes.
	Patience time.Duration

	// What others do beside them.
	Sessions int // clients that keep their connection
	Watches  int // watches that are open
	// Direct are addresses of API servers, host and port, through which is
	// written what the watches see.
	Direct []string
}

// Result is what came of all clients since something was done.
type Result struct {
	New      probe.Stats
	Failures []probe.Sample // of New, in the order of their ends; At is since the thing was done
	Sessions SessionStats
	Watches  WatchStats
}

// NotConnected is how many of the new requests failed before a server had proved
// itself to them: nobody was found who served them. The others that failed were
// under way, on the connection to a server that ended or in its hands.
func (r Result) NotConnected() int {
	n := 0
	for _, f := range r.Failures {
		if !f.Begun {
			n++
		}
	}
	return n
}

// FailedAfter is how long a new request took to fail, in the median.
func (r Result) FailedAfter() time.Duration {
	if len(r.Failures) == 0 {
		return 0
	}
	var took []time.Duration
	for _, f := range r.Failures {
		took = append(took, f.Took)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Measure asks the server of a kubeconfig from this machine while do does its
// thing and until all is well again for a while, and returns what came of the
// requests since do began; with ErrUnwell also where it does not become well.
func Measure(ctx context.Context, kubeconfig string, load Load, do func() error) (Result, error) {
	view, err := Viewpoint(kubeconfig)
	if err != nil {
		return Result{}, err
	}
	clients := view.Clients()
	defer clients.Close()
	began := time.Now()
	log := probe.NewLog(began)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var asked sync.WaitGroup
	asked.Go(func() {
		probe.Prober{Every: Every, Timeout: cmp.Or(load.Timeout, Timeout), Ask: view.Get(clients.Fresh, Path)}.Run(asking, log)
	})
	kept := startSessions(asking, view, load.Sessions, began)
	direct := view
	direct.Dial, direct.Turn = probe.AnyOf(load.Direct)
	watched, err := startWatches(asking, view, direct, load.Watches, began)
	if err != nil {
		return Result{}, err
	}
	err = await(ctx, patience, "the endpoint to answer", func() bool {
		return answered(log) >= before && kept.answered(load.Sessions) && watched.settled()
	})
	if err != nil {
		return Result{}, err
	}
	from := time.Since(began)
	if err := do(); err != nil {
		return Result{}, err
	}
	done := time.Since(began)
	within := cmp.Or(load.Patience, patience)
	err = await(ctx, within, "the endpoint to be well again", func() bool {
		_, ok := probe.Recovered(log.Samples(), done, after)
		return ok
	})
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
		err = fmt.Errorf("%w within %s", ErrUnwell, within)
	// A connection that is stuck for longer is a figure, and no failure.
	case await(ctx, within, "", func() bool { return kept.settled() && watched.settled() }) != nil:
		err = ctx.Err()
	}
	to := time.Since(began)
	stop()
	asked.Wait()
	kept.wg.Wait()
	watched.wg.Wait()
	if load.Watches > 0 {
		err = errors.Join(err, cleanUp(ctx, direct))
	}
	result := Result{New: probe.Summarise(log.Samples(), from, to, Every), Sessions: kept.stats(from, to), Watches: watched.stats(from, to)}
	for _, s := range log.Samples() {
		if s.Outcome != probe.OK && s.At >= from && s.Done() <= to {
			s.At -= from
			result.Failures = append(result.Failures, s)
		}
	}
	return result, err
}

// cleanUp removes what the watches saw.
func cleanUp(ctx context.Context, direct probe.Viewpoint) error {
	clients := direct.Clients()
	defer clients.Close()
	var last error
	err := await(ctx, patience, "what was watched to be removed", func() bool {
		try, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		if last = removeWatched(try, direct, clients.Fresh); last != nil {
			direct.Turn()
		}
		return last == nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

func answered(log *probe.Log) int {
	return len(slices.DeleteFunc(log.Samples(), func(s probe.Sample) bool { return s.Outcome != probe.OK }))
}

// await looks until a condition is met.
func await(ctx context.Context, within time.Duration, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// Viewpoint looks from this machine at the server of a kubeconfig.
func Viewpoint(kubeconfig string) (probe.Viewpoint, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return probe.Viewpoint{}, err
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return probe.Viewpoint{}, fmt.Errorf("reading the server of %s: %w", kubeconfig, err)
	}
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return probe.Viewpoint{}, fmt.Errorf("reading the certificates of %s: %w", kubeconfig, err)
	}
	return probe.Viewpoint{
		Name: server.Host, TLS: tls,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Host)
		},
	}, nil
}
