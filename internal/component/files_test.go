package component

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"github.com/quorate/quorate/internal/plan"
)

// readers are hosts with these contents at /f; "-" is none.
func readers(t *testing.T, contents map[string]string) *Runtime {
	t.Helper()
	rt := &Runtime{Hosts: map[string]*host.Host{}}
	for name, content := range contents {
		h, fake := hosttest.New(t, name)
		e := fake.ExpectRead("/f", content).Any()
		if content == "-" {
			e.Fail(protocol.KindNotExist, "no such file")
		}
		rt.Hosts[name] = h
	}
	return rt
}

func TestReadSame(t *testing.T) {
	for _, tt := range []struct {
		name     string
		contents map[string]string
		want     string
		missing  []string
		err      string
	}{
		{"all agree", map[string]string{"a": "x", "b": "x", "c": "x"}, "x", nil, ""},
		{"some lack it", map[string]string{"a": "-", "b": "x", "c": "-"}, "x", []string{"a", "c"}, ""},
		{"none has it", map[string]string{"a": "-", "b": "-", "c": "-"}, "", []string{"a", "b", "c"}, ""},
		{"two differ", map[string]string{"a": "-", "b": "x", "c": "y"}, "", nil, "b and c have different files at /f"},
		{"one is not connected", map[string]string{"a": "x", "b": "x"}, "", nil, "c: not connected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content, missing, err := ReadSame(t.Context(), readers(t, tt.contents), "/f", []string{"a", "b", "c"})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || string(content) != tt.want || !cmp.Equal(missing, tt.missing) {
				t.Errorf("%q, missing %v, %v; want %q, missing %v", content, missing, err, tt.want, tt.missing)
			}
		})
	}
}

func TestFileChanges(t *testing.T) {
	f := File{Path: "/etc/x", Content: []byte("a\n"), Mode: 0o644}
	same := protocol.File{Exists: true, SHA256: f.SHA256(), Content: "a\n", Mode: 0o644}
	mode, old := same, same
	mode.Mode = 0o600
	old.SHA256, old.Content = "other", "b\n"
	for _, tt := range []struct {
		name   string
		seen   protocol.File
		action string
		diff   string
	}{
		{"as it must be", same, "", ""}, {"missing", protocol.File{}, "create", "+a"},
		{"of another mode", mode, "update", ""}, {"of other content", old, "update", "-b\n+a"},
	} {
		differ, changes := FileChanges(&protocol.Facts{Files: map[string]protocol.File{"/etc/x": tt.seen}}, []File{f})
		if tt.action == "" {
			if len(differ)+len(changes) != 0 {
				t.Errorf("%s: %v", tt.name, changes)
			}
			continue
		}
		if len(differ) != 1 || len(changes) != 1 || changes[0].Action != tt.action || !strings.Contains(changes[0].Diff, tt.diff) {
			t.Errorf("%s: %v", tt.name, changes)
		}
	}
}

func TestServiceChanges(t *testing.T) {
	f := File{Path: "/etc/x", Content: []byte("a\n"), Mode: 0o644}
	so := protocol.File{Exists: true, SHA256: f.SHA256(), Mode: 0o644}
	runs := protocol.Unit{Active: "active", Enabled: "enabled"}
	for _, tt := range []struct {
		name    string
		service Service
		file    protocol.File
		unit    protocol.Unit
		owed    bool
		actions []string
		impact  plan.Impact
	}{
		{"as it must be", Service{}, so, runs, false, nil, ""},
		{"bare", Service{}, protocol.File{}, protocol.Unit{}, false, []string{"create", "start"}, ""},
		{"stopped", Service{}, so, protocol.Unit{Active: "inactive", Enabled: "enabled"}, false, []string{"start"}, ""},
		{"not enabled", Service{}, so, protocol.Unit{Active: "active", Enabled: "disabled"}, false, []string{"enable"}, ""},
		{"a changed file", Service{}, protocol.File{Exists: true}, runs, false, []string{"update", "restart"}, plan.ImpactRestart},
		{"a changed file, to reload", Service{Reload: true}, protocol.File{Exists: true}, runs, false, []string{"update", "reload"}, plan.ImpactReload},
		{"a restart that is owed", Service{}, so, runs, true, []string{"restart"}, plan.ImpactRestart},
		{"owed, and stopped since", Service{}, so, protocol.Unit{Active: "failed", Enabled: "enabled"}, true, []string{"start"}, ""},
		{"started by something else", Service{Stopped: true}, protocol.File{}, protocol.Unit{}, false, []string{"create", "enable"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.service.Unit, tt.service.Files = "x.service", []File{f}
			facts := &protocol.Facts{
				Files: map[string]protocol.File{"/etc/x": tt.file, owedFile("x.service"): {Exists: tt.owed}},
				Units: map[string]protocol.Unit{"x.service": tt.unit},
			}
			changes, impact := ServiceChanges(facts, tt.service)
			var actions []string
			for _, c := range changes {
				actions = append(actions, c.Action)
			}
			if d := cmp.Diff(tt.actions, actions); d != "" || impact != tt.impact {
				t.Errorf("impact %q, want %q; changes (-want +got):\n%s", impact, tt.impact, d)
			}
			if len(changes) > 0 && WhyOf(changes) == "" {
				t.Error("nothing says why")
			}
		})
	}
}
