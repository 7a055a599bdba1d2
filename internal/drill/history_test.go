package drill

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// good is a history in which nothing is wrong: creates of two clients, one of
// them not answered but done, swaps, reads and two watches.
func good() History {
	h := History{Final: map[string]Object{}, Streams: []Stream{{Client: "a", Reached: 1000}, {Client: "b", Reached: 1000}}}
	revision := uint64(100)
	for i := range 10 {
		revision++
		key, uid := fmt.Sprintf("k-%d", i), fmt.Sprintf("u-%d", i)
		op := Operation{Client: []string{"a", "b"}[i%2], Kind: Create, Key: key, Revision: revision, UID: uid, Answer: Acknowledged,
			Start: time.Duration(i) * 100 * ms, End: time.Duration(i)*100*ms + 5*ms}
		if i == 4 {
			op.Answer, op.Revision, op.UID = Unanswered, 0, ""
		}
		h.Operations = append(h.Operations, op)
		h.Final[key] = Object{UID: uid, Revision: revision}
		for s := range h.Streams {
			h.Streams[s].Events = append(h.Streams[s].Events, Seen{Key: key, Type: "ADDED", UID: uid, Revision: revision, At: op.End})
		}
	}
	h.Operations = append(h.Operations, Operation{Client: "a", Kind: Create, Key: "never", Answer: Rejected, Error: "Forbidden"})
	from := uint64(1)
	for i := range 5 {
		at := time.Duration(i) * 100 * ms
		h.Operations = append(h.Operations,
			Operation{Client: "a", Kind: Look, Value: int64(i), Start: at, End: at + 2*ms, Answer: Acknowledged},
			Operation{Client: "a", Kind: Swap, Value: int64(i + 1), From: from, Revision: from + 10, Start: at + 3*ms, End: at + 6*ms, Answer: Acknowledged})
		from += 10
	}
	h.Operations = append(h.Operations, Operation{Client: "b", Kind: Swap, Value: 6, From: from, Answer: Unanswered, Start: 600 * ms, End: 1600 * ms})
	h.Register = 6
	return h
}

func TestGoodHistory(t *testing.T) {
	v := Check(good())
	if !v.OK() || v.Writes != 17 || v.Acknowledged != 14 || v.Rejected != 1 || v.Unanswered != 2 || v.Swaps != 5 || v.Looks != 5 || v.Watched != 20 {
		t.Errorf("%+v", v)
	}
}

// Every way in which a history can be wrong is found, and told with its key.
func TestBadHistories(t *testing.T) {
	swap := func(h *History, n int) *Operation {
		for i := range h.Operations {
			if h.Operations[i].Kind == Swap {
				if n--; n < 0 {
					return &h.Operations[i]
				}
			}
		}
		return nil
	}
	for name, c := range map[string]struct {
		spoil func(*History)
		kind  string
		key   string
	}{
		"an acknowledged write is dropped": {func(h *History) {
			delete(h.Final, "k-3")
		}, "lost", "k-3"},
		"a write is done twice": {func(h *History) {
			h.Final["k-3"] = Object{UID: "other", Revision: 200}
		}, "twice", "k-3"},
		"a watch shows a write twice": {func(h *History) {
			h.Streams[0].Events = append(h.Streams[0].Events, Seen{Key: "k-3", Type: "ADDED", UID: "other", Revision: 200})
		}, "twice", "k-3"},
		"a rejected write is done": {func(h *History) {
			h.Final["never"] = Object{UID: "x", Revision: 300}
			for s := range h.Streams {
				h.Streams[s].Events = append(h.Streams[s].Events, Seen{Key: "never", Type: "ADDED", UID: "x", Revision: 300})
			}
		}, "undead", "never"},
		"two swaps from one revision": {func(h *History) {
			swap(h, 3).From = swap(h, 2).From
		}, "swap", ""},
		"a swap goes back": {func(h *History) {
			swap(h, 3).Value = 1
		}, "swap", ""},
		"acknowledged swaps are lost": {func(h *History) {
			h.Register = 3
		}, "lost", ""},
		"the register counts what nobody did": {func(h *History) {
			h.Register = 9
		}, "swap", ""},
		"a read is stale": {func(h *History) {
			h.Operations = append(h.Operations, Operation{Client: "b", Kind: Look, Value: 2, Start: 900 * ms, Answer: Acknowledged})
		}, "stale", ""},
		"a watch is out of order": {func(h *History) {
			e := h.Streams[1].Events
			e[2], e[3] = e[3], e[2]
		}, "order", "k-2"},
		"a watch does not catch up": {func(h *History) {
			h.Streams[1].Events, h.Streams[1].Reached = h.Streams[1].Events[:3], h.Streams[1].Events[2].Revision
		}, "behind", ""},
		"a watch misses a write": {func(h *History) {
			h.Streams[1].Events = slices.Delete(h.Streams[1].Events, 7, 8)
		}, "missed", "k-7"},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.spoil(&h)
			v := Check(h)
			if !slices.ContainsFunc(v.Violations, func(x Violation) bool { return x.Kind == c.kind && x.Key == c.key }) {
				t.Errorf("not found: %+v", v.Violations)
			}
			if c.kind == "behind" && len(v.Violations) > 1 {
				t.Errorf("what is to come is told as more: %+v", v.Violations)
			}
			if (c.kind == "lost") != (v.Lost > 0) {
				t.Errorf("%d lost", v.Lost)
			}
		})
	}
}

// A watcher that had to list anew is not blamed for what it saw as a whole.
func TestRestartedWatch(t *testing.T) {
	h := good()
	h.Streams[1].Events = slices.Delete(h.Streams[1].Events, 3, 6)
	h.Streams[1].Restarted = true
	if v := Check(h); !v.OK() {
		t.Errorf("%+v", v.Violations)
	}
}
