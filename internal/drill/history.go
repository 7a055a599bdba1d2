package drill

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// OperationKind is what a client asked the API to do.
type OperationKind string

// The kinds of operations.
const (
	Create OperationKind = "create" // an object of a name that is used once
	Swap   OperationKind = "swap"   // the register, from one revision to the next value
	Look   OperationKind = "look"   // the register is read
)

// Answer is what a client was told.
type Answer string

// The answers.
const (
	Acknowledged Answer = "acknowledged" // done, said the API
	Rejected     Answer = "rejected"     // not done, said the API
	Unanswered   Answer = "unanswered"   // it may have been done or not
)

// Operation is one request of a client and what it was told. Times are since
// the recording began.
type Operation struct {
	Client string        `json:"client"`
	Kind   OperationKind `json:"kind"`
	Key    string        `json:"key,omitempty"`
	// Value is what was to be written, or what was read.
	Value int64 `json:"value,omitempty"`
	// From is the revision that a swap started from; Revision and UID are those
	// of what was acknowledged.
	From     uint64        `json:"from,omitempty"`
	Revision uint64        `json:"revision,omitempty"`
	UID      string        `json:"uid,omitempty"`
	Start    time.Duration `json:"start"`
	End      time.Duration `json:"end"`
	Answer   Answer        `json:"answer"`
	Error    string        `json:"error,omitempty"`
}

// Object is an object as it is in the end.
type Object struct {
	UID      string `json:"uid"`
	Revision uint64 `json:"revision"`
}

// Seen is one event of a watch.
type Seen struct {
	Key      string        `json:"key"`
	Type     string        `json:"type"` // ADDED, MODIFIED or DELETED
	UID      string        `json:"uid"`
	Revision uint64        `json:"revision"`
	At       time.Duration `json:"at"`
}

// Stream is what one watcher saw, over all the connections that it needed.
type Stream struct {
	Client string `json:"client"`
	Events []Seen `json:"events"`
	// Restarted tells that the API no longer had the history from where the
	// watch broke off, so that the watcher had to list: what happened in
	// between it saw as a whole.
	Restarted bool `json:"restarted,omitempty"`
	// Reached is the revision up to which it was told in the end.
	Reached uint64 `json:"reached,omitempty"`
}

// History is everything that clients did and were told.
type History struct {
	Operations []Operation       `json:"operations"`
	Final      map[string]Object `json:"final"` // by key
	// Register is the register's value in the end, which began at 0.
	Register int64    `json:"register"`
	Streams  []Stream `json:"streams"`
}

// Violation is something that must not be.
type Violation struct {
	Kind   string `json:"kind"` // lost, twice, undead, swap, stale, order, missed, behind
	Client string `json:"client,omitempty"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"`
}

// Verdict is what the check of a history found.
type Verdict struct {
	Writes       int `json:"writes"` // creates and swaps
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	Unanswered   int `json:"unanswered"`
	Swaps        int `json:"swaps"` // acknowledged
	Looks        int `json:"looks"`
	Watched      int `json:"watched"` // events seen, by all watchers
	// Lost is how many acknowledged writes are not there.
	Lost       int         `json:"lost"`
	Violations []Violation `json:"violations,omitempty"`
}

// OK reports whether nothing was wrong.
func (v Verdict) OK() bool { return len(v.Violations) == 0 }

func (v *Verdict) violate(kind, client, key, format string, args ...any) {
	v.Violations = append(v.Violations, Violation{Kind: kind, Client: client, Key: key, Text: fmt.Sprintf(format, args...)})
}

// Check judges a history: every acknowledged write is there, none was done
// twice, none that was rejected was done; swaps follow one another without one
// being overwritten; nobody reads what was older than what had been
// acknowledged before; and every watch saw everything once and in order.
func Check(h History) Verdict {
	var v Verdict
	for _, op := range h.Operations {
		if op.Kind == Look {
			v.Looks++
			continue
		}
		v.Writes++
		switch op.Answer {
		case Acknowledged:
			v.Acknowledged++
		case Rejected:
			v.Rejected++
		default:
			v.Unanswered++
		}
	}
	checkCreates(h, &v)
	checkSwaps(h, &v)
	checkLooks(h, &v)
	for _, s := range h.Streams {
		v.Watched += len(s.Events)
		checkStream(h, s, &v)
	}
	return v
}

func checkCreates(h History, v *Verdict) {
	for _, op := range h.Operations {
		if op.Kind != Create {
			continue
		}
		object, there := h.Final[op.Key]
		switch {
		case op.Answer == Acknowledged && !there:
			v.Lost++
			v.violate("lost", op.Client, op.Key, "acknowledged at %s with revision %d, and not there in the end", op.End, op.Revision)
		case op.Answer == Acknowledged && object.UID != op.UID:
			v.violate("twice", op.Client, op.Key, "acknowledged as %s, and in the end it is another one, %s", op.UID, object.UID)
		case op.Answer == Rejected && there:
			v.violate("undead", op.Client, op.Key, "rejected (%s), and there in the end", op.Error)
		}
	}
}

func checkSwaps(h History, v *Verdict) {
	from := map[uint64]Operation{}
	var done []Operation
	unanswered := int64(0)
	for _, op := range h.Operations {
		switch {
		case op.Kind != Swap:
		case op.Answer == Unanswered:
			unanswered++
		case op.Answer == Acknowledged:
			if other, twice := from[op.From]; twice {
				v.violate("swap", op.Client, "", "swaps of %s and %s from revision %d were both acknowledged: one overwrote the other", other.Client, op.Client, op.From)
			}
			from[op.From] = op
			done = append(done, op)
		}
	}
	v.Swaps = len(done)
	slices.SortFunc(done, func(a, b Operation) int { return cmp.Compare(a.Revision, b.Revision) })
	for i := 1; i < len(done); i++ {
		if done[i].Value <= done[i-1].Value {
			v.violate("swap", done[i].Client, "", "revision %d holds %d, after revision %d held %d", done[i].Revision, done[i].Value, done[i-1].Revision, done[i-1].Value)
		}
	}
	low, high := int64(len(done)), int64(len(done))+unanswered
	if h.Register < low {
		v.Lost += int(low - h.Register)
		v.violate("lost", "", "", "%d swaps were acknowledged, and the register holds %d", low, h.Register)
	}
	if h.Register > high {
		v.violate("swap", "", "", "the register holds %d, more than the %d swaps that were acknowledged and %d that were not answered", h.Register, low, unanswered)
	}
}

// checkLooks finds reads that saw less than what had been acknowledged before
// they began.
func checkLooks(h History, v *Verdict) {
	type known struct {
		at    time.Duration
		value int64
	}
	var acknowledged []known
	for _, op := range h.Operations {
		if op.Kind == Swap && op.Answer == Acknowledged {
			acknowledged = append(acknowledged, known{op.End, op.Value})
		}
	}
	slices.SortFunc(acknowledged, func(a, b known) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(acknowledged); i++ { // the highest so far
		acknowledged[i].value = max(acknowledged[i].value, acknowledged[i-1].value)
	}
	for _, op := range h.Operations {
		if op.Kind != Look || op.Answer != Acknowledged {
			continue
		}
		n, _ := slices.BinarySearchFunc(acknowledged, op.Start, func(k known, at time.Duration) int { return cmp.Compare(k.at, at) })
		if n > 0 && op.Value < acknowledged[n-1].value {
			v.violate("stale", op.Client, "", "read %d at %s, after %d had been acknowledged at %s", op.Value, op.Start, acknowledged[n-1].value, acknowledged[n-1].at)
		}
	}
}

func checkStream(h History, s Stream, v *Verdict) {
	seen := map[string]Seen{}
	last := uint64(0)
	for _, e := range s.Events {
		if e.Revision <= last {
			v.violate("order", s.Client, e.Key, "the watch showed revision %d after %d", e.Revision, last)
		}
		last = max(last, e.Revision)
		if e.Type != "ADDED" {
			continue
		}
		if before, twice := seen[e.Key]; twice {
			v.violate("twice", s.Client, e.Key, "the watch showed it made at revision %d and at %d", before.Revision, e.Revision)
		}
		seen[e.Key] = e
	}
	if s.Restarted {
		return // what it missed, it saw in the list
	}
	behind := uint64(0)
	for key, object := range h.Final {
		if object.Revision > s.Reached {
			behind = max(behind, object.Revision) // nobody said that it will not come
		} else if e, ok := seen[key]; !ok {
			v.violate("missed", s.Client, key, "the watch never showed it, revision %d", object.Revision)
		} else if e.UID != object.UID {
			v.violate("missed", s.Client, key, "the watch showed another one, %s", e.UID)
		}
	}
	if behind > 0 {
		v.violate("behind", s.Client, "", "the watch came to revision %d and not, within %s, to %d, the last", s.Reached, drainTimeout, behind)
	}
}
