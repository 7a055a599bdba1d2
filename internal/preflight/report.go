package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/diag"
)

// Report is what all checks found. Its JSON form is stable: names stay, new
// ones may come.
type Report struct {
	Cluster string `json:"cluster"`
	Hosts   int    `json:"hosts"`
	// OK is false when there is an error that was not ignored.
	OK bool `json:"ok"`
	// Counts are how many checks came out in each way; a check counts once, by
	// the worst that it found.
	Counts Counts        `json:"counts"`
	Checks []CheckResult `json:"checks"`
}

// Counts are numbers of checks.
type Counts struct {
	Total    int `json:"total"`
	OK       int `json:"ok"`
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
	Skipped  int `json:"skipped"`
}

// CheckResult is what one check found.
type CheckResult struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Status is the worst of the findings'.
	Status Status `json:"status"`
	// Ignored tells that errors were made warnings because the user named the
	// check.
	Ignored  bool      `json:"ignored,omitempty"`
	Findings []Finding `json:"findings"`
}

// Judge runs every check. Errors of the checks that ignore names become
// warnings.
func Judge(o *Observation, ignore []string) Report {
	r := Report{Cluster: o.Cluster.Name, Hosts: len(o.Cluster.Hosts)}
	for _, c := range Checks() {
		result := CheckResult{Name: c.Name, About: c.About, Status: Skipped, Findings: c.run(o)}
		for i := range result.Findings {
			f := &result.Findings[i]
			if f.Hosts == nil {
				f.Hosts = []string{} // an empty list in JSON, too
			}
			if f.Status == Error && slices.Contains(ignore, c.Name) {
				f.Status, result.Ignored = Warning, true
			}
			if severity(f.Status) > severity(result.Status) {
				result.Status = f.Status
			}
		}
		r.Counts.add(result.Status)
		r.Checks = append(r.Checks, result)
	}
	r.OK = r.Counts.Errors == 0
	return r
}

func severity(s Status) int { return slices.Index([]Status{Skipped, OK, Warning, Error}, s) }

func (c *Counts) add(s Status) {
	c.Total++
	switch s {
	case OK:
		c.OK++
	case Warning:
		c.Warnings++
	case Error:
		c.Errors++
	case Skipped:
		c.Skipped++
	}
}

// Summary is the report in one line.
func (r Report) Summary() string {
	parts := []string{fmt.Sprintf("%d ok", r.Counts.OK)}
	if r.Counts.Warnings > 0 {
		parts = append(parts, count(r.Counts.Warnings, "warning"))
	}
	if r.Counts.Errors > 0 {
		parts = append(parts, count(r.Counts.Errors, "error"))
	}
	if r.Counts.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", r.Counts.Skipped))
	}
	return fmt.Sprintf("%s on %s: %s", count(r.Counts.Total, "check"), count(r.Hosts, "host"), strings.Join(parts, ", "))
}

// count words a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Refusals are the reasons not to plan at all: the errors of the checks that
// Refuses marks, host by host. Those that the input ignores are warnings.
func Refusals(o *Observation) diag.List {
	var out diag.List
	note := func(c Check, found []Finding) {
		for _, f := range found {
			if f.Status != Error || c.OfNew && !o.newAmong(f.Hosts) {
				continue
			}
			d := diag.Diagnostic{Severity: diag.SeverityError, Summary: f.Summary, Hint: f.Hint}
			if !c.Vital && slices.Contains(o.IgnorePreflight, c.Name) {
				d.Severity = diag.SeverityWarning
			}
			out = append(out, d)
		}
	}
	refusing := slices.DeleteFunc(Checks(), func(c Check) bool { return !c.Refuses })
	onHosts := slices.DeleteFunc(slices.Clone(refusing), func(c Check) bool { return c.Host == nil })
	for _, c := range refusing {
		if c.Cluster != nil {
			note(c, c.run(o))
			continue
		}
		if onHosts == nil {
			continue
		}
		// What is wrong with a host is told together.
		for i := range o.Cluster.Hosts {
			for _, c := range onHosts {
				note(c, c.runOn(o, &o.Cluster.Hosts[i]))
			}
		}
		onHosts = nil
	}
	return out
}

// newAmong reports whether one of the hosts has not joined; of none it is the
// cluster as a whole.
func (o *Observation) newAmong(hosts []string) bool {
	return len(hosts) == 0 || slices.ContainsFunc(hosts, func(name string) bool {
		f := o.Snapshot.Facts(name)
		return f == nil || !component.Joined(f)
	})
}

// Names are the names of all checks, in order.
func Names() []string {
	var out []string
	for _, c := range Checks() {
		out = append(out, c.Name)
	}
	return out
}
