package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/event"
)

func TestReadEvents(t *testing.T) {
	start := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	critical := []event.CriticalStep{{ID: "x@a", Host: "a", Title: "do x", Duration: event.Seconds(3 * time.Second)}}
	var in bytes.Buffer
	for _, e := range []struct {
		at   time.Duration
		body event.Body
	}{
		{0, event.RunStarted{RunID: "4f", Verb: "apply", Cluster: "c"}},
		{time.Second, event.StepStarted{ID: "x@a", Host: "a", Title: "do x", Phase: event.PhaseCheck}},
		{2 * time.Second, event.StepStarted{ID: "x@a", Host: "a", Title: "do x", Phase: event.PhaseApply}},
		{3 * time.Second, event.StepProgress{ID: "x@a", Host: "a", Message: "m"}},
		{4 * time.Second, event.StepDone{ID: "x@a", Host: "a", Title: "do x", Changed: true, Duration: event.Seconds(3 * time.Second)}},
		{5 * time.Second, event.RunDone{OK: true, Counts: event.Counts{Changed: 1}, Duration: event.Seconds(5 * time.Second), Critical: critical}},
	} {
		line, err := json.Marshal(event.Event{Time: start.Add(e.at), Body: e.body})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	whole := in.String()
	got, err := readEvents(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := event.Result{
		RunID: "4f", Verb: "apply", Cluster: "c", Started: start, Duration: event.Seconds(5 * time.Second),
		Counts: event.Counts{Changed: 1}, Critical: critical,
		Steps: []event.StepResult{{
			ID: "x@a", Host: "a", Title: "do x", Outcome: event.OutcomeChanged,
			Start: event.Seconds(time.Second), Duration: event.Seconds(3 * time.Second),
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("result (-want +got):\n%s", d)
	}
	cut, _, _ := strings.Cut(whole, `{"kind":"run_done"`)
	if _, err := readEvents(strings.NewReader(cut)); err == nil {
		t.Error("a run without an end was taken for a whole one")
	}
	if _, err := readEvents(strings.NewReader(whole + "warning: x")); err == nil {
		t.Error("text among the events was taken for an event")
	}
}

func TestHighWater(t *testing.T) {
	for status, want := range map[string]int64{
		"Name:\tquorate\nVmPeak:\t 1267676 kB\nVmHWM:\t   98304 kB\nVmRSS:\t   51200 kB\n": 98304 << 10,
		"Name:\tquorate\nState:\tZ (zombie)\n":                                             0,
		"VmHWM:\tmuch kB\n":                                                                0,
	} {
		if got := highWater(status); got != want {
			t.Errorf("highWater(%q) = %d, want %d", status, got, want)
		}
	}
}

func TestParsePhase(t *testing.T) {
	got, err := parsePhase("phase 7.250 kubeadm init on cp-1")
	if err != nil || got.what != "kubeadm init on cp-1" || got.took != 7250*time.Millisecond {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{"", "phase", "phase 7", "phase x y", "error 1 y"} {
		if p, err := parsePhase(line); err == nil {
			t.Errorf("%q was taken for the phase %+v", line, p)
		}
	}
}

func TestLastReady(t *testing.T) {
	node := func(status, at string) string {
		return `{"metadata":{"name":"n"},"status":{"conditions":[{"type":"DiskPressure","status":"True","lastTransitionTime":"2026-11-21T09:00:00Z"},` +
			`{"type":"Ready","status":"` + status + `","lastTransitionTime":"` + at + `"}]}}`
	}
	list := func(nodes ...string) []byte { return []byte(`{"items":[` + strings.Join(nodes, ",") + `]}`) }
	early, late := "2026-11-21T08:00:01Z", "2026-11-21T08:00:09Z"
	got, err := lastReady(list(node("True", late), node("True", early)), 2)
	if err != nil || got.Format(time.RFC3339) != late {
		t.Errorf("%s, %v; want %s", got, err, late)
	}
	if _, err := lastReady(list(node("True", early), node("False", late)), 2); err == nil {
		t.Error("a node that is not Ready went unnoticed")
	}
	if _, err := lastReady(list(node("True", early)), 2); err == nil {
		t.Error("a missing node went unnoticed")
	}
}

func TestMedian(t *testing.T) {
	s := func(list ...time.Duration) []time.Duration { return list }
	for _, c := range []struct {
		list []time.Duration
		want time.Duration
	}{{s(7), 7}, {s(9, 1, 5), 5}, {s(1, 9, 5, 3), 4}} {
		if got := median(c.list); got != c.want {
			t.Errorf("median(%v) = %d, want %d", c.list, got, c.want)
		}
	}
}

// TestTimes fixes what the figures are compared as: run by run, the minima
// with each other, and the medians.
func TestTimes(t *testing.T) {
	ours := []quorateRun{{apply: process{took: 20 * time.Second}}, {apply: process{took: 30 * time.Second}}}
	theirs := []referenceRun{
		{took: 80 * time.Second, addons: phase{took: 20 * time.Second}},
		{took: 60 * time.Second, addons: phase{took: 5 * time.Second}},
	}
	got := strings.Split(times(ours, theirs), "\n")
	for i, want := range []string{
		"RUN 1 RUN 2 MIN MEDIAN",
		"20.0 s 30.0 s 20.0 s 25.0 s",
		"80.0 s 60.0 s 60.0 s 70.0 s",
		"a/b 0.25 0.50 0.33 0.36",
		"100.0 s 65.0 s 65.0 s 82.5 s",
		"a/b' 0.20 0.46 0.31 0.30",
	} {
		if line := strings.Join(strings.Fields(got[i]), " "); !strings.HasSuffix(line, want) {
			t.Errorf("line %d is %q, want it to end in %q", i, line, want)
		}
	}
}

func TestUsageOf(t *testing.T) {
	got, err := usageOf("usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n")
	if err != nil || got != 2500*time.Millisecond {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := usageOf("user_usec 1\n"); err == nil {
		t.Error("a cpu.stat without usage_usec was read")
	}
}
