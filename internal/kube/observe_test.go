package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestInsistAsksAgainWhatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked := time.Now(), 0
		err := insist(t.Context(), func(ctx context.Context) error {
			if asked++; asked < 3 {
				<-ctx.Done() // hangs, as a request to a lost etcd member does
				return ctx.Err()
			}
			return nil
		})
		if err != nil || asked != 3 || time.Since(start) != patience[0]+patience[1] {
			t.Errorf("asked %d times in %s: %v", asked, time.Since(start), err)
		}
	})
}

func TestInsistTakesARefusalForAnAnswer(t *testing.T) {
	refused, asked := errors.New("forbidden"), 0
	err := insist(t.Context(), func(context.Context) error { asked++; return refused })
	if !errors.Is(err, refused) || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestInsistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := insist(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}
