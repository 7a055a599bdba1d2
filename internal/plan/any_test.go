package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeedsAnyIsDroppedWhenOneIsSo(t *testing.T) {
	any := []ID{"api@a", "api@b", "api@gone"}
	p, err := New("prod", "apply", []Step{{ID: "settings", NeedsAny: any}, {ID: "api@a"}, {ID: "api@b"}})
	if err != nil {
		t.Fatal(err)
	}
	settings, _ := p.Step("settings")
	if len(settings.NeedsAny) != 0 {
		t.Errorf("needs one of %v, though api@gone is no step: it is already so", settings.NeedsAny)
	}
	if d := cmp.Diff([]ID{"settings", "api@a", "api@b"}, ids(p)); d != "" {
		t.Errorf("a need that was dropped still orders (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]ID{"api@a", "api@b", "api@gone"}, any); d != "" {
		t.Errorf("the caller's slice was changed:\n%s", d)
	}
}

func TestNeedsAnyOrders(t *testing.T) {
	p, err := New("prod", "apply", []Step{{ID: "settings", NeedsAny: []ID{"api@b", "api@a"}}, {ID: "api@a"}, {ID: "api@b"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ID{"api@b", "api@a", "settings"}, ids(p)); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

func TestCirclesThroughNeedsAny(t *testing.T) {
	for _, steps := range [][]Step{
		{{ID: "a", NeedsAny: []ID{"a"}}},
		{{ID: "a", NeedsAny: []ID{"b"}}, {ID: "b", Needs: []ID{"a"}}},
		{{ID: "free"}, {ID: "a", NeedsAny: []ID{"free", "b"}}, {ID: "b", NeedsAny: []ID{"c"}}, {ID: "c", Needs: []ID{"a"}}},
	} {
		if _, err := New("prod", "apply", steps); err == nil || !strings.Contains(err.Error(), "circle") {
			t.Errorf("%v: error %v, want one about a circle", steps, err)
		}
	}
}

// What a step needs one of is shown to the reviewer, so it counts.
func TestDigestHoldsNeedsAny(t *testing.T) {
	digest := func(any ...ID) string {
		p, err := New("prod", "apply", []Step{{ID: "a"}, {ID: "b"}, {ID: "c", NeedsAny: any}})
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	if digest("a") == digest("a", "b") {
		t.Error("plans that need different steps have the same digest")
	}
}
