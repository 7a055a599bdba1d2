package event

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/plan"
)

// Outcome is how a step of a run ended.
type Outcome string

// The outcomes. Every step of a plan has exactly one at the end of a run.
const (
	OutcomeChanged     Outcome = "changed"     // applied and verified
	OutcomeUnchanged   Outcome = "unchanged"   // its check found it already so
	OutcomeFailed      Outcome = "failed"      //
	OutcomeSkipped     Outcome = "skipped"     // a step that it needs failed
	OutcomeInterrupted Outcome = "interrupted" // cut short by a cancelled run
	OutcomeNotStarted  Outcome = "not_started" // the run was cancelled before its turn
)

// Counts are the numbers of steps by outcome.
type Counts struct {
	Changed     int `json:"changed"`
	Unchanged   int `json:"unchanged"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Interrupted int `json:"interrupted"`
	NotStarted  int `json:"not_started"`
}

// Add counts one more step.
func (c *Counts) Add(o Outcome) {
	switch o {
	case OutcomeChanged:
		c.Changed++
	case OutcomeUnchanged:
		c.Unchanged++
	case OutcomeFailed:
		c.Failed++
	case OutcomeSkipped:
		c.Skipped++
	case OutcomeInterrupted:
		c.Interrupted++
	case OutcomeNotStarted:
		c.NotStarted++
	}
}

// Done is how many steps are now so.
func (c Counts) Done() int { return c.Changed + c.Unchanged }

// Total is the number of steps counted.
func (c Counts) Total() int {
	return c.Changed + c.Unchanged + c.Failed + c.Skipped + c.Interrupted + c.NotStarted
}

// StepResult is what became of one step.
type StepResult struct {
	ID      plan.ID `json:"id"`
	Host    string  `json:"host,omitempty"`
	Title   string  `json:"title"`
	Outcome Outcome `json:"outcome"`
	// Phase is where a failed or interrupted step was.
	Phase Phase `json:"phase,omitempty"`
	// Err is the failure itself; Error its words, Hint the hint if known.
	Err   error  `json:"-"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Because is the failed step that made this one be skipped.
	Because plan.ID `json:"because,omitempty"`
	// Start is how long after the run's start the step started, Duration how
	// long it took; both are zero for steps that never started.
	Start    Seconds `json:"start,omitempty"`
	Duration Seconds `json:"duration,omitempty"`
	// Phases are the parts of Duration.
	Phases PhaseDurations `json:"phases,omitzero"`
}

// PhaseDurations says how long each phase of a step took.
type PhaseDurations struct {
	Check  Seconds `json:"check"`
	Apply  Seconds `json:"apply,omitempty"`
	Verify Seconds `json:"verify,omitempty"`
}

// CriticalStep is one link of the chain of steps that determined how long the
// run took: making any of them shorter, and nothing else, could have made the
// run shorter.
type CriticalStep struct {
	ID       plan.ID `json:"id"`
	Host     string  `json:"host,omitempty"`
	Title    string  `json:"title"`
	Start    Seconds `json:"start"` // after the run's start
	Duration Seconds `json:"duration"`
	// Slot is true when the step waited not for what it needs but for one of
	// the places that the limits allow, freed by the link before it.
	Slot bool `json:"slot,omitempty"`
}

// Result is a whole run: what became of each step, in the plan's order.
type Result struct {
	RunID       string         `json:"run"`
	Cluster     string         `json:"cluster"`
	Verb        string         `json:"verb"`
	Started     time.Time      `json:"started"`
	Duration    Seconds        `json:"duration"`
	Interrupted bool           `json:"interrupted,omitempty"`
	Counts      Counts         `json:"counts"`
	Steps       []StepResult   `json:"steps"`
	Critical    []CriticalStep `json:"critical,omitempty"`
}

// OK reports whether every step of the plan is now so.
func (r Result) OK() bool { return !r.Interrupted && r.Counts.Done() == len(r.Steps) }

// Failed are the steps that failed, in the plan's order; skipped ones are not among them.
func (r Result) Failed() []StepResult {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(s StepResult) bool {
		return s.Outcome != OutcomeFailed
	})
}

// NewRunID makes a short random name for a run.
func NewRunID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: the program is ended instead
	return hex.EncodeToString(b[:])
}
