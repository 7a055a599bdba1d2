package e2e

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	gaps "github.com/quorate/quorate/test/gap"
)

// mostShown is how many requests that failed are told of, one by one.
const mostShown = 40

// gap [-failed N] [-unserved N] [-timeout D] [-refused D] LIMIT COMMAND… asks the endpoint, at the address of the
// kubeconfig, while a command runs and until all is well for a while. It fails
// when nothing was answered for longer than the limit, or when more than N
// requests failed, each of which may take until the timeout, or more than N before
// an API server had proved itself to them, or when those that failed did not, in
// the median, within the time given.
func gap(ts *testscript.TestScript, neg bool, args []string) {
	flags := flag.NewFlagSet("gap", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	mostFailed := flags.Int("failed", -1, "")
	mostUnserved := flags.Int("unserved", -1, "")
	timeout := flags.Duration("timeout", 0, "")
	refused := flags.Duration("refused", -1, "")
	ts.Check(flags.Parse(args))
	limit, argv := limitOf(ts, "gap", neg, flags.Args())
	result, err := gaps.Measure(context.Background(), ts.Getenv("KUBECONFIG"), gaps.Load{Timeout: *timeout}, func() error { return ts.Exec(argv[0], argv[1:]...) })
	ts.Check(err)
	stats := result.New
	ts.Logf("gap %s; %d of %d requests failed %v, %d before an API server had proved itself; median %s, 99 %% within %s",
		stats.Gap.Length.Round(time.Millisecond), stats.Failed(), stats.Asked, stats.Failures, result.NotConnected(), stats.Median, stats.P99)
	for _, f := range result.Failures[:min(len(result.Failures), mostShown)] {
		at := "before an API server had proved itself"
		if f.Begun {
			at = "under way"
		}
		ts.Logf("  asked after %s, after %s, %s: %s: %s", f.At.Round(time.Millisecond), f.Took.Round(time.Millisecond), at, f.Outcome, f.Detail)
	}
	if stats.Gap.Length > limit {
		ts.Fatalf("nothing was answered for %s, more than %s", stats.Gap.Length, limit)
	}
	if *mostFailed >= 0 && stats.Failed() > *mostFailed {
		ts.Fatalf("%d requests failed, more than %d", stats.Failed(), *mostFailed)
	}
	if unserved := result.NotConnected(); *mostUnserved >= 0 && unserved > *mostUnserved {
		ts.Fatalf("%d requests failed before an API server had proved itself to them, more than %d", unserved, *mostUnserved)
	}
	if *refused >= 0 {
		took := result.FailedAfter()
		ts.Logf("requests failed within %s in the median", took.Round(time.Millisecond))
		if stats.Failed() == 0 || took > *refused {
			ts.Fatalf("%d requests failed, within %s in the median: not what happens where nobody can answer", stats.Failed(), took)
		}
	}
}
