package protocol

import (
	"testing"
	"time"
)

// A program that ends again and again is active for a moment each time: whoever
// looks then must not take it for one that runs.
func TestUnitUp(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		what string
		unit Unit
		want bool
	}{
		{"it runs", Unit{Active: "active", ActiveSince: now.Unix()}, true},
		{"it ended once, long ago", Unit{Active: "active", Restarts: 1, ActiveSince: now.Add(-time.Minute).Unix()}, true},
		{"it was started again a moment ago", Unit{Active: "active", Restarts: 7, ActiveSince: now.Add(-3 * time.Second).Unix()}, false},
		{"it waits to be started again", Unit{Active: "activating", Sub: "auto-restart", Restarts: 7, ActiveSince: now.Add(-time.Hour).Unix()}, false},
		{"it was stopped", Unit{Active: "inactive"}, false},
		{"the clock was set back", Unit{Active: "active", Restarts: 7, ActiveSince: now.Add(time.Hour).Unix()}, true},
	} {
		if got := test.unit.Up(now); got != test.want {
			t.Errorf("%s: up is %v", test.what, got)
		}
	}
}
