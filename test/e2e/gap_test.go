package e2e

import (
	"context"
	"flag"
	"io"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/quorate/quorate/internal/probe"
)

// How the endpoint is asked while something is done to it: a new connection
// every 20 ms, each of which gives up after 300 ms.
const (
	gapEvery   = 20 * time.Millisecond
	gapTimeout = 300 * time.Millisecond
	// gapBefore is how many answers come before the command, gapAfter how long
	// all is well after it, within gapWait.
	gapBefore = 25
	gapAfter  = 3 * time.Second
	gapWait   = time.Minute
)

// gap [-failed N] LIMIT COMMAND… asks the endpoint, at the address of the
// kubeconfig, while a command runs and until all is well for a while. It fails
// when nothing was answered for longer than the limit, or when more than N
// requests failed.
func gap(ts *testscript.TestScript, neg bool, args []string) {
	flags := flag.NewFlagSet("gap", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	mostFailed := flags.Int("failed", -1, "")
	ts.Check(flags.Parse(args))
	limit, argv := limitOf(ts, "gap", neg, flags.Args())
	view, err := kubeconfigViewpoint(ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	clients := view.Clients()
	defer clients.Close()

	log := probe.NewLog(time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		probe.Prober{Every: gapEvery, Timeout: gapTimeout, Ask: view.Get(clients.Fresh, "/readyz")}.Run(ctx, log)
	}()
	began := time.Now()
	await(ts, "the endpoint to answer", func() bool { return answered(log) >= gapBefore })
	from := time.Since(began)
	ts.Check(ts.Exec(argv[0], argv[1:]...))
	after := time.Since(began)
	await(ts, "the endpoint to be well again", func() bool {
		_, ok := probe.Recovered(log.Samples(), after, gapAfter)
		return ok
	})
	to := time.Since(began)
	cancel()
	<-ended
	stats := probe.Summarise(log.Samples(), from, to, gapEvery)
	ts.Logf("gap %s at %s; %d of %d requests failed %v; median %s, 99 %% within %s", stats.Gap.Length.Round(time.Millisecond),
		(stats.Gap.From - from).Round(10*time.Millisecond), stats.Failed(), stats.Asked, stats.Failures, stats.Median, stats.P99)
	if stats.Gap.Length > limit {
		ts.Fatalf("nothing was answered for %s, more than %s", stats.Gap.Length, limit)
	}
	if *mostFailed >= 0 && stats.Failed() > *mostFailed {
		ts.Fatalf("%d requests failed, more than %d", stats.Failed(), *mostFailed)
	}
}

func answered(log *probe.Log) int {
	return len(slices.DeleteFunc(log.Samples(), func(s probe.Sample) bool { return s.Outcome != probe.OK }))
}

// await looks until a condition is met.
func await(ts *testscript.TestScript, what string, condition func() bool) {
	deadline := time.Now().Add(gapWait)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %s in vain for %s", gapWait, what)
		}
		<-tick.C
	}
}

// kubeconfigViewpoint looks from this machine at the server of a kubeconfig.
func kubeconfigViewpoint(path string) (probe.Viewpoint, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return probe.Viewpoint{}, err
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return probe.Viewpoint{}, err
	}
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return probe.Viewpoint{}, err
	}
	return probe.Viewpoint{
		Name: server.Host, TLS: tls,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Host)
		},
	}, nil
}
