package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/drill"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
	"github.com/quorate/quorate/internal/session"
)

func TestDrillFlags(t *testing.T) {
	dir := t.TempDir()
	record, err := drill.Save(dir, drill.Record{Format: 1, RunID: "3f2a91cc", Faults: []drill.FaultRecord{
		{Drill: "etcd-killed", Targets: []string{"cp-2"}}, {Drill: drill.Baseline},
	}}, drill.History{})
	if err != nil {
		t.Fatal(err)
	}
	base := drillOptions{every: 100 * time.Millisecond, timeout: time.Second, output: "text"}
	with := func(change func(*drillOptions)) drillOptions {
		o := base
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		options drillOptions
		want    string // the picks, or the beginning of the error behind a !
	}{
		"names":        {with(func(o *drillOptions) { o.picks, o.on = []string{"etcd-killed@cp-1", "kubelet-hung"}, "leader" }), "etcd-killed@cp-1 kubelet-hung@leader"},
		"replay":       {with(func(o *drillOptions) { o.replay = record }), "etcd-killed@cp-2 nothing"},
		"all":          {with(func(o *drillOptions) { o.all = true }), ""},
		"none":         {base, "!say which drills"},
		"two ways":     {with(func(o *drillOptions) { o.all, o.soak = true, time.Minute }), "!say which drills"},
		"unknown":      {with(func(o *drillOptions) { o.picks = []string{"etcd-kiled"} }), "!there is no drill"},
		"a bad budget": {with(func(o *drillOptions) { o.all, o.budget = true, "2s" }), "!--budget"},
		"too often":    {with(func(o *drillOptions) { o.all, o.every = true, time.Millisecond }), "!--every"},
		"no record":    {with(func(o *drillOptions) { o.replay = filepath.Join(dir, "x.json") }), "!reading the drill's record"},
	} {
		picks, _, err := c.options.check(true)
		var got []string
		for _, p := range picks {
			got = append(got, p.String())
		}
		if want, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestRecordsAreFoundByTheBeginningOfTheirID(t *testing.T) {
	dir := t.TempDir()
	started := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for i, id := range []string{"3f2a91cc", "3f00aaaa", "91cc0000"} {
		if _, err := drill.Save(dir, drill.Record{Format: 1, RunID: id, Started: started.Add(time.Duration(i) * time.Hour)}, drill.History{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"last": "91cc0000", "3f2": "3f2a91cc", "3f": "!2 runs begin", "7": "!no run"} {
		records, err := findRecords(func() (string, error) { return dir, nil }, []string{name})
		if text, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || records[0].RunID != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of more than two runs there is one table, and no comparison.
func TestReportOfManyRuns(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i, id := range []string{"aa", "bb", "cc"} {
		path, err := drill.Save(dir, drill.Record{Format: 1, RunID: id, Started: time.Date(2026, 11, 21, i, 0, 0, 0, time.UTC), Faults: []drill.FaultRecord{{Drill: "etcd-killed", OK: true}}}, drill.History{})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, path)
	}
	for format, want := range map[string]string{"markdown": "3 faults in 3 runs", "text": "two runs can be compared"} {
		var out bytes.Buffer
		cmd := newDrillReportCommand()
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append(slices.Clone(names), "--output", format))
		if err := cmd.Execute(); err != nil {
			out.WriteString(err.Error())
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

func TestDrillList(t *testing.T) {
	var out bytes.Buffer
	cmd := newDrillListCommand()
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(nil)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, d := range drill.Catalogue() {
		if !strings.Contains(out.String(), d.Name+" ") {
			t.Errorf("%s is not listed", d.Name)
		}
	}
}

// Those who look from workers look from the ones whose own proxy is hit.
func TestLookers(t *testing.T) {
	c := &cluster.Cluster{}
	for _, name := range []string{"worker-1", "worker-2", "worker-3"} {
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{cluster.RoleWorker}})
	}
	room := &drillRoom{Session: &session.Session{Cluster: c}}
	pick, err := drill.ParsePick("haproxy-killed@worker-3")
	if err != nil {
		t.Fatal(err)
	}
	if got := room.lookers([]drill.Pick{pick}); !slices.Equal(got, []string{"worker-3", "worker-1"}) {
		t.Error(got)
	}
}

// A pod that started anew with its node is found again, by one question at a
// time.
func TestPodThatStartedAnew(t *testing.T) {
	asked := 0
	var pod *podEyes
	pod = &podEyes{address: "10.0.0.1", ask: func(ctx context.Context) (string, error) {
		if asked++; asked == 1 {
			return "", errors.New("it is Pending")
		}
		pod.lookAgain(ctx) // while the first is under way
		return "10.0.0.2", nil
	}}
	pod.lookAgain(t.Context())
	if got := pod.now(); got != "10.0.0.1" {
		t.Errorf("nobody knows better, and it is %s", got)
	}
	pod.lookAgain(t.Context())
	if got := pod.now(); got != "10.0.0.2" || asked != 2 {
		t.Errorf("it is %s after %d questions", got, asked)
	}
}

// What a host cannot undo is told, and keeps nobody from ending the others' faults.
func TestFaultsOfAllHostsAreEnded(t *testing.T) {
	hosts := map[string]*host.Host{}
	var c cluster.Cluster
	for name, reply := range map[string]protocol.UndoReply{
		"cp-1": {Ended: []string{"ab-1"}, Left: []string{"the fault ab-2 is not undone"}},
		"cp-2": {Ended: []string{"ab-1"}},
		"cp-3": {},
	} {
		h, fake := hosttest.New(t, name)
		fake.Expect("undo", func(c hosttest.Call) bool { return c.Op == protocol.OpUndo }).Reply(reply)
		hosts[name] = h
		c.Hosts = append(c.Hosts, cluster.Host{Name: name})
	}
	c.Hosts = append(c.Hosts, cluster.Host{Name: "worker-1"}) // not connected
	ended, failures := endFaults(t.Context(), &c, hosts)
	if !slices.Equal(ended, []string{"cp-1: ended ab-1", "cp-2: ended ab-1"}) {
		t.Errorf("%q", ended)
	}
	if err := errors.Join(failures...); err == nil || err.Error() != "cp-1: the fault ab-2 is not undone" {
		t.Error(err)
	}
}

// A record that cannot be kept is an error, and takes neither the verdict nor the web page
// away.
func TestVerdictIsShownThoughTheRecordIsNotKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file) // where no folder can be made
	page := filepath.Join(t.TempDir(), "drills.html")
	s := &session.Session{Cluster: &cluster.Cluster{Name: "demo"}}
	var stdout, stderr bytes.Buffer
	err := concludeDrill(s, drillOptions{output: "text", html: page}, drill.Record{Cluster: "demo", OK: true}, drill.History{}, false, &stdout, &stderr)
	if err == nil || !strings.Contains(err.Error(), "keeping the drill's record") {
		t.Errorf("the error is %v", err)
	}
	if !strings.Contains(stdout.String(), "PROVEN") {
		t.Errorf("no verdict was shown: %q", &stdout)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
}
