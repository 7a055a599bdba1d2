package component

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is how often a condition is looked at again. The conditions
// are cheap (one round trip), and what they wait for takes seconds.
const pollInterval = 250 * time.Millisecond

// sayAfter keeps a wait that is over at once from being told to people.
const sayAfter = time.Second

// Final marks an error that waiting will not mend: Until gives up at once.
type Final struct{ Err error }

func (f Final) Error() string { return f.Err.Error() }

// Unwrap gives the error itself.
func (f Final) Unwrap() error { return f.Err }

// Until waits until cond is nil, and says what it waits for and why it is not
// so yet. It ends with the last reason when the timeout or the context ends.
func Until(ctx context.Context, timeout time.Duration, what string, say func(string), cond func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		err := cond(ctx)
		if err == nil {
			return nil
		}
		if final := (Final{}); errors.As(err, &final) {
			return fmt.Errorf("%s: %w", what, final.Err)
		}
		// A condition that was cut off by the deadline says less than the
		// reason before it.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if time.Since(start) > sayAfter {
			say(fmt.Sprintf("waiting for %s (%s)", what, firstLine(last.Error())))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come within %s: %w", what, time.Since(start).Round(time.Second), last)
		case <-tick.C:
		}
	}
}

// firstLine keeps progress messages on one line of at most 160 bytes.
func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' || i >= 160 {
			return s[:i]
		}
	}
	return s
}
