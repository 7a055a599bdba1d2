package plan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB) Saved {
	t.Helper()
	p, err := New("prod", "apply", []Step{
		{ID: "os/settings@a", Host: "a", Title: "set it", Why: "differs", Changes: []Change{{What: "/etc/x", Action: "update", Diff: "--- <a> & b\n+\xff\n"}}},
		{ID: "etcd/member@a", Host: "a", Needs: []ID{"os/settings@a"}, Impact: ImpactRestart},
		{ID: "network", NeedsAny: []ID{"etcd/member@a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle := SourceOf("", []byte("manifest"))
	return Saved{
		Quorate: "v1", Made: time.Date(2026, 11, 21, 10, 0, 0, 5, time.FixedZone("here", 3600)),
		ClusterFiles: []Source{SourceOf("/home/me/cluster.yaml", []byte("spec"))}, Bundle: &bundle, Plan: p,
	}
}

func encode(t testing.TB, s Saved) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSavedComesBack(t *testing.T) {
	s := sample(t)
	data := encode(t, s)
	if !bytes.Contains(data, []byte("<a> & b")) {
		t.Errorf("the diffs are not to be read by people:\n%s", data)
	}
	got, err := DecodeSaved(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Plan.Digest() != s.Plan.Digest() {
		t.Error("the plan's digest is another one than before it was saved")
	}
	if !got.Made.Equal(s.Made) || got.Made.Location() != time.UTC {
		t.Errorf("made %s, want %s in UTC", got.Made, s.Made)
	}
	if d := cmp.Diff(s.ClusterFiles, got.ClusterFiles); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(encode(t, *got), data) {
		t.Error("saved again, it is another file")
	}
	empty, err := New("prod", "apply", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Plan, s.Bundle = empty, nil
	if got, err := DecodeSaved(encode(t, s)); err != nil || got.Bundle != nil || got.Plan.Digest() != empty.Digest() {
		t.Errorf("an empty plan does not come back: %v", err)
	}
}

func TestDecodeSavedRefuses(t *testing.T) {
	good := string(encode(t, sample(t)))
	edited := func(change func(s *Saved)) string { // with a digest that is right
		s := sample(t)
		change(&s)
		return string(encode(t, s))
	}
	for _, tt := range []struct{ name, data, want string }{
		{"nothing", "", "no saved plan"},
		{"cluster file", "apiVersion: quorate.dev/v1alpha1\n", "no saved plan"},
		{"another JSON file", `{"kind":"Cluster"}`, "no saved plan"},
		{"plan --output json", `{"cluster":"prod","verb":"apply","steps":[]}`, "no saved plan"},
		{"cut short", good[:len(good)/2], "no saved plan"},
		{"newer", strings.Replace(good, `"formatVersion": 1`, `"formatVersion": 2`, 1), "version 2"},
		{"edited", strings.Replace(good, "set it", "leave it", 1), "does not match its digest"},
		{"another cluster file", strings.Replace(good, "/home/me/", "/home/you/", 1), "does not match its digest"},
		{"another time", strings.Replace(good, "2026-11-21", "2026-11-22", 1), "does not match its digest"},
		{"no digest", strings.Replace(good, `"digest"`, `"Digest":"","digest"`, 1)[:strings.LastIndex(good, `"digest"`)] + `"digest":""}`, "does not match its digest"},
		{"more than a plan", good + "{}", "no saved plan"},
		{"unknown key", strings.Replace(good, `"quorate"`, `"force": true, "quorate"`, 1), "unknown field"},
		{"wrong type", strings.Replace(good, `"set it"`, `7`, 1), "damaged or edited"},
		{"reset", edited(func(s *Saved) { s.Plan.Verb = "reset" }), "no plan of an apply"},
		{"no cluster", edited(func(s *Saved) { s.Plan.Cluster = "" }), "no plan of an apply"},
		{"no plan", edited(func(s *Saved) { s.Plan = nil }), "no plan of an apply"},
		{"no cluster file", edited(func(s *Saved) { s.ClusterFiles = nil }), "names no cluster file"},
		{"nameless cluster file", edited(func(s *Saved) { s.ClusterFiles[0].Path = "" }), "names no cluster file"},
		{"twice the same step", edited(func(s *Saved) { s.Plan.Steps = append(s.Plan.Steps, s.Plan.Steps[0]) }), "two steps"},
		{"circle", edited(func(s *Saved) { s.Plan.Steps[0].Needs = []ID{"etcd/member@a"} }), "circle"},
		{"out of order", edited(func(s *Saved) { s.Plan.Steps[0], s.Plan.Steps[1] = s.Plan.Steps[1], s.Plan.Steps[0] }), "not in order"},
	} {
		if _, err := DecodeSaved([]byte(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if _, err := DecodeSaved(make([]byte, MaxSavedSize+1)); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("too large: error %v", err)
	}
}

func TestEncodeFailsForATimeBeyondAll(t *testing.T) {
	s := sample(t)
	s.Made = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := s.Encode(); err == nil {
		t.Error("written, though it could not be read again")
	}
}

func TestIsSaved(t *testing.T) {
	good := encode(t, sample(t))
	newer := bytes.Replace(good, []byte(`"formatVersion": 1`), []byte(`"formatVersion": 2`), 1)
	if !IsSaved(good) || !IsSaved(newer) {
		t.Error("a saved plan may not be written over by a newer one")
	}
	for _, other := range []string{"", "{}", `{"apiVersion":"quorate.dev/v1alpha1"}`, string(good[:100])} {
		if IsSaved([]byte(other)) {
			t.Errorf("%q may be written over by a plan", other)
		}
	}
}

// Whatever is read comes back as it is written, or is refused.
func FuzzDecodeSaved(f *testing.F) {
	f.Add(encode(f, sample(f)))
	f.Add([]byte(`{"formatVersion":1,"quorate":"v1","plan":{},"digest":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSaved(data)
		if err != nil {
			// One that lacks nothing but the right digest is looked at, too.
			var edited Saved
			if json.Unmarshal(data, &edited) != nil {
				return
			}
			whole, err := edited.Encode()
			if err != nil {
				return
			}
			if s, err = DecodeSaved(whole); err != nil {
				return
			}
		}
		again, err := DecodeSaved(encode(t, *s))
		if err != nil {
			t.Fatalf("it is refused when it is saved again: %v", err)
		}
		if again.Plan.Digest() != s.Plan.Digest() || !Compare(s.Plan, again.Plan).Empty() {
			t.Error("saved again, it is another plan")
		}
	})
}

func TestCompare(t *testing.T) {
	steps := func(why string, ids ...ID) *Plan {
		var list []Step
		for _, id := range ids {
			list = append(list, Step{ID: id, Why: why})
		}
		p, err := New("prod", "apply", list)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	d := Compare(steps("x", "a", "b", "c"), steps("x", "c", "d", "a"))
	var got [][]ID
	for _, list := range [][]Step{d.OnlyBefore, d.OnlyNow} {
		var names []ID
		for _, s := range list {
			names = append(names, s.ID)
		}
		got = append(got, names)
	}
	if diff := cmp.Diff([][]ID{{"b"}, {"d"}}, got); diff != "" || len(d.Changed) != 0 {
		t.Errorf("%d changed; only before, only now (-want +got):\n%s", len(d.Changed), diff)
	}
	d = Compare(steps("x", "a", "b"), steps("y", "a", "b"))
	if len(d.Changed) != 2 || d.Changed[0].Before.Why != "x" || d.Changed[0].Now.Why != "y" || d.Empty() {
		t.Errorf("two steps have another reason, told are %v", d.Changed)
	}
	if !Compare(steps("x", "a", "b"), steps("x", "b", "a")).Empty() {
		t.Error("another order is told as other steps")
	}
}
