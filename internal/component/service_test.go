package component

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// A restart is owed from before the first file changes until it is done.
func TestServiceApply(t *testing.T) {
	const owed = "/etc/quorate/owed/x.service"
	for _, tt := range []struct {
		name    string
		service Service
		active  string
		owed    bool
		changed bool
		want    []string
	}{
		{"bare", Service{}, "", false, true, []string{"facts", "write /etc/x", "unit restart", "remove " + owed}},
		{"runs, and a file changes", Service{}, "active", false, true, []string{"facts", "write " + owed, "write /etc/x", "unit restart", "remove " + owed}},
		{"runs, to be reloaded", Service{Reload: true}, "active", false, true, []string{"facts", "write " + owed, "write /etc/x", "unit reload-or-restart", "remove " + owed}},
		{"waits for a quorum, and a file changes", Service{}, "activating", false, true, []string{"facts", "write " + owed, "write /etc/x", "unit restart", "remove " + owed}},
		{"stopped, nothing changes", Service{}, "inactive", false, false, []string{"facts", "write /etc/x", "unit start", "remove " + owed}},
		{"owes a restart, nothing changes", Service{}, "active", true, false, []string{"facts", "write " + owed, "write /etc/x", "unit restart", "remove " + owed}},
		{"started by something else", Service{Stopped: true}, "", false, true, []string{"write /etc/x", "unit "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := hosttest.New(t, "h")
			var did []string
			fake.Expect("anything", func(hosttest.Call) bool { return true }).Any().Do(func(c hosttest.Call) (any, error) {
				var r struct{ Path, Verb, Enable string }
				if err := c.Decode(&r); err != nil {
					return nil, err
				}
				switch c.Op {
				case protocol.OpFacts:
					did = append(did, "facts")
					return protocol.Facts{
						Units: map[string]protocol.Unit{"x.service": {Active: tt.active}}, Files: map[string]protocol.File{owed: {Exists: tt.owed}},
					}, nil
				case protocol.OpUnit:
					if r.Enable != "enable" {
						t.Errorf("the unit is not enabled: %s", c.Args)
					}
					did = append(did, "unit "+r.Verb)
					return protocol.UnitReply{}, nil
				case protocol.OpWrite:
					did = append(did, "write "+r.Path)
					return protocol.WriteReply{Changed: r.Path == owed || tt.changed}, nil
				}
				did = append(did, c.Op+" "+r.Path)
				return protocol.ChangedReply{}, nil
			})
			tt.service.Host, tt.service.Unit, tt.service.Files = "h", "x.service", []File{{Path: "/etc/x"}}
			if err := tt.service.Apply(t.Context(), &Runtime{Hosts: map[string]*host.Host{"h": h}}, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, did); d != "" {
				t.Errorf("done, in order (-want +got):\n%s", d)
			}
		})
	}
}

func TestServiceVerify(t *testing.T) {
	for _, tt := range []struct {
		name  string
		units []protocol.Unit // one a look, the last for ever
		err   string
	}{
		{"comes up", []protocol.Unit{{Active: "activating"}, {Active: "activating", Restarts: 1}, {Active: "active"}}, ""},
		{"ends again and again", []protocol.Unit{{Active: "activating", Restarts: 3}, {Active: "activating", Restarts: 8}}, "5 restarts); its last words:\nno such flag"},
		{"failed", []protocol.Unit{{Active: "failed"}}, "its last words:\nno such flag"},
		{"never comes up", []protocol.Unit{{Active: "inactive", Sub: "dead"}}, "did not come within 1m0s: x.service is inactive (dead)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, fake := hosttest.New(t, "h")
				fake.Expect("facts", func(c hosttest.Call) bool { return c.Op == protocol.OpFacts }).Any().Do(func(hosttest.Call) (any, error) {
					u := tt.units[0]
					if len(tt.units) > 1 {
						tt.units = tt.units[1:]
					}
					return protocol.Facts{Units: map[string]protocol.Unit{"x.service": u}}, nil
				})
				if strings.Contains(tt.err, "last words") {
					fake.ExpectRun("journalctl", "--unit", "x.service", "--lines", "8", "--output", "cat", "--no-pager").Reply(protocol.RunReply{Stdout: []byte("no such flag\n")})
				}
				s := Service{Host: "h", Unit: "x.service"}
				err := s.Verify(t.Context(), &Runtime{Hosts: map[string]*host.Host{"h": h}}, func(string) {})
				if (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
			})
		})
	}
}

// A watch that cannot read the journal leaves the wait to say what it saw.
func TestCrashWatchWithoutJournal(t *testing.T) {
	h, fake := hosttest.New(t, "h")
	fake.Expect("run", func(c hosttest.Call) bool { return c.Op == protocol.OpRun }).Do(func(hosttest.Call) (any, error) {
		return nil, errors.New("gone")
	})
	c := CrashWatch{Unit: "x.service"}
	if err := c.Look(t.Context(), h, protocol.Unit{Active: "failed"}); err != nil {
		t.Error(err)
	}
}
