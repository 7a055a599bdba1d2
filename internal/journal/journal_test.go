package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

func header(t *testing.T) Header {
	t.Helper()
	p, err := plan.New("prod", "apply", []plan.Step{{ID: "etcd@a", Host: "a", Title: "start etcd"}})
	if err != nil {
		t.Fatal(err)
	}
	return Header{
		RunID: "4f2a", Cluster: "prod", Verb: "apply", Plan: p,
		Started: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
	}
}

func events() []event.Event {
	at := time.Date(2026, 11, 21, 8, 0, 1, 42, time.UTC)
	return []event.Event{
		{Time: at, Body: event.Note{Text: "connecting to 6 hosts"}},
		{Time: at.Add(time.Second), Body: event.StepFailed{ID: "etcd@a", Host: "a", Error: "two\nlines"}},
		{Time: at.Add(2 * time.Second), Body: event.RunDone{Counts: event.Counts{Failed: 1}}},
	}
}

func fail(t *testing.T) func(error) {
	return func(err error) { t.Errorf("unexpected warning: %v", err) }
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "prod")
	j, err := Open(dir, header(t), fail(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events() {
		j.Send(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "20261121T080000.000Z-4f2a.jsonl"); j.Path() != want {
		t.Errorf("path %s, want %s", j.Path(), want)
	}
	for path, mode := range map[string]os.FileMode{dir: os.ModeDir | 0o700, j.Path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, mode %v, want %v", path, err, info.Mode(), mode)
		}
	}
	run, err := Read(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := Run{Header: header(t), Events: events()}
	want.Header.Format = format
	if d := cmp.Diff(want, run, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("read back (-want +got):\n%s", d)
	}
	if done, ok := run.Done(); !ok || done.Counts.Failed != 1 {
		t.Errorf("the run's end is %+v, %v", done, ok)
	}
}

// However short a kill cuts the file, everything before the cut is read.
func TestReadAnyTornFile(t *testing.T) {
	j, err := Open(t.TempDir(), header(t), fail(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events() {
		j.Send(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.IndexByte(whole, '\n') + 1
	for n := head; n <= len(whole); n++ {
		run, err := decode(bytes.NewReader(whole[:n]))
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		lines := bytes.Count(whole[head:n], []byte("\n"))
		if len(run.Events) != lines && (len(run.Events) != lines+1 || run.Torn) {
			t.Errorf("cut at %d: %d events of %d whole lines, torn %v", n, len(run.Events), lines, run.Torn)
		}
		if run.Damaged != 0 {
			t.Errorf("cut at %d: %d lines called damaged", n, run.Damaged)
		}
	}
	for n := range head - 1 {
		if _, err := decode(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("half a header (%d bytes) is read without an error", n)
		}
	}
}

func TestReadSkipsDamageAndUnknownKinds(t *testing.T) {
	run, err := decode(strings.NewReader(`{"format":1,"run":"x"}
{"kind":"note","time":"2026-01-01T00:00:00Z","text":"a"}
{"kind":"no{"kind":"note"
{"kind":"from_the_future","time":"2026-01-01T00:00:00Z","x":1}
{"kind":"note","time":"2026-01-01T00:00:00Z","text":"b"}
`))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range run.Events {
		kinds = append(kinds, e.Body.Kind())
	}
	if d := cmp.Diff([]string{"note", "from_the_future", "note"}, kinds); d != "" || run.Damaged != 1 || run.Torn {
		t.Errorf("damaged %d, torn %v, kinds (-want +got):\n%s", run.Damaged, run.Torn, d)
	}
}

func TestReadRefusesOtherFiles(t *testing.T) {
	for content, want := range map[string]string{
		"":                       "empty",
		"\n":                     "header",
		"hello\n":                "header",
		`{"format":9}`:           "newer",
		`{"kind":"note"}` + "\n": "header",
	} {
		if _, err := decode(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", content, err, want)
		}
	}
}

// A full disk: the run goes on, there is one warning, and the file stays
// whole lines. RLIMIT_FSIZE would end the test process, so /dev/full plays the disk.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	var warnings []error
	j, err := Open(t.TempDir(), header(t), func(err error) { warnings = append(warnings, err) })
	if err != nil {
		t.Fatal(err)
	}
	disk := j.file
	j.Send(events()[0])
	j.file = full
	j.Send(events()[1])
	j.Send(events()[1])
	if len(warnings) != 1 || !errors.Is(warnings[0], syscall.ENOSPC) || !strings.Contains(warnings[0].Error(), j.Path()) {
		t.Errorf("warnings %v, want one that says no space and where", warnings)
	}
	j.file = disk // space again
	j.Send(events()[2])
	if err := errors.Join(j.Close(), full.Close()); err != nil {
		t.Fatal(err)
	}
	run, err := Read(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Event{events()[0], {Time: events()[2].Time, Body: event.Note{Text: "the journal lost 2 events before this one"}}, events()[2]}
	if d := cmp.Diff(want, run.Events); d != "" || run.Torn || run.Damaged != 0 {
		t.Errorf("torn %v, damaged %d, events (-want +got):\n%s", run.Torn, run.Damaged, d)
	}
}

func TestOpenKeepsTheLast50(t *testing.T) {
	dir := t.TempDir()
	for i := range 55 {
		h := header(t)
		h.RunID, h.Plan = fmt.Sprintf("run%02d", i), nil
		h.Started = h.Started.Add(time.Duration(i) * time.Minute)
		j, err := Open(dir, h, fail(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "0-notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	paths, err := List(dir)
	if err != nil || len(paths) != 50 {
		t.Fatalf("%d journals kept, want 50 (%v)", len(paths), err)
	}
	if !strings.HasSuffix(paths[0], "run05.jsonl") || !strings.HasSuffix(paths[49], "run54.jsonl") {
		t.Errorf("kept %s to %s, want the newest", paths[0], paths[49])
	}
	if _, err := os.Stat(filepath.Join(dir, "0-notes.txt")); err != nil {
		t.Errorf("a file that is no journal was removed: %v", err)
	}
}

func TestDir(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	t.Setenv("HOME", "/home/op")
	for cluster, want := range map[string]string{
		"prod":    "/state/quorate/runs/prod",
		"../../x": "/state/quorate/runs/.._.._x",
		"..":      "/state/quorate/runs/_..",
		"":        "/state/quorate/runs/_",
	} {
		if got, err := Dir(cluster); got != want || err != nil {
			t.Errorf("Dir(%q) = %s, %v; want %s", cluster, got, err, want)
		}
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	if got, _ := Dir("prod"); got != "/home/op/.local/state/quorate/runs/prod" {
		t.Errorf("with a relative XDG_STATE_HOME: %s", got)
	}
	if paths, err := List("/state/nowhere"); err != nil || len(paths) != 0 {
		t.Errorf("a folder that isn't there: %v, %v", paths, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1}` + "\n" + `{"kind":"step_done","time":"2026-01-01T00:00:00Z","duration":1.5}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		run, err := decode(bytes.NewReader(b))
		if err == nil && run.Header.Format != format {
			t.Errorf("accepted format %d", run.Header.Format)
		}
	})
}
