package gap

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const s = time.Second

func TestSessionStats(t *testing.T) {
	kept := sessions{
		waits: []wait{
			{at: 0, took: 9 * s},                    // over before
			{at: 9 * s, took: 3 * s},                // across the beginning
			{at: 13 * s, took: 1 * s, failed: true}, // in between
			{at: 19 * s, took: 8 * s},               // not over in time
		},
		open:    map[int]time.Duration{1: 16 * s},
		renewed: []time.Duration{5 * s, 14 * s, 21 * s},
	}
	want := SessionStats{Stuck: 4 * s, Cut: 1, Questions: 2, Failed: 1}
	if d := cmp.Diff(want, kept.stats(10*s, 20*s)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestWatchStats(t *testing.T) {
	watched := watches{
		// The third was not acknowledged, the last was after the end.
		written: []time.Duration{1 * s, 11 * s, 0, 12 * s, 19 * s, 25 * s},
		seen: [][]time.Duration{
			{2 * s, 11 * s, 12 * s, 15 * s, 19 * s, 25 * s},
			{9 * s, 11 * s, 12 * s, 12 * s}, // behind when it ended
		},
		cuts: []time.Duration{3 * s, 13 * s}, relists: []time.Duration{13 * s},
	}
	want := WatchStats{Behind: 3 * s, Cut: 1, Relists: 1, Changes: 3}
	if d := cmp.Diff(want, watched.stats(10*s, 20*s)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	// One that lags far behind at the end is behind by what is missing.
	watched.seen[1] = watched.seen[1][:1]
	if got := watched.stats(10*s, 20*s).Behind; got != 9*s {
		t.Errorf("behind by %s, not 9s", got)
	}
}
