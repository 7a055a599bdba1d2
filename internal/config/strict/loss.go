package strict

import (
	"slices"

	"github.com/quorate/quorate/internal/diag"
)

// TellLoss is Tell for a finding from which follows that the cluster will not
// have what the file asks for; lost is that, in a few words.
func (r *Report) TellLoss(severity diag.Severity, at Place, hint, detail, summary, lost string) {
	if lost != "" {
		r.losing[summary] = true
		if !slices.Contains(r.lost, lost) {
			r.lost = append(r.lost, lost)
		}
	}
	r.Tell(severity, at, hint, detail, summary)
}

// TellGraveLoss is TellLoss for what is told before all other losses: what is open
// or out of reach in the cluster without it.
func (r *Report) TellGraveLoss(at Place, hint, summary, lost string) {
	r.grave[summary] = true
	if !slices.Contains(r.lost, lost) {
		r.lost = slices.Insert(r.lost, 0, lost)
	}
	r.Tell(diag.SeverityWarning, at, hint, "", summary)
}

// Lost is what the cluster will not have though the file asks for it.
func (f *findings) Lost() []string { return f.lost }

// Wanted is a setting that asks for something.
type Wanted struct {
	At   Place
	What string // its name in the file
}

// WantIPv6 notes that a setting asks for IPv6. Whether that will do without is
// not an importer's to judge.
func (f *findings) WantIPv6(at Place, what string) {
	if w := (Wanted{at, what}); !slices.Contains(f.ipv6, w) {
		f.ipv6 = append(f.ipv6, w)
	}
}

// WantedIPv6 are the settings that ask for IPv6.
func (f *findings) WantedIPv6() []Wanted { return f.ipv6 }
