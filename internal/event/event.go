// Package event holds what a run tells the world while it goes on: typed
// events that the terminal views, the journal and the web page subscribe to.
// Events never carry secrets: whoever words a message keeps them out.
package event

import (
	"time"

	"github.com/quorate/quorate/internal/plan"
)

// Event is one thing that happened, and when. As JSON it is one flat object:
// "kind", "time" (RFC 3339 with nanoseconds, UTC) and the body's own fields.
type Event struct {
	Time time.Time
	Body Body
}

// Body is what happened: one of the structs of this package.
type Body interface {
	// Kind is the stable name of the body's type in JSON.
	Kind() string
}

// Phase is the part of a step that runs.
type Phase string

// The phases of a step, in order.
const (
	PhaseCheck  Phase = "check"  // is it already so?
	PhaseApply  Phase = "apply"  // make it so
	PhaseVerify Phase = "verify" // wait until it is seen to be so
)

// RunStarted opens a run. Digest is the plan's.
type RunStarted struct {
	RunID   string     `json:"run"`
	Verb    string     `json:"verb"`
	Cluster string     `json:"cluster"`
	Digest  string     `json:"digest"`
	Steps   []StepInfo `json:"steps"`
}

// StepInfo is a step as announced by RunStarted; steps come in the plan's order.
type StepInfo struct {
	ID    plan.ID   `json:"id"`
	Host  string    `json:"host,omitempty"` // empty for steps on the cluster as a whole
	Title string    `json:"title"`
	Needs []plan.ID `json:"needs,omitempty"`
	// NeedsAny are steps of which it needs one.
	NeedsAny []plan.ID `json:"needsAny,omitempty"`
}

// StepStarted says that a step entered a phase; a step sends one for each
// phase that it comes to.
type StepStarted struct {
	ID    plan.ID `json:"id"`
	Host  string  `json:"host,omitempty"`
	Title string  `json:"title"`
	Phase Phase   `json:"phase"`
}

// StepProgress says what a step does now or waits for:
// "waiting for https://10.0.0.2:6443/readyz (connection refused)".
type StepProgress struct {
	ID      plan.ID `json:"id"`
	Host    string  `json:"host,omitempty"`
	Message string  `json:"message"`
}

// StepDone says that a step is so. Changed is false when its check already
// found it so and nothing was done.
type StepDone struct {
	ID       plan.ID `json:"id"`
	Host     string  `json:"host,omitempty"`
	Title    string  `json:"title"`
	Changed  bool    `json:"changed"`
	Duration Seconds `json:"duration"`
}

// StepFailed says that a step failed and in which phase. Error is the
// failure's own words and may span lines; Hint is what the reader can do
// about it, where that is known; Stack is there when the step's code panicked.
type StepFailed struct {
	ID       plan.ID `json:"id"`
	Host     string  `json:"host,omitempty"`
	Title    string  `json:"title"`
	Phase    Phase   `json:"phase,omitempty"`
	Error    string  `json:"error"`
	Hint     string  `json:"hint,omitempty"`
	Stack    string  `json:"stack,omitempty"`
	Duration Seconds `json:"duration"`
}

// StepInterrupted says that a running step was cut short because the run is
// being stopped. The step may be half done; the next run's check will tell.
type StepInterrupted struct {
	ID       plan.ID `json:"id"`
	Host     string  `json:"host,omitempty"`
	Title    string  `json:"title"`
	Error    string  `json:"error"`
	Duration Seconds `json:"duration"`
}

// StepSkipped says that a step was not tried because another one, Because,
// failed, which it needs directly or through others.
type StepSkipped struct {
	ID      plan.ID `json:"id"`
	Host    string  `json:"host,omitempty"`
	Title   string  `json:"title"`
	Because plan.ID `json:"because"`
}

// Heartbeat says that the run is alive and what it is busy with.
type Heartbeat struct {
	Done    int       `json:"done"`  // steps settled, whatever their outcome
	Total   int       `json:"total"` // steps of the plan
	Running []Running `json:"running"`
}

// Running is a step that runs now. Message is the last thing it said.
type Running struct {
	ID      plan.ID `json:"id"`
	Host    string  `json:"host,omitempty"`
	Title   string  `json:"title"`
	Phase   Phase   `json:"phase"`
	Elapsed Seconds `json:"elapsed"`
	Message string  `json:"message,omitempty"`
}

// Stopping says that the run was asked to stop: nothing new starts, and
// Running steps are being cancelled.
type Stopping struct {
	Running int `json:"running"`
}

// Note is free text about the run as a whole: "connecting to 6 hosts".
// Host is set when it is about one host.
type Note struct {
	Host string `json:"host,omitempty"`
	Text string `json:"text"`
}

// RunDone closes a run.
type RunDone struct {
	OK          bool           `json:"ok"`
	Interrupted bool           `json:"interrupted,omitempty"`
	Counts      Counts         `json:"counts"`
	Duration    Seconds        `json:"duration"`
	Critical    []CriticalStep `json:"critical,omitempty"`
}

// The stable names of the kinds.
const (
	KindRunStarted      = "run_started"
	KindStepStarted     = "step_started"
	KindStepProgress    = "step_progress"
	KindStepDone        = "step_done"
	KindStepFailed      = "step_failed"
	KindStepInterrupted = "step_interrupted"
	KindStepSkipped     = "step_skipped"
	KindHeartbeat       = "heartbeat"
	KindStopping        = "stopping"
	KindNote            = "note"
	KindRunDone         = "run_done"
)

// Kind implements Body.
func (RunStarted) Kind() string { return KindRunStarted }

// Kind implements Body.
func (StepStarted) Kind() string { return KindStepStarted }

// Kind implements Body.
func (StepProgress) Kind() string { return KindStepProgress }

// Kind implements Body.
func (StepDone) Kind() string { return KindStepDone }

// Kind implements Body.
func (StepFailed) Kind() string { return KindStepFailed }

// Kind implements Body.
func (StepInterrupted) Kind() string { return KindStepInterrupted }

// Kind implements Body.
func (StepSkipped) Kind() string { return KindStepSkipped }

// Kind implements Body.
func (Heartbeat) Kind() string { return KindHeartbeat }

// Kind implements Body.
func (Stopping) Kind() string { return KindStopping }

// Kind implements Body.
func (Note) Kind() string { return KindNote }

// Kind implements Body.
func (RunDone) Kind() string { return KindRunDone }
