package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(p *Plan) []ID {
	var out []ID
	for _, s := range p.Steps {
		out = append(out, s.ID)
	}
	return out
}

func TestNewOrdersAndCleansNeeds(t *testing.T) {
	p, err := New("prod", "apply", []Step{
		{ID: "api@a", Host: "a", Needs: []ID{"etcd@a", "gone@a", "etcd@a"}},
		{ID: "swap@a", Host: "a"},
		{ID: "etcd@a", Host: "a", Impact: ImpactRestart},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ID{"etcd@a", "api@a", "swap@a"}, ids(p)); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	api, _ := p.Step("api@a")
	if d := cmp.Diff([]ID{"etcd@a"}, api.Needs); d != "" {
		t.Errorf("needs (-want +got):\n%s", d)
	}
	if api.Impact != ImpactNone || p.Impact() != ImpactRestart {
		t.Errorf("impact of the step %q, of the plan %q", api.Impact, p.Impact())
	}
}

func TestNewLeavesTheCallersNeedsAlone(t *testing.T) {
	needs := []ID{"b", "gone", "a"}
	if _, err := New("prod", "apply", []Step{{ID: "a"}, {ID: "b"}, {ID: "c", Needs: needs}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ID{"b", "gone", "a"}, needs); d != "" {
		t.Errorf("the caller's slice was changed:\n%s", d)
	}
}

func TestNewRefusesDefects(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []Step
		want  string
	}{
		{"twice", []Step{{ID: "a"}, {ID: "a"}}, "two steps are called a"},
		{"itself", []Step{{ID: "a", Needs: []ID{"a"}}}, "circle"},
		{"circle", []Step{{ID: "a", Needs: []ID{"b"}}, {ID: "b", Needs: []ID{"c"}}, {ID: "c", Needs: []ID{"a"}}}, "[a b c a]"},
	} {
		if _, err := New("prod", "apply", tt.steps); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// Any acyclic graph, in any order given, comes out with needs before dependents.
func TestNewOrdersAnyGraph(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		steps := make([]Step, 1+r.IntN(40))
		for i := range steps {
			steps[i].ID = ID(fmt.Sprint(i))
			for j := range i {
				if r.IntN(5) == 0 {
					steps[i].Needs = append(steps[i].Needs, ID(fmt.Sprint(j)))
				}
				if r.IntN(10) == 0 {
					steps[i].NeedsAny = append(steps[i].NeedsAny, ID(fmt.Sprint(j)))
				}
			}
		}
		r.Shuffle(len(steps), func(a, b int) { steps[a], steps[b] = steps[b], steps[a] })
		p, err := New("prod", "apply", slices.Clone(steps))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Steps) != len(steps) {
			t.Fatalf("seed %d: %d steps in, %d out", seed, len(steps), len(p.Steps))
		}
		seen := map[ID]bool{}
		for _, s := range p.Steps {
			for _, need := range slices.Concat(s.Needs, s.NeedsAny) {
				if !seen[need] {
					t.Fatalf("seed %d: %s comes before %s, which it needs", seed, s.ID, need)
				}
			}
			seen[s.ID] = true
		}
	}
}

func TestDigestIsOfWhatIsReviewed(t *testing.T) {
	digest := func(why string, op any) string {
		p, err := New("prod", "apply", []Step{{ID: "a", Why: why, Op: op}})
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	if digest("x", 1) != digest("x", 2) {
		t.Error("the operation, which no reviewer sees, is part of the digest")
	}
	if digest("x", 1) == digest("y", 1) {
		t.Error("plans that read differently have the same digest")
	}
}

func TestHostsAndIDs(t *testing.T) {
	p, err := New("prod", "apply", []Step{{ID: "n"}, {ID: On("x", "b"), Host: "b"}, {ID: On("x", "a"), Host: "a"}, {ID: On("y", "a"), Host: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a", "b"}, p.Hosts()); d != "" {
		t.Error(d)
	}
	if On("x", "") != "x" || On("etcd/member", "cp-2").Subject() != "etcd/member" || ID("x").Subject() != "x" {
		t.Error("IDs are put together or taken apart wrongly")
	}
}
