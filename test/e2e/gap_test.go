package e2e

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	gaps "github.com/quorate/quorate/test/gap"
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
	stats, err := gaps.Measure(context.Background(), ts.Getenv("KUBECONFIG"), func() error { return ts.Exec(argv[0], argv[1:]...) })
	ts.Check(err)
	ts.Logf("gap %s; %d of %d requests failed %v; median %s, 99 %% within %s",
		stats.Gap.Length.Round(time.Millisecond), stats.Failed(), stats.Asked, stats.Failures, stats.Median, stats.P99)
	if stats.Gap.Length > limit {
		ts.Fatalf("nothing was answered for %s, more than %s", stats.Gap.Length, limit)
	}
	if *mostFailed >= 0 && stats.Failed() > *mostFailed {
		ts.Fatalf("%d requests failed, more than %d", stats.Failed(), *mostFailed)
	}
}
