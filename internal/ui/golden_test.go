package ui

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/golden"
	"github.com/quorate/quorate/internal/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// check compares got with testdata/<name>.golden.
func check(t *testing.T, name, got string) {
	t.Helper()
	golden.Check(t, filepath.Join("testdata", name+".golden"), got)
}

// t0 is when the scripts of the tests begin.
var t0 = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// at is an event some seconds after t0.
func at(seconds float64, b event.Body) event.Event {
	return event.Event{Time: t0.Add(time.Duration(seconds * float64(time.Second))), Body: b}
}

func seconds(f float64) event.Seconds { return event.Seconds(f * float64(time.Second)) }

// samplePlan has three hosts alike, one of its own, one with a wide name, and
// steps on the cluster.
func samplePlan(t testing.TB) *plan.Plan {
	t.Helper()
	var steps []plan.Step
	for _, h := range []string{"cp-1", "cp-2", "cp-3"} {
		steps = append(steps,
			plan.Step{ID: plan.On("os/swap", h), Host: h, Title: "turn swap off", Why: "/dev/sda2 is in use as swap"},
			plan.Step{
				ID: plan.On("os/sysctl", h), Host: h, Title: "set the kernel's settings",
				Why: "/etc/sysctl.d/90-quorate.conf differs",
				Changes: []plan.Change{{
					What: "/etc/sysctl.d/90-quorate.conf", Action: "update",
					Diff: "--- /etc/sysctl.d/90-quorate.conf\n+++ /etc/sysctl.d/90-quorate.conf\n@@ -1,1 +1,2 @@\n net.ipv4.ip_forward = 1\n+vm.overcommit_memory = 1\n",
				}},
			},
			plan.Step{ID: plan.On("containerd/install", h), Host: h, Title: "install containerd 2.1.4", Why: "not there", Needs: []plan.ID{plan.On("os/swap", h)}},
			plan.Step{
				ID: plan.On("etcd/member", h), Host: h, Title: "start the etcd member", Why: "not running",
				Needs: []plan.ID{plan.On("containerd/install", h)},
				Changes: []plan.Change{
					{What: "/etc/etcd/etcd.env", Action: "create"},
					{What: "etcd.service", Action: "start"},
				},
			},
			plan.Step{
				ID: plan.On("controlplane/apiserver", h), Host: h, Title: "start the API server", Why: "not running",
				Needs: []plan.ID{"etcd/member@cp-1", "etcd/member@cp-2", "etcd/member@cp-3"},
			},
		)
	}
	for _, h := range []string{"node-1", "节点-2"} {
		steps = append(steps, plan.Step{ID: plan.On("worker/join", h), Host: h, Title: "join the cluster", Why: "not a node", Needs: []plan.ID{"controlplane/apiserver@cp-1"}})
	}
	steps = append(steps,
		plan.Step{ID: "endpoint/haproxy@node-1", Host: "node-1", Title: "reload HAProxy", Why: "backend cp-3 is missing", Impact: plan.ImpactReload},
		plan.Step{ID: "network/flannel", Title: "apply flannel", Why: "not there", Needs: []plan.ID{"controlplane/apiserver@cp-1"}},
		plan.Step{ID: "network/kube-proxy", Title: "update kube-proxy", Why: "its server is not the endpoint", Impact: plan.ImpactRestart, NeedsAny: []plan.ID{"controlplane/apiserver@cp-1", "endpoint/haproxy@node-1"}},
	)
	p, err := plan.New("prod", "apply", steps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanTexts(t *testing.T) {
	p := samplePlan(t)
	check(t, "plan-summary", PlanSummary(p))
	check(t, "plan-full", PlanFull(p))
	empty, err := plan.New("prod", "apply", nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "plan-empty", PlanSummary(empty)+PlanFull(empty))
}

// script is a run of samplePlan that goes wrong on one host.
func script(t testing.TB) []event.Event {
	p := samplePlan(t)
	started := event.RunStarted{RunID: "4f2a91c3", Verb: p.Verb, Cluster: p.Cluster, Digest: p.Digest()}
	for _, s := range p.Steps {
		started.Steps = append(started.Steps, event.StepInfo{ID: s.ID, Host: s.Host, Title: s.Title, Needs: s.Needs})
	}
	step := func(id plan.ID) plan.Step {
		s, ok := p.Step(id)
		if !ok {
			t.Fatalf("no step %s", id)
		}
		return s
	}
	begin := func(id plan.ID, phase event.Phase) event.Body {
		return event.StepStarted{ID: id, Host: step(id).Host, Title: step(id).Title, Phase: phase}
	}
	done := func(id plan.ID, changed bool, took float64) event.Body {
		return event.StepDone{ID: id, Host: step(id).Host, Title: step(id).Title, Changed: changed, Duration: seconds(took)}
	}
	events := []event.Event{at(0, event.Note{Text: "connecting to 5 hosts"}), at(0.6, started)}
	for i, h := range []string{"cp-1", "cp-2", "cp-3"} {
		d := float64(i) / 10
		events = append(events,
			at(0.6, begin(plan.On("os/swap", h), event.PhaseCheck)),
			at(0.7+d, done(plan.On("os/swap", h), i != 1, 0.1+d)),
			at(0.7+d, begin(plan.On("containerd/install", h), event.PhaseApply)),
			at(3.2+d, done(plan.On("containerd/install", h), true, 2.5)),
			at(3.2+d, begin(plan.On("etcd/member", h), event.PhaseApply)),
		)
	}
	slices.SortStableFunc(events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return append(events,
		at(4, event.Note{Host: "cp-2", Text: "clock is 1.2 s behind"}),
		at(5, done("etcd/member@cp-1", true, 1.8)),
		at(5.1, begin("os/sysctl@cp-1", event.PhaseApply)),
		at(5.6, event.Heartbeat{Done: 7, Total: 20}),
		at(6, event.StepProgress{ID: "etcd/member@cp-2", Host: "cp-2", Message: "waiting for https://10.0.0.3:2379/health (connect: connection refused)\x1b[2J"}),
		at(6.1, event.StepFailed{
			ID: "etcd/member@cp-3", Host: "cp-3", Title: "start the etcd member", Phase: event.PhaseApply, Duration: seconds(2.7),
			Error: "starting etcd.service: exit status 1\nbind: address already in use: 0.0.0.0:2379, and a line so long that it has to be broken in a terminal",
			Hint:  "stop what listens on port 2379, or choose another with spec.etcd.port",
		}),
		at(6.1, event.StepSkipped{ID: "controlplane/apiserver@cp-3", Host: "cp-3", Title: "start the API server", Because: "etcd/member@cp-3"}),
		at(6.1, event.StepSkipped{ID: "worker/join@node-1", Host: "node-1", Title: "join the cluster", Because: "etcd/member@cp-3"}),
		at(10.6, event.Heartbeat{Done: 10, Total: 20, Running: []event.Running{
			{ID: "x", Host: "cp-2", Title: "start the etcd member", Elapsed: seconds(7.3), Phase: event.PhaseVerify, Message: "waiting for quorum"}}}),
		at(15.6, event.Heartbeat{Done: 10, Total: 20, Running: []event.Running{
			{ID: "x", Host: "cp-2", Title: "start the etcd member", Elapsed: seconds(12.3), Phase: event.PhaseVerify, Message: "waiting for https://10.0.0.3:2379/health\n(connection refused)"},
			{ID: "y", Host: "cp-1", Title: "set the kernel's settings", Elapsed: seconds(10.5), Phase: event.PhaseCheck},
			{Host: "a", Title: "1"}, {Host: "b", Title: "2"}, {Host: "c", Title: "3"}, {Title: "4"}, {Host: "e", Title: "5"}, {Host: "f", Title: "6"}}}),
		at(70, event.Stopping{Running: 2}),
		at(70.1, event.StepInterrupted{ID: "os/sysctl@cp-1", Host: "cp-1", Title: "set the kernel's settings", Error: "context canceled", Duration: seconds(65)}),
		at(71, event.StepInterrupted{ID: "etcd/member@cp-2", Host: "cp-2", Title: "start the etcd member", Error: "context canceled", Duration: seconds(67.7)}),
		at(71, event.RunDone{Interrupted: true, Duration: seconds(70.4)}),
	)
}

func TestPlain(t *testing.T) {
	var s plainState
	text := ""
	for _, e := range script(t) {
		text += s.lines(e)
	}
	check(t, "plain", text)
}

func TestRunSummary(t *testing.T) {
	ok := event.Result{
		Cluster: "prod", Duration: seconds(83), Counts: event.Counts{Changed: 40, Unchanged: 2}, Steps: make([]event.StepResult, 42),
		Critical: []event.CriticalStep{
			{ID: "artefact/copy@cp-1", Host: "cp-1", Title: "copy Kubernetes", Duration: seconds(31.4)},
			{ID: "network/flannel", Title: "apply flannel", Start: seconds(31.4), Duration: seconds(0.26), Slot: true},
		},
	}
	check(t, "run-ok", RunSummary(ok)+CriticalPath(ok))

	failed := event.Result{
		Cluster: "prod", Duration: seconds(12.3), Counts: event.Counts{Changed: 1, Failed: 2, Skipped: 1},
		Steps: []event.StepResult{
			{ID: "etcd/member@cp-3", Host: "cp-3", Title: "start the etcd member", Outcome: event.OutcomeFailed,
				Error: "starting etcd.service: exit status 1\nbind: address already in use", Hint: "stop what listens on port 2379"},
			{ID: "network/flannel", Title: "apply flannel", Outcome: event.OutcomeFailed, Error: "forbidden\x1b]0;title\x07"},
			{ID: "a", Outcome: event.OutcomeSkipped}, {ID: "b", Outcome: event.OutcomeChanged},
		},
	}
	check(t, "run-failed", RunSummary(failed)+CriticalPath(failed))

	cut := event.Result{
		Cluster: "prod", Duration: seconds(3725), Interrupted: true, Counts: event.Counts{Interrupted: 1, NotStarted: 3},
		Steps: []event.StepResult{{ID: "etcd/member@cp-3", Host: "cp-3", Title: "start the etcd member", Outcome: event.OutcomeInterrupted}},
	}
	check(t, "run-interrupted", RunSummary(cut))
	check(t, "step-times", StepTimes(event.Result{Steps: []event.StepResult{
		{ID: "etcd/member@cp-1", Host: "cp-1", Duration: seconds(2)},
		{ID: "etcd/member@cp-2", Host: "cp-2", Duration: seconds(4)},
		{ID: "network/flannel", Duration: seconds(9.26)},
		{ID: "worker/join@node-1", Host: "node-1"},
	}}))
	check(t, "run-nothing", RunSummary(event.Result{Cluster: "prod"}))
}
