package lab

import (
	"context"
	"fmt"
	"time"
)

// poll asks the condition again and again until it holds or the context ends.
// The condition returns why it does not hold yet; the last such reason is in
// the error.
func poll(ctx context.Context, every time.Duration, condition func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
