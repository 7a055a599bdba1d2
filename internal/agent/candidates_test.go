package agent

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
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

// A host whose package sources were never asked may have what its lists lack.
func TestListsThatWereNeverFetched(t *testing.T) {
	const target = "/var/lib/apt/lists/example_dists_stable_main_binary-amd64_Packages"
	for _, tt := range []struct {
		name, policy, targets string
		fetched, unsure       bool
	}{
		{"found", "keepalived:\n  Candidate: 2.2\n", target, false, false},
		{"lists without it", "", target, true, false},
		{"no lists", "", target, false, true},
		{"no sources", "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			files := []string{"/usr/bin/apt-get"}
			if tt.fetched {
				files = append(files, target+".lz4")
			}
			for _, file := range files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			a := New(Options{Root: root, Exec: func(_ context.Context, c Command) (protocol.RunReply, error) {
				if c.Argv[0] == "apt-cache" {
					return protocol.RunReply{Stdout: []byte(tt.policy)}, nil
				}
				return protocol.RunReply{Stdout: []byte(tt.targets + "\n")}, nil
			}})
			defer a.Close()
			_, err := a.candidates(t.Context(), map[string][]string{"apt": {"keepalived"}}, nil)
			if (err != nil) != tt.unsure {
				t.Errorf("the answer is %v, unsure should be %v", err, tt.unsure)
			}
		})
	}
}
