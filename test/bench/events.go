package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

// readEvents turns the events of a run into its result, as far as the report
// needs it: what ran when and for how long, and the critical path.
func readEvents(in io.Reader) (event.Result, error) {
	var r event.Result
	var done bool
	started := map[plan.ID]time.Time{}
	for decoder := json.NewDecoder(in); ; {
		var e event.Event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r, fmt.Errorf("reading the events of the run: %w", err)
		}
		switch body := e.Body.(type) {
		case event.RunStarted:
			r.Started, r.RunID, r.Cluster, r.Verb = e.Time, body.RunID, body.Cluster, body.Verb
		case event.StepStarted: // one for each phase of a step; the first counts
			if _, ok := started[body.ID]; !ok {
				started[body.ID] = e.Time
			}
		case event.StepDone:
			step := event.StepResult{
				ID: body.ID, Host: body.Host, Title: body.Title, Outcome: event.OutcomeUnchanged,
				Start: event.Seconds(started[body.ID].Sub(r.Started)), Duration: body.Duration,
			}
			if body.Changed {
				step.Outcome = event.OutcomeChanged
			}
			r.Steps = append(r.Steps, step)
		case event.RunDone:
			r.Duration, r.Counts, r.Critical, r.Interrupted, done = body.Duration, body.Counts, body.Critical, body.Interrupted, true
		}
	}
	if !done {
		return r, errors.New("the events of the run end before the run does")
	}
	return r, nil
}
