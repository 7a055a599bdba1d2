package ui

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/plan"
)

func TestPlanDifference(t *testing.T) {
	before, now := samplePlan(t), samplePlan(t)
	var kept []plan.Step
	for _, s := range now.Steps {
		switch s.ID {
		case "os/swap@cp-1":
			continue
		case "os/sysctl@cp-2":
			s.Changes = []plan.Change{{What: "/etc/sysctl.d/90-quorate.conf", Action: "create"}}
			s.Why = "/etc/sysctl.d/90-quorate.conf missing"
		case "etcd/member@cp-3":
			s.Impact = plan.ImpactRestart
		case "network/flannel":
			s.Needs = nil
		case "network/kube-proxy":
			s.Title = "update kube-proxy and its settings"
		}
		kept = append(kept, s)
	}
	kept = append(kept, plan.Step{ID: "endpoint/haproxy@node-2", Host: "node-2", Title: "reload HAProxy", Why: "backend cp-3 is missing\x1b[2J\nand more"})
	now, err := plan.New("prod", "apply", kept)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "plan-difference", PlanDifference(plan.Compare(before, now))+"\n"+PlanDifference(plan.Compare(before, before)))
}

func TestImpactOfNothingThatRuns(t *testing.T) {
	p, err := plan.New("prod", "apply", []plan.Step{{ID: "a@x", Host: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if full := PlanFull(p); !strings.Contains(full, "Worst impact: none.") {
		t.Errorf("a plan without impact does not say so:\n%s", full)
	}
}

func TestImpactIsWorstFirst(t *testing.T) {
	p, err := plan.New("prod", "apply", []plan.Step{
		{ID: "a@y", Host: "y", Impact: plan.ImpactRestart}, {ID: "b@x", Host: "x", Impact: plan.ImpactDrain}, {ID: "c@x", Host: "x", Impact: plan.ImpactRestart},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "Worst impact: DRAIN on x.\nThis plan restarts running services on x, y; moves pods away from their hosts on\nx."
	if got := impactSummary(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if full := PlanFull(p); !strings.Contains(full, "x: 2 steps [drain]") || !strings.Contains(full, "y: 1 step [restart]") {
		t.Errorf("the hosts' own impacts are not told:\n%s", full)
	}
}
