// Package component is what the parts of a cluster share: the input that
// their pure planning takes, the behaviour that a step's work has, and the
// few kinds of work that every part needs (files, services, binaries,
// packages). Each part is a package below this one, with
//
//	query.go  what it wants to know of a host     (pure)
//	plan.go   desired + observed → steps          (pure)
//	ops.go    the steps' work                     (I/O)
//
// Parts never import each other; a step names the steps it needs by ID, and
// the IDs they share are in ids.go.
package component

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/state"
)

// Input is what planning starts from.
type Input struct {
	Cluster  *cluster.Cluster
	Snapshot *state.Snapshot
	Release  catalog.Release
	// Artefacts tells what the bundle holds; nil while none was given.
	Artefacts *bundle.Manifest
	// IgnorePreflight names preflight checks whose errors refuse nothing.
	IgnorePreflight []string
}

// APIExpected reports whether some observed host has been told to run an API
// server: one that does not answer then is a failure, not a cluster that is
// not there yet.
func (in Input) APIExpected() bool {
	for _, h := range in.Cluster.ControlPlanes() {
		if f := in.Snapshot.Facts(h.Name); f != nil && f.Files[APIServerManifest].Holds() {
			return true
		}
	}
	return false
}

// Moving are the nodes that have joined and are to reach the API servers another
// way than they do, or of which it is not known how they do: control-plane hosts
// first.
func (in Input) Moving() []*cluster.Host {
	var out []*cluster.Host
	for _, h := range slices.Concat(in.Cluster.ControlPlanes(), in.Cluster.Workers()) {
		facts := in.Snapshot.Facts(h.Name)
		if facts == nil || !Joined(facts) {
			continue
		}
		if has, known := RecordedWay(facts); !known || has != cluster.WayOf(in.Cluster, h) {
			out = append(out, h)
		}
	}
	return out
}

// LeavesAPIPort reports whether some control-plane host still has a load balancer
// beside its API server, and is not to any more: the API server must share its port
// until that has ended.
func (in Input) LeavesAPIPort() bool {
	balancers := in.Cluster.Balancers()
	return slices.ContainsFunc(in.Cluster.ControlPlanes(), func(h *cluster.Host) bool {
		facts := in.Snapshot.Facts(h.Name)
		return facts != nil && !slices.Contains(balancers, h) && (facts.Files[KeepalivedUnitFile].Exists ||
			slices.Contains(BalancedPorts(facts), in.Cluster.Kubernetes.APIServerPort))
	})
}

// Unasked reports whether there is an API, and it told nothing: what it holds is not
// known then, which is not the same as absent.
func (in Input) Unasked() bool { return in.Snapshot.API == nil && in.APIExpected() }

// WhyNot is why, or that nobody knows it, since the API told nothing.
func (in Input) WhyNot(why string) string {
	if in.Unasked() {
		return "not known: the API told nothing; the step asks first"
	}
	return why
}

// Record is the digest that the cluster notes for a subject; empty where it notes
// none or was not asked.
func (in Input) Record(subject string) string {
	if in.Snapshot.API == nil {
		return ""
	}
	return in.Snapshot.API.Record[subject]
}

// WhyRecord is why the work behind a record that does not fit is done; never says
// that it was not done before.
func (in Input) WhyRecord(subject, never string) string {
	if in.Record(subject) != "" {
		return "settings differ"
	}
	return in.WhyNot(never)
}

// NewNodes are the nodes that the API does not list yet, as far as it is known.
func (in Input) NewNodes() []string {
	var out []string
	for _, h := range in.Cluster.Nodes() {
		listed := false
		if in.Snapshot.API != nil {
			_, listed = in.Snapshot.API.Nodes[h.Name]
		}
		if !listed {
			out = append(out, h.Name)
		}
	}
	return out
}

// Output collects what the parts plan.
type Output struct {
	Steps []plan.Step
	// Refusals are reasons not to go on at all, and warnings. They name host and hint.
	Refusals diag.List
}

// Add appends a step whose work is op.
func (o *Output) Add(s plan.Step, op Op) {
	s.Op = op
	o.Steps = append(o.Steps, s)
}

// Refuse notes a reason not to go on; the hint says what to do about it. A
// reason that several parts or hosts give word for word is noted once.
func (o *Output) Refuse(hint, format string, args ...any) {
	o.note(diag.SeverityError, hint, format, args...)
}

// Warn notes what people must know before they go on.
func (o *Output) Warn(hint, format string, args ...any) {
	o.note(diag.SeverityWarning, hint, format, args...)
}

func (o *Output) note(severity diag.Severity, hint, format string, args ...any) {
	summary := fmt.Sprintf(format, args...)
	for _, known := range o.Refusals {
		if known.Severity == severity && known.Summary == summary && known.Hint == hint {
			return
		}
	}
	o.Refusals = append(o.Refusals, diag.Diagnostic{Severity: severity, Summary: summary, Hint: hint})
}

// Op is the work of a step. Say tells people what is being waited for. Applying
// what is there already changes nothing, so an op need not look before.
type Op interface {
	Apply(ctx context.Context, rt *Runtime, say func(string)) error
}

// Checker is an Op that answers first whether there is nothing to do: the plan may
// have been made when less was known.
type Checker interface {
	Check(ctx context.Context, rt *Runtime, say func(string)) (done bool, err error)
}

// Verifier is an Op that waits, with the context's deadline, until the work took.
type Verifier interface {
	Verify(ctx context.Context, rt *Runtime, say func(string)) error
}

// Runtime is what the ops work with during one run.
type Runtime struct {
	Cluster *cluster.Cluster
	Release catalog.Release
	Bundle  *bundle.Bundle
	// Hosts are the connected hosts, by name.
	Hosts map[string]*host.Host
	// Notes takes what a step found and went on in spite of; nil drops it. Unlike
	// progress it stays: in the log, the journal and the JSON of the run.
	Notes func(host, text string)

	mu      sync.Mutex
	kube    *kube.Client
	kubeWas time.Time // when kube was last seen ready
}

// kubeFresh is how long a client that was ready is used without being asked
// again: waits look several times a second.
const kubeFresh = 2 * time.Second

// Note tells of something that a step went on in spite of.
func (rt *Runtime) Note(host, text string) {
	if rt.Notes != nil {
		rt.Notes(host, text)
	}
}

// Host returns the handle of a connected host.
func (rt *Runtime) Host(name string) (*host.Host, error) {
	h, ok := rt.Hosts[name]
	if !ok {
		return nil, fmt.Errorf("%s: not connected", name)
	}
	return h, nil
}

// Kube returns a client of the API, through the first control-plane host
// whose API server answers. The client is kept while it answers.
func (rt *Runtime) Kube(ctx context.Context) (*kube.Client, error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.kube != nil {
		if time.Since(rt.kubeWas) < kubeFresh {
			return rt.kube, nil
		}
		if rt.kube.Ready(ctx) == nil {
			rt.kubeWas = time.Now()
			return rt.kube, nil
		}
	}
	var candidates []*host.Host
	for _, h := range rt.Cluster.ControlPlanes() {
		if handle, ok := rt.Hosts[h.Name]; ok {
			candidates = append(candidates, handle)
		}
	}
	client, err := kube.First(ctx, candidates, kube.Endpoint(rt.Cluster))
	if err != nil {
		return nil, err
	}
	rt.kube, rt.kubeWas = client, time.Now()
	return client, nil
}

// Executor runs the ops of a plan's steps; it is what the engine is given.
type Executor struct{ *Runtime }

// Check implements the engine's Executor.
func (x Executor) Check(ctx context.Context, s plan.Step, say func(string)) (bool, error) {
	op, err := opOf(s)
	if checker, ok := op.(Checker); ok {
		return checker.Check(ctx, x.Runtime, say)
	}
	return false, err
}

// Apply implements the engine's Executor.
func (x Executor) Apply(ctx context.Context, s plan.Step, say func(string)) error {
	op, err := opOf(s)
	if err != nil {
		return err
	}
	return op.Apply(ctx, x.Runtime, say)
}

// Verify implements the engine's Executor.
func (x Executor) Verify(ctx context.Context, s plan.Step, say func(string)) error {
	op, err := opOf(s)
	if verifier, ok := op.(Verifier); ok {
		return verifier.Verify(ctx, x.Runtime, say)
	}
	return err
}

func opOf(s plan.Step) (Op, error) {
	op, ok := s.Op.(Op)
	if !ok {
		return nil, fmt.Errorf("step %s has no work (a plan that was read from a file is shown, never run)", s.ID)
	}
	return op, nil
}
