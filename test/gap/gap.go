// Package gap measures how long clients of a cluster's endpoint were not
// answered while something was done to it.
package gap

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
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
)

const (
	// before is how many answers come before the thing is done, after how long
	// every request is answered when it is over, within patience.
	before   = 25
	after    = 3 * time.Second
	patience = 2 * time.Minute
)

// Measure asks the server of a kubeconfig from this machine while do does its
// thing and until all is well again for a while, and returns what came of the
// requests since do began.
func Measure(ctx context.Context, kubeconfig string, do func() error) (probe.Stats, error) {
	view, err := viewpoint(kubeconfig)
	if err != nil {
		return probe.Stats{}, err
	}
	clients := view.Clients()
	defer clients.Close()
	log := probe.NewLog(time.Now())
	began := time.Now()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		probe.Prober{Every: Every, Timeout: Timeout, Ask: view.Get(clients.Fresh, "/readyz")}.Run(asking, log)
	}()
	if err := await(ctx, "the endpoint to answer", func() bool { return answered(log) >= before }); err != nil {
		return probe.Stats{}, err
	}
	from := time.Since(began)
	if err := do(); err != nil {
		return probe.Stats{}, err
	}
	done := time.Since(began)
	err = await(ctx, "the endpoint to be well again", func() bool {
		_, ok := probe.Recovered(log.Samples(), done, after)
		return ok
	})
	to := time.Since(began)
	stop()
	<-ended
	return probe.Summarise(log.Samples(), from, to, Every), err
}

func answered(log *probe.Log) int {
	return len(slices.DeleteFunc(log.Samples(), func(s probe.Sample) bool { return s.Outcome != probe.OK }))
}

// await looks until a condition is met.
func await(ctx context.Context, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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

// viewpoint looks from this machine at the server of a kubeconfig.
func viewpoint(kubeconfig string) (probe.Viewpoint, error) {
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
