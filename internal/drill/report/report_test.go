package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/golden"
	"github.com/quorate/quorate/internal/probe"
	"github.com/quorate/quorate/internal/ui"
)

const second = time.Second

// sample is a run of two drills: one within its budget, one not, with a write
// lost.
func sample() drill.Record {
	figure := func(view string, kind probe.Kind, gap time.Duration, asked, failed int, limit time.Duration) drill.Figure {
		return drill.Figure{Viewpoint: view, Kind: kind, Limit: limit, Stats: probe.Stats{Asked: asked, Succeeded: asked - failed, Gap: probe.Gap{Length: gap}, Late: 3 * time.Millisecond}}
	}
	r := drill.Record{
		Format: 1, RunID: "3f2a91cc", Cluster: "prod <&>", Tool: "quorate v1", Kubernetes: "v1.37.1", Endpoint: "localhost", Lab: true,
		Hosts: []string{"cp-1 (control-plane, etcd)", "worker-1 (worker)"}, Started: time.Date(2026, 11, 21, 11, 30, 0, 0, time.UTC), Length: 60 * second, Every: 100 * time.Millisecond,
		Faults: []drill.FaultRecord{
			{Drill: "etcd-killed", About: "etcd is killed", Targets: []string{"cp-1"}, Budget: drill.Budget{Gap: map[probe.Kind]time.Duration{drill.AnyKind: 5 * second}},
				Injected: 5 * second, Undone: 17 * second, Healthy: 18 * second, Takeovers: map[string]time.Duration{"etcd": 1200 * time.Millisecond},
				Figures: []drill.Figure{figure("operator", probe.Read, 1300*time.Millisecond, 130, 12, 5*second), figure("operator", probe.Write, 1400*time.Millisecond, 130, 13, 5*second)}, OK: true},
			{Drill: "host-frozen", About: "the host stands still", Targets: []string{"worker-1"}, Budget: drill.Budget{Gap: map[probe.Kind]time.Duration{drill.AnyKind: 8 * second}},
				Injected: 22 * second, Undone: 42 * second, Figures: []drill.Figure{figure("operator", probe.Watch, 9*second, 300, 90, 8*second)},
				Why: []string{"watch from operator: nothing succeeded for 9s; the budget is 8s", "the cluster was not healthy again within 1m0s"}},
		},
		Marks: []drill.Mark{{At: 5 * second, Kind: "fault", Text: "etcd-killed cp-1"}, {At: 6200 * time.Millisecond, Kind: "leader", Text: "etcd: cp-1 → cp-2"}, {At: 17 * second, Kind: "undone", Text: "etcd-killed cp-1"}},
		Verdict: drill.Verdict{Writes: 500, Acknowledged: 480, Rejected: 2, Unanswered: 18, Swaps: 30, Looks: 600, Watched: 1400, Lost: 1,
			Violations: []drill.Violation{{Kind: "lost", Client: "operator", Key: "operator-000123", Text: "acknowledged at 6s with revision 812, and not there in the end"}}},
		Notes: []string{"nothing is seen from a pod"},
		Error: "the cluster is not healthy after host-frozen worker-1",
	}
	s := drill.SeriesRecord{Viewpoint: "operator", Kind: probe.Read, Bucket: second, Stats: probe.Stats{Asked: 600, Succeeded: 580, Failures: map[probe.Outcome]int{probe.TimedOut: 20}}}
	for i := range 60 {
		b := drill.Bucket{OK: 10, Max: time.Duration(i*10+5) * time.Millisecond}
		switch {
		case i == 5:
			b = drill.Bucket{OK: 3, Failed: 7, Max: 800 * time.Millisecond}
		case i == 6:
			b = drill.Bucket{Failed: 10}
		case i == 7:
			b = drill.Bucket{}
		}
		s.Buckets = append(s.Buckets, b)
	}
	r.Series = append(r.Series, s)
	return r
}

func TestReports(t *testing.T) {
	r := sample()
	golden.Check(t, "testdata/report.txt", Text(r, ui.Look{Unicode: true}))
	golden.Check(t, "testdata/report-ascii.txt", Text(r, ui.Look{}))
	golden.Check(t, "testdata/list.txt", List([]drill.Record{r}))
	undone := sample()
	undone.Faults = undone.Faults[:1]
	undone.Faults[0].NotDone = true // counts nowhere
	golden.Check(t, "testdata/track-record.md", TrackRecord([]drill.Record{r, undone}))
	better := sample()
	better.RunID, better.Faults = "91cc0000", better.Faults[:1]
	better.Faults[0].Figures = better.Faults[0].Figures[:1]
	golden.Check(t, "testdata/compare.txt", Compare(r, better))
	page, err := HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.html", string(page))
}

// The page needs nothing from elsewhere, what hosts and files say cannot
// become markup, and its parts are closed.
func TestPageStandsAlone(t *testing.T) {
	page, err := HTML(sample())
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, bad := range []string{"http://", "https://", "<script", "<link", "@import", "url(", "prod <&>"} {
		if strings.Contains(text, bad) {
			t.Errorf("it holds %q", bad)
		}
	}
	for _, want := range []string{"prefers-color-scheme:dark", "@media print", "operator-000123", "<title>0:06: 10 of 10 failed</title>"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	start := strings.Index(text, "<svg")
	svg := xml.NewDecoder(strings.NewReader(text[start : strings.Index(text, "</svg>")+6]))
	for {
		if _, err := svg.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the drawing is not well-formed: %v", err)
		}
	}
}

// What is wrong a thousand times makes no page of a thousand lines.
func TestPageOfManyViolations(t *testing.T) {
	r := sample()
	for i := range 1000 {
		r.Verdict.Violations = append(r.Verdict.Violations, drill.Violation{Kind: "lost", Key: fmt.Sprintf("key-%04d", i)})
	}
	text, err := HTML(r)
	if err != nil || !strings.Contains(string(text), "And 901 more") || strings.Contains(string(text), "key-0500") || !strings.Contains(string(text), "key-0050") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if len(r.Verdict.Violations) != 1001 {
		t.Error("the record was changed")
	}
}

// A record that was kept is shown as before it was.
func TestRecordsSurviveKeeping(t *testing.T) {
	r := sample()
	dir := t.TempDir()
	path, err := drill.Save(dir, r, drill.History{Operations: []drill.Operation{{Key: "operator-000123"}}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := drill.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, read); diff != "" {
		t.Error(diff)
	}
	if all, err := drill.List(dir); err != nil || len(all) != 1 || all[0] != path {
		t.Errorf("the folder has %v: %v", all, err)
	}
	text, err := os.ReadFile(drill.HistoryPath(path))
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), "operator-000123") {
		t.Errorf("the history is not kept: %v", err)
	}
}
