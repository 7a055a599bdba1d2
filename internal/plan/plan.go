// Package plan is the plan as data: steps, what each needs and changes, and
// the graph they form. It is pure: nothing here touches a host. A plan is
// made by package planner, shown to people, and walked by package engine.
package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ID names a step: a subject, and the host it is done on where there is one:
// "etcd/member@cp-2", "network/flannel".
type ID string

// On makes the ID of a step for a subject on a host; host may be empty.
func On(subject, host string) ID {
	if host == "" {
		return ID(subject)
	}
	return ID(subject + "@" + host)
}

// Subject is the part before the host.
func (id ID) Subject() string {
	s, _, _ := strings.Cut(string(id), "@")
	return s
}

// Impact is the worst that a step does to what is already running.
type Impact string

// The impacts, from harmless to harmful.
const (
	ImpactNone    Impact = "none"
	ImpactReload  Impact = "reload"  // a service re-reads its settings; connections live on
	ImpactRestart Impact = "restart" // a running service is restarted
	ImpactDrain   Impact = "drain"   // pods are moved away from the host
	ImpactDestroy Impact = "destroy" // data or a membership is removed
)

// Change is one thing a step changes, for review.
type Change struct {
	// What is a path, a unit, a package, an image or an API object.
	What string `json:"what"`
	// Action is "create", "update", "remove", "start", "restart" or "install".
	Action string `json:"action"`
	// Diff is a unified diff where What is a text file and its old content
	// is known. Files that hold secrets never have one.
	Diff string `json:"diff,omitempty"`
}

// Step is one idempotent change on one host, or on the cluster where Host is
// empty. Op carries the work; package component gives it its behaviour.
type Step struct {
	ID    ID     `json:"id"`
	Host  string `json:"host,omitempty"`
	Title string `json:"title"` // what, in the imperative: "start the etcd member"
	Why   string `json:"why"`   // what was observed: "not running"
	Needs []ID   `json:"needs,omitempty"`
	// NeedsAny are steps of which one must be done: the step starts with the
	// first of them, and is skipped when all of them fail.
	NeedsAny []ID   `json:"needsAny,omitempty"`
	Impact   Impact `json:"impact"`
	// Changes are in the order they are made.
	Changes []Change `json:"changes,omitempty"`
	// Op is opaque to this package so that plans stay data.
	Op any `json:"-"`
}

// Plan is a graph of steps. Steps are in a valid order: every step comes
// after those it needs (New sees to it).
type Plan struct {
	Cluster string `json:"cluster"`
	Verb    string `json:"verb"` // apply, reset
	Steps   []Step `json:"steps"`
}

// New orders the steps and checks the graph. Needs that name no step of the
// plan are dropped: what they ask for is already so. A duplicate ID or a
// cycle is a defect in a planner and is returned as an error.
func New(cluster, verb string, steps []Step) (*Plan, error) {
	byID := make(map[ID]int, len(steps))
	for i, s := range steps {
		if _, dup := byID[s.ID]; dup {
			return nil, fmt.Errorf("plan: two steps are called %s", s.ID)
		}
		byID[s.ID] = i
	}
	for i := range steps {
		unplanned := func(id ID) bool { _, ok := byID[id]; return !ok }
		steps[i].Needs = slices.DeleteFunc(slices.Clone(steps[i].Needs), unplanned)
		slices.Sort(steps[i].Needs)
		steps[i].Needs = slices.Compact(steps[i].Needs)
		if slices.ContainsFunc(steps[i].NeedsAny, unplanned) {
			steps[i].NeedsAny = nil // one of them is already so
		}
		if steps[i].Impact == "" {
			steps[i].Impact = ImpactNone
		}
		steps[i].makeText()
	}
	ordered, err := topological(steps, byID)
	if err != nil {
		return nil, err
	}
	return &Plan{Cluster: cluster, Verb: verb, Steps: ordered}, nil
}

// makeText makes valid UTF-8 of what a host may have said: anything else would
// not come out of a file as it went in, and the plan's digest with it.
func (s *Step) makeText() {
	s.Title, s.Why = strings.ToValidUTF8(s.Title, "�"), strings.ToValidUTF8(s.Why, "�")
	s.Changes = slices.Clone(s.Changes)
	for i, c := range s.Changes {
		s.Changes[i] = Change{
			What: strings.ToValidUTF8(c.What, "�"), Action: strings.ToValidUTF8(c.Action, "�"), Diff: strings.ToValidUTF8(c.Diff, "�"),
		}
	}
}

// topological keeps the given order where the needs allow it.
func topological(steps []Step, byID map[ID]int) ([]Step, error) {
	const (
		unseen = iota
		open
		done
	)
	mark := make([]int, len(steps))
	out := make([]Step, 0, len(steps))
	var visit func(i int, path []ID) error
	visit = func(i int, path []ID) error {
		path = append(path, steps[i].ID)
		switch mark[i] {
		case done:
			return nil
		case open:
			return fmt.Errorf("plan: steps need each other in a circle: %v", path)
		}
		mark[i] = open
		for _, need := range slices.Concat(steps[i].Needs, steps[i].NeedsAny) {
			if err := visit(byID[need], path); err != nil {
				return err
			}
		}
		mark[i] = done
		out = append(out, steps[i])
		return nil
	}
	for i := range steps {
		if err := visit(i, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Step finds a step by ID.
func (p *Plan) Step(id ID) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}

// Hosts are the hosts that the plan changes, sorted; cluster-wide steps count for none.
func (p *Plan) Hosts() []string {
	var hosts []string
	for _, s := range p.Steps {
		if s.Host != "" {
			hosts = append(hosts, s.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Impact is the worst impact of any step.
func (p *Plan) Impact() Impact { return worst(p.Steps) }

// ImpactOn is the worst impact of the steps on a host; an empty name stands for
// those on the cluster as a whole.
func (p *Plan) ImpactOn(host string) Impact {
	return worst(slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.Host != host }))
}

func worst(steps []Step) Impact {
	order := []Impact{ImpactNone, ImpactReload, ImpactRestart, ImpactDrain, ImpactDestroy}
	worst := ImpactNone
	for _, s := range steps {
		if cmp.Compare(slices.Index(order, s.Impact), slices.Index(order, worst)) > 0 {
			worst = s.Impact
		}
	}
	return worst
}

// Digest identifies the plan by everything a reviewer was shown: two plans
// with the same digest would do the same. Hex sha256.
func (p *Plan) Digest() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("plan: a plan is plain data and must marshal: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
