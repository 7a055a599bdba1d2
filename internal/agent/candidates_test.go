package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePolicy(t *testing.T) {
	got := parsePolicy(`conntrack:
  Installed: (none)
  Candidate: 1:1.4.7-1
  Version table:
     1:1.4.7-1 500
nftables:
  Installed: (none)
  Candidate: (none)
  Version table:
`)
	if d := cmp.Diff(map[string]string{"conntrack": "1:1.4.7-1"}, got); d != "" {
		t.Error(d)
	}
}

func TestParseRepoquery(t *testing.T) {
	if d := cmp.Diff(map[string]string{"haproxy": "2.4.22", "nftables": "1.0.9"}, parseRepoquery("haproxy 2.4.22\nnftables 1.0.9\n\n")); d != "" {
		t.Error(d)
	}
}
