// Package preflight judges whether hosts are fit for the cluster that a file
// asks for: named checks, all of which run and all of which are told, whatever
// the others found. It is pure: it judges what package observe observed and
// what package preflight/probe tried. The checks that Refuses marks are also
// why apply makes no plan, so that a rule has one home.
package preflight

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/state"
)

// Status is how a check came out.
type Status string

// The statuses, from good to bad.
const (
	Skipped Status = "skipped" // it does not apply, or what it needs could not be had
	OK      Status = "ok"
	Warning Status = "warning"
	Error   Status = "error"
)

// Finding is what a check found about one host or about several together.
type Finding struct {
	Status Status `json:"status"`
	// Hosts are those it is about, in the cluster file's order; none is the
	// cluster as a whole.
	Hosts []string `json:"hosts"`
	// Summary is the finding in one sentence that names the hosts. It may be
	// empty where all is well and there is no figure to tell.
	Summary string `json:"summary,omitempty"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`
	// Measured are the figures behind it; each name ends in its unit.
	Measured map[string]float64 `json:"measured,omitempty"`
}

// Check is one named check. Exactly one of Host and Cluster is set.
type Check struct {
	Name  string
	About string // what it looks at, in a few words
	// Refuses tells that apply makes no plan while the check finds an error.
	// Such a check judges what was observed alone.
	Refuses bool
	// OfNew lets it refuse only what is about hosts that have not joined: what a
	// cluster lives with already must not keep it from being mended.
	OfNew bool
	// Vital tells that apply cannot go on at all without it: it may be demoted
	// in a preflight only.
	Vital bool
	// Blind tells that Host also judges hosts that gave no facts.
	Blind bool
	// Applies tells whether Host has anything to look at on a host; nil is all.
	Applies func(c *cluster.Cluster, h *cluster.Host) bool
	// Host judges one host; no finding is OK.
	Host func(o *Observation, h *cluster.Host) []Finding
	// Cluster judges all hosts together; no finding is OK.
	Cluster func(o *Observation) []Finding
}

// Observation is what is judged.
type Observation struct {
	// Input is the cluster as desired, what was observed, and the bundle.
	component.Input
	// Probes are what was tried; nil when nothing was.
	Probes *Probes
}

// observed is what was observed of a host; nil where it was not looked at.
func (o *Observation) observed(h *cluster.Host) *state.Host { return o.Snapshot.Hosts[h.Name] }

// probed is what was tried on a host; empty when nothing was.
func (o *Observation) probed(h *cluster.Host) HostProbes {
	if o.Probes == nil {
		return HostProbes{}
	}
	return o.Probes.Hosts[h.Name]
}

// Checks are all checks, in the order in which they are told.
func Checks() []Check {
	return slices.Concat(
		artefactChecks(), accessChecks(), machineChecks(), diskChecks(), portChecks(), packageChecks(),
		neighbourChecks(), belongingChecks(), addressChecks(), resolverChecks(), hostFileChecks(), laterChecks(), etcdDiskChecks(),
		identityChecks(), observedChecks(), membershipChecks(), clockChecks(), pathChecks(), etcdPathChecks(), endpointChecks(),
	)
}

// run makes a check's findings: one or more for every host that it applies to,
// or for the cluster.
func (c Check) run(o *Observation) []Finding {
	if c.Cluster != nil {
		return orOK(c.Cluster(o))
	}
	var out []Finding
	for i := range o.Cluster.Hosts {
		out = append(out, c.runOn(o, &o.Cluster.Hosts[i])...)
	}
	return out
}

// runOn makes the findings of a check of single hosts about one of them.
func (c Check) runOn(o *Observation, h *cluster.Host) []Finding {
	if c.Applies != nil && !c.Applies(o.Cluster, h) {
		return nil
	}
	var found []Finding
	if o.Snapshot.Facts(h.Name) == nil && !c.Blind {
		found = []Finding{{Status: Skipped, Summary: h.Name + " was not observed"}}
	} else {
		found = orOK(c.Host(o, h))
	}
	for i := range found {
		if found[i].Hosts == nil {
			found[i].Hosts = []string{h.Name}
		}
	}
	return found
}

func orOK(found []Finding) []Finding {
	if len(found) == 0 {
		return []Finding{{Status: OK}}
	}
	return found
}

// The constructors of findings. Figures are added with measured.

func fine(format string, args ...any) []Finding {
	return []Finding{{Status: OK, Summary: fmt.Sprintf(format, args...)}}
}

func skip(format string, args ...any) []Finding {
	return []Finding{{Status: Skipped, Summary: fmt.Sprintf(format, args...)}}
}

func warn(hint, format string, args ...any) Finding {
	return Finding{Status: Warning, Hint: hint, Summary: fmt.Sprintf(format, args...)}
}

func fail(hint, format string, args ...any) Finding {
	return Finding{Status: Error, Hint: hint, Summary: fmt.Sprintf(format, args...)}
}

// about says which hosts a finding is about.
func (f Finding) about(hosts ...string) Finding {
	f.Hosts = hosts
	return f
}

// measured adds a figure whose name ends in its unit.
func (f Finding) measured(name string, value float64) Finding {
	if f.Measured == nil {
		f.Measured = map[string]float64{}
	}
	f.Measured[name] = value
	return f
}
