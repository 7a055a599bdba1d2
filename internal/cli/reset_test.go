package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/engine"
	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/host"
)

func TestConfirmNameWithoutATerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var stderr bytes.Buffer
	err = confirmName(t.Context(), false, "prod", null, &stderr)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("got %v", err)
	}
	if err := confirmName(t.Context(), true, "prod", null, &stderr); err != nil {
		t.Errorf("with --yes: %v", err)
	}
}

func TestVerdict(t *testing.T) {
	lost, cancel := context.WithCancelCause(t.Context())
	cancel(&host.LockLostError{Host: "cp-1", Reason: "x"})
	failed := engine.Result{Steps: make([]event.StepResult, 1), Counts: event.Counts{Failed: 1}}
	interrupted := engine.Result{Interrupted: true, Steps: make([]event.StepResult, 1), Counts: event.Counts{Interrupted: 1}}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		result engine.Result
		code   int  // of a silent end
		lost   bool // the lock's loss is told
	}{
		{"done", t.Context(), engine.Result{}, exitDone, false},
		{"failed", t.Context(), failed, exitFailed, false},
		{"interrupted", t.Context(), interrupted, exitInterrupted, false},
		{"lost", lost, interrupted, 0, true},
		{"lost after a failure", lost, failed, 0, true},
		{"lost after the end", lost, engine.Result{}, exitDone, false},
	} {
		err := verdict(c.ctx, c.result)
		if _, ok := errors.AsType[*host.LockLostError](err); ok != c.lost {
			t.Errorf("%s: %v", c.name, err)
		}
		var exit *exitError
		if !c.lost && (c.code != exitDone) != errors.As(err, &exit) || exit != nil && exit.code != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
