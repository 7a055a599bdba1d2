package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/plan"
)

// samples has one event of each kind, every field set, with its exact JSON:
// the names are an interface that programs rely on.
var samples = []struct {
	body Body
	json string
}{
	{RunStarted{RunID: "4f", Verb: "apply", Cluster: "prod", Digest: "ab", Steps: []StepInfo{{ID: "x@a", Host: "a", Title: "do x", Needs: []plan.ID{"y"}}}},
		`{"kind":"run_started","time":"2026-11-21T08:00:00.000000042Z","run":"4f","verb":"apply","cluster":"prod","digest":"ab","steps":[{"id":"x@a","host":"a","title":"do x","needs":["y"]}]}`},
	{StepStarted{ID: "x@a", Host: "a", Title: "do x", Phase: PhaseApply},
		`{"kind":"step_started","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","title":"do x","phase":"apply"}`},
	{StepProgress{ID: "x@a", Host: "a", Message: "m"},
		`{"kind":"step_progress","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","message":"m"}`},
	{StepDone{ID: "x@a", Host: "a", Title: "do x", Changed: true, Duration: Seconds(1500 * time.Millisecond)},
		`{"kind":"step_done","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","title":"do x","changed":true,"duration":1.5}`},
	{StepFailed{ID: "x@a", Host: "a", Title: "do x", Phase: PhaseVerify, Error: "e", Hint: "h", Stack: "s", Duration: Seconds(time.Second)},
		`{"kind":"step_failed","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","title":"do x","phase":"verify","error":"e","hint":"h","stack":"s","duration":1}`},
	{StepInterrupted{ID: "x@a", Host: "a", Title: "do x", Error: "context canceled", Duration: Seconds(time.Microsecond)},
		`{"kind":"step_interrupted","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","title":"do x","error":"context canceled","duration":0.000001}`},
	{StepSkipped{ID: "x@a", Host: "a", Title: "do x", Because: "y@b"},
		`{"kind":"step_skipped","time":"2026-11-21T08:00:00.000000042Z","id":"x@a","host":"a","title":"do x","because":"y@b"}`},
	{Heartbeat{Done: 1, Total: 2, Running: []Running{{ID: "x@a", Host: "a", Title: "do x", Phase: PhaseCheck, Elapsed: Seconds(time.Minute), Message: "m"}}},
		`{"kind":"heartbeat","time":"2026-11-21T08:00:00.000000042Z","done":1,"total":2,"running":[{"id":"x@a","host":"a","title":"do x","phase":"check","elapsed":60,"message":"m"}]}`},
	{Stopping{Running: 3}, `{"kind":"stopping","time":"2026-11-21T08:00:00.000000042Z","running":3}`},
	{Note{Host: "a", Text: "t"}, `{"kind":"note","time":"2026-11-21T08:00:00.000000042Z","host":"a","text":"t"}`},
	{RunDone{OK: true, Interrupted: true, Counts: Counts{1, 2, 3, 4, 5, 6}, Duration: Seconds(90 * time.Second), Critical: []CriticalStep{{ID: "x", Host: "a", Title: "do x", Start: Seconds(time.Second), Duration: Seconds(time.Second), Slot: true}}},
		`{"kind":"run_done","time":"2026-11-21T08:00:00.000000042Z","ok":true,"interrupted":true,"counts":{"changed":1,"unchanged":2,"failed":3,"skipped":4,"interrupted":5,"not_started":6},"duration":90,"critical":[{"id":"x","host":"a","title":"do x","start":1,"duration":1,"slot":true}]}`},
}

func TestJSON(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 42, time.UTC)
	for _, tt := range samples {
		t.Run(tt.body.Kind(), func(t *testing.T) {
			got, err := json.Marshal(Event{Time: at, Body: tt.body})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.json, string(got)); d != "" {
				t.Errorf("JSON (-want +got):\n%s", d)
			}
			var back Event
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(Event{Time: at, Body: tt.body}, back); d != "" {
				t.Errorf("read back (-want +got):\n%s", d)
			}
			for v, i := reflect.ValueOf(tt.body), 0; i < v.NumField(); i++ {
				if v.Field(i).IsZero() {
					t.Errorf("the sample leaves out %s", v.Type().Field(i).Name)
				}
			}
		})
	}
}

func TestUnknownKindIsKept(t *testing.T) {
	const line = `{"kind":"future","time":"2026-11-21T08:00:00Z","x":[1]}`
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(e)
	if err != nil || string(got) != line {
		t.Errorf("written again: %s, %v", got, err)
	}
}

func TestBadJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"time":"2026-11-21T08:00:00Z"}`:                            "no kind",
		`{"kind":"note","time":"yesterday"}`:                         "yesterday",
		`{"kind":"note","time":"2026-11-21T08:00:00Z","text":7}`:     "event note",
		`{"kind":"step_done","duration":"1s"}`:                       "number of seconds",
		`{"kind":"step_done","time":"2026-11-21T08:00:00Z","id":{}}`: "event step_done",
	} {
		var e Event
		if err := json.Unmarshal([]byte(in), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", in, err, want)
		}
	}
	if _, err := json.Marshal(Event{}); err == nil {
		t.Error("an event without a body was written")
	}
}

// Fan lets sinks without locks be used from many goroutines: the race
// detector and the equal order tell.
func TestFan(t *testing.T) {
	var one, two []string
	record := func(to *[]string) Sink {
		return func(e Event) { *to = append(*to, e.Body.(Note).Text) }
	}
	sink := Fan(record(&one), nil, Discard, record(&two))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				sink.Notef("from %d", i)
			}
		})
	}
	wg.Wait()
	if len(one) != 800 {
		t.Errorf("%d events, want 800", len(one))
	}
	if d := cmp.Diff(one, two); d != "" {
		t.Errorf("the sinks saw different orders:\n%s", d)
	}
}

func TestCountsAndOutcomes(t *testing.T) {
	var c Counts
	var steps []StepResult
	for _, o := range []Outcome{OutcomeChanged, OutcomeUnchanged, OutcomeFailed, OutcomeSkipped, OutcomeInterrupted, OutcomeNotStarted} {
		c.Add(o)
		steps = append(steps, StepResult{ID: plan.ID(o), Outcome: o})
	}
	if want := (Counts{1, 1, 1, 1, 1, 1}); c != want || c.Total() != 6 || c.Done() != 2 {
		t.Errorf("counts %+v, total %d, done %d", c, c.Total(), c.Done())
	}
	r := Result{Steps: steps, Counts: c}
	if f := r.Failed(); len(f) != 1 || f[0].Outcome != OutcomeFailed {
		t.Errorf("failed: %v", f)
	}
	if r.OK() {
		t.Error("a run with failures is OK")
	}
	if !(Result{Steps: steps[:2], Counts: Counts{Changed: 1, Unchanged: 1}}).OK() {
		t.Error("a run with all steps done is not OK")
	}
}

func FuzzEvent(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s.json))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		var again Event
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%s: written but not read: %v", out, err)
		}
	})
}
