package ui

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/preflight"
)

// preflightReport is one of every kind of finding.
func preflightReport() preflight.Report {
	return preflight.Report{
		Cluster: "prod", Hosts: 6,
		Counts: preflight.Counts{Total: 6, OK: 2, Warnings: 2, Errors: 1, Skipped: 1},
		Checks: []preflight.CheckResult{
			{Name: "os", About: "a distribution that Quorate supports", Status: preflight.OK, Findings: []preflight.Finding{
				{Status: preflight.OK, Hosts: []string{"cp-1"}, Summary: "cp-1 runs Debian GNU/Linux 12 (bookworm)"},
				{Status: preflight.Skipped, Hosts: []string{"cp-2"}, Summary: "cp-2 was not observed"},
			}},
			{Name: "cpu", About: "at least 2 CPUs on control-plane hosts", Status: preflight.Warning, Ignored: true, Findings: []preflight.Finding{
				{Status: preflight.Warning, Hosts: []string{"cp-1"}, Summary: "cp-1 has 1 CPU; a control-plane host needs 2", Hint: "give the host more CPUs"},
				{Status: preflight.Warning, Hosts: []string{"cp-3"}, Summary: "cp-3 has 1 CPU; a control-plane host needs 2", Hint: "give the host more CPUs"},
			}},
			{Name: "swap", About: "swap is off", Status: preflight.OK, Findings: []preflight.Finding{{Status: preflight.OK, Hosts: []string{"cp-1"}}}},
			{Name: "mtu", About: "packets of full size pass", Status: preflight.Warning, Findings: []preflight.Finding{
				{Status: preflight.Warning, Summary: "the hosts' interfaces have different MTUs: 1400 on cp-3; 1500 on cp-1, cp-2, worker-1, worker-2, worker-3", Hint: "give the interfaces of all hosts the same MTU"},
			}},
			{Name: "connectivity", About: "every host really connects", Status: preflight.Error, Findings: []preflight.Finding{
				{
					Status: preflight.Error, Hosts: []string{"cp-1", "cp-2"}, Summary: "cp-1 cannot connect to cp-2:2380 (etcd's peers): no answer; something drops the packets",
					Hint: "let cp-1 through to TCP port 2380 of cp-2 in every firewall and security group between",
				},
			}},
			{Name: "vip", About: "the virtual address is free", Status: preflight.Skipped, Findings: []preflight.Finding{
				{Status: preflight.Skipped, Summary: "mode localhost has no virtual address"},
			}},
		},
	}
}

func TestPreflight(t *testing.T) {
	well := preflight.Report{Cluster: "prod", Hosts: 1, OK: true, Counts: preflight.Counts{Total: 1, OK: 1}, Checks: preflightReport().Checks[2:3]}
	for name, test := range map[string]struct {
		report preflight.Report
		look   Look
		o      PreflightOptions
	}{
		"preflight":         {preflightReport(), Look{Unicode: true}, PreflightOptions{}},
		"preflight-verbose": {preflightReport(), Look{}, PreflightOptions{Verbose: true}},
		"preflight-well":    {well, Look{Unicode: true}, PreflightOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Preflight(test.report, test.look, test.o)
			check(t, name, got)
			for line := range strings.Lines(got) {
				if n := width(strings.TrimRight(line, "\n")); n > statusWidth {
					t.Errorf("a line of %d cells: %s", n, line)
				}
			}
		})
	}
}

// What hosts say must not be able to draw on the operator's terminal.
func TestPreflightShowsNoControlCharacters(t *testing.T) {
	r := preflightReport()
	for i := range r.Checks {
		r.Checks[i].Findings[0].Summary, r.Checks[i].Findings[0].Hint = "\x1b[2Jgone\x07\u202e", "\x1b[2Jgone\x07\u202e"
	}
	r.Cluster = "\x1b[2J"
	if got := Preflight(r, Look{}, PreflightOptions{Verbose: true}); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("control characters got through:\n%q", got)
	}
}

func TestPreflightList(t *testing.T) {
	check(t, "preflight-list", PreflightList(preflight.Checks()[:3], Look{}))
}
