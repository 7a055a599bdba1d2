package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntilIsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, said := time.Now(), 0
		if err := Until(t.Context(), time.Minute, "it", func(string) { said++ }, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		if time.Since(began) != 0 || said != 0 {
			t.Errorf("took %s and said %d things, want neither", time.Since(began), said)
		}
	})
}

func TestUntilLooksAgainAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var said []string
		err := Until(t.Context(), time.Minute, "etcd", func(s string) { said = append(said, s) }, func(context.Context) error {
			if time.Since(began) > 3*time.Second {
				return nil
			}
			return errors.New("no leader\nand much more")
		})
		if err != nil || time.Since(began) > 3*time.Second+2*pollInterval {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if len(said) == 0 || said[0] != "waiting for etcd (no leader)" {
			t.Errorf("said %q", said)
		}
	})
}

func TestUntilGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		// The condition cut off by the deadline says less than the reason before.
		err := Until(t.Context(), 5*time.Second, "the API server of cp-1", func(string) {}, func(ctx context.Context) error {
			if time.Since(began) < 2*time.Second {
				return errors.New("connection refused")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err == nil || time.Since(began) != 5*time.Second {
			t.Fatalf("%v after %s", err, time.Since(began))
		}
		if want := "the API server of cp-1 did not come within 5s: connection refused"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	})
}

func TestUntilWithoutAnyReasonBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := Until(t.Context(), time.Second, "it", func(string) {}, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestUntilStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		began := time.Now()
		err := Until(ctx, time.Hour, "it", func(string) {}, func(context.Context) error { return errors.New("not yet") })
		if err == nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestUntilStopsAtWhatIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, cause := time.Now(), errors.New("it ends again and again")
		err := Until(t.Context(), time.Hour, "etcd", func(string) {}, func(context.Context) error {
			return fmt.Errorf("looking: %w", Final{cause})
		})
		if !errors.Is(err, cause) || time.Since(began) != 0 || !strings.HasPrefix(err.Error(), "etcd: ") {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestFirstLine(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for in, want := range map[string]string{"": "", "a": "a", "a\nb": "a", "\nb": "", long: strings.Repeat("ä", 80)} {
		if got := firstLine(in); got != want {
			t.Errorf("firstLine(%.20q) = %q", in, got)
		}
	}
	if parts := strings.Split(firstLine(long), ""); slices.Contains(parts, "\ufffd") {
		t.Error("a letter was cut in two")
	}
}
