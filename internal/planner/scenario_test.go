package planner_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/catalog"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/pki"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/planner"
)

var update = flag.Bool("update", false, "write the plans in testdata anew")

// Every file of testdata is a scenario: a cluster file (cluster.yaml), what
// happened before (given, one directive a line, see given), and the plan that
// comes of it (plan). A plan that is made is also run, and must leave nothing
// to do.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			scenario(t, path)
		})
	}
}

func scenario(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) string {
		for _, f := range archive.Files {
			if f.Name == name {
				return string(f.Data)
			}
		}
		return ""
	}
	w := newWorld(t, parse(t, section("cluster.yaml")))
	w.bundle = smallBundle(t, w.release, "amd64")
	s := scene{world: w}
	for line := range strings.Lines(section("given")) {
		if words := strings.Fields(line); len(words) > 0 {
			s.given(words[0], words[1:], section)
		}
	}
	p, refusals, err := planner.Apply(w.input())
	if err != nil {
		t.Fatal(err)
	}
	got := textOf(p, refusals, s.brief)
	if *update {
		for i := range archive.Files {
			if archive.Files[i].Name == "plan" {
				archive.Files[i].Data = []byte(got)
			}
		}
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(section("plan"), got); d != "" {
		t.Errorf("plan (-want +got), -update writes it anew:\n%s", d)
	}
	if p == nil {
		return
	}
	if p.Empty() {
		w.noAdvice(w.input().Snapshot)
	}
	w.sameWhenPlannedAgain(p)
	before := w.counts()
	if result := w.apply(p); !result.OK() {
		for _, r := range result.Steps {
			if r.Error != "" {
				t.Errorf("%s: %s", r.ID, r.Error)
			}
		}
		return
	}
	w.provenEmpty()
	if want := section("restarted"); want != "" {
		if d := cmp.Diff(want, w.since(before)); d != "" {
			t.Errorf("what was started and reloaded where it ran before (-want +got):\n%s", d)
		}
	}
}

// sameWhenPlannedAgain fails the test when the same hosts, observed again an
// hour later, give another plan: one that was saved could never be applied.
func (w *world) sameWhenPlannedAgain(p *plan.Plan) {
	w.t.Helper()
	w.pass(time.Hour)
	defer w.pass(-time.Hour)
	if again := w.plan(); again.Digest() != p.Digest() {
		for _, c := range plan.Compare(p, again).Changed {
			w.t.Errorf("an hour later %s reads otherwise (-before +now):\n%s", c.Before.ID, cmp.Diff(c.Before, c.Now, cmpopts.IgnoreFields(plan.Step{}, "Op")))
		}
		w.t.Error("an hour later the plan is another one, though nothing was changed")
	}
}

// pass lets time pass on all clocks.
func (w *world) pass(d time.Duration) {
	w.later += d
	for _, m := range w.machines {
		m.clock += d
	}
}

// scene is a scenario as its directives have made it so far.
type scene struct {
	*world
	brief bool
}

// given does one directive.
func (s *scene) given(what string, args []string, section func(string) string) {
	s.t.Helper()
	number := func(i int) int64 {
		n, err := strconv.ParseInt(args[i], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	var m *machine
	if len(args) > 0 {
		m = s.machine(args[0])
	}
	duration := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	switch what {
	case "built": // the cluster file (or the one named) was applied before
		if len(args) > 0 {
			now := s.cluster
			s.use(parse(s.t, section(args[0])))
			s.build()
			s.use(now)
		} else {
			s.build()
		}
	case "brief": // ids, needs and impacts only
		s.brief = true
	case "bundle": // none, VERSION, an architecture, or rebuilt BINARY…
		s.bundle = nil
		if args[0] == "rebuilt" {
			s.bundle = smallBundle(s.t, s.release, "amd64", args[1:]...)
		} else if release, err := catalog.Lookup(args[0]); err == nil {
			s.bundle = smallBundle(s.t, release, "amd64")
		} else if args[0] != "none" {
			s.bundle = smallBundle(s.t, s.release, args[0])
		}
	case "off": // and the others notice
		m.off = true
		s.settle()
	case "os": // HOST ID VERSION [LIKE]
		m.base.OS = protocol.OS{ID: args[1], Version: args[2], IDLike: args[3:], PrettyName: args[1] + " " + args[2]}
		m.base.PackageTool = map[string]string{"debian": "apt", "rhel": "dnf"}[m.base.OS.Family()]
	case "sources": // HOST [PACKAGE…]: what its package sources have, instead of everything
		m.sources = map[string]bool{}
		for _, name := range args[1:] {
			m.sources[name] = true
		}
	case "arch":
		m.base.Arch = args[1]
	case "cgroup":
		m.base.Cgroup = args[1]
	case "cpus":
		m.base.CPUs = int(number(1))
	case "memory": // HOST MB
		m.base.MemoryBytes = number(1) << 20
	case "free": // HOST PATH MB
		d := m.base.Disks[args[1]]
		d.MountPoint, d.Available = args[1], number(2)<<20 // a file system of its own
		m.base.Disks[args[1]] = d
	case "read-only": // HOST PATH
		m.base.Disks[args[1]] = protocol.Disk{MountPoint: args[1], ReadOnly: true, Available: 30 << 30}
	case "clock": // HOST DURATION
		m.clock = duration(args[1])
	case "later": // DURATION passes on all clocks
		s.pass(duration(args[0]))
	case "same": // HOST OTHER are the same machine
		m.base.MachineID, m.base.BootID = s.machine(args[1]).base.MachineID, s.machine(args[1]).base.BootID
	case "listening": // HOST PORT PROCESS
		m.base.Listening = append(m.base.Listening, protocol.Listener{Address: "0.0.0.0", Port: int(number(1)), Process: args[2]})
	case "swap":
		m.base.Swap = args[1:]
	case "capabilities": // HOST HEX
		c, err := strconv.ParseUint(args[1], 16, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		m.base.Capabilities = c
	case "append": // HOST PATH TEXT…
		f := m.files[args[1]]
		m.write(args[1], string(f.content)+strings.Join(args[2:], " ")+"\n", f.mode)
	case "write": // HOST PATH MODE [TEXT…]; without text the file is empty
		mode, err := strconv.ParseUint(args[2], 8, 32)
		if err != nil {
			s.t.Fatal(err)
		}
		text := strings.Join(args[3:], " ")
		if text != "" {
			text += "\n"
		}
		m.write(args[1], text, fs.FileMode(mode))
	case "copy": // HOST FROM TO
		m.write(args[2], string(m.files[args[1]].content), m.files[args[1]].mode)
	case "ends": // HOST PATH DAYS: the certificate, or that of a kubeconfig, is one that ends in so many days
		m.endIn(args[1], int(number(2)))
	case "latin1": // HOST PATH
		f := m.files[args[1]]
		m.write(args[1], string(f.content)+"# caf\xe9\n", f.mode)
	case "huge": // HOST PATH
		f := m.files[args[1]]
		m.write(args[1], string(f.content)+strings.Repeat("# blocked\n", protocol.MaxContent/10), f.mode)
	case "other-client-ca": // the API servers were started with another CA than the hosts have now
		s.api.Unauthorized(true)
	case "delete-node": // HOST: somebody deleted its Node
		s.api.Delete("/api/v1/nodes/" + args[0])
		m.unregistered = true
	case "other-ca": // HOST: it has joined with the CA of another cluster
		ca, err := pki.NewAuthority("kubernetes", time.Now())
		if err != nil {
			s.t.Fatal(err)
		}
		m.write("/etc/kubernetes/pki/ca.crt", string(ca.Cert), 0o644)
	case "remove": // HOST PATH
		m.removeAll(args[1])
	case "restart": // HOST UNIT
		if _, err := m.unit(protocol.UnitRequest{Name: args[1], Verb: "restart"}); err != nil {
			s.t.Fatal(err)
		}
		s.settle()
	case "ending": // HOST UNIT: it ends again and again, and was just started once more
		u := m.units[args[1]]
		u.Restarts = 7
		m.units[args[1]] = u
	case "ghost": // ADDRESS [learner]: a member was added by hand and never started
		s.members = append(s.members, member{ID: 777, PeerURLs: []string{"https://" + args[0] + ":2380"}, IsLearner: len(args) > 1})
		s.settle()
	case "unlist": // HOST: its member was removed from etcd by hand
		id := m.entry().ID
		s.members = slices.DeleteFunc(s.members, func(e member) bool { return e.ID == id })
		s.settle()
	case "apart": // HOST: its member was restored alone
		m.apart = true
		s.settle()
	case "database": // MB: etcd's database has this size, and reached its quota
		s.db, s.full = number(0)<<20, true
	case "corrupt": // [HOST]: etcd found its data to differ; without a host, it does not know whose
		s.corrupt = "0"
		if len(args) > 0 {
			s.corrupt = strconv.FormatUint(m.entry().ID, 10)
		}
	case "stop": // HOST UNIT
		u := m.units[args[1]]
		u.Active, u.Sub = "inactive", "dead"
		m.units[args[1]] = u
		s.settle()
	default:
		s.t.Fatalf("no directive is called %q", what)
	}
}

// counts are how often each unit and static pod was started, and reloaded.
func (w *world) counts() map[string]int {
	out := map[string]int{}
	for _, m := range w.machines {
		for what, n := range m.starts {
			out["started "+what+"@"+m.name] = n
		}
		for what, n := range m.reloads {
			out["reloaded "+what+"@"+m.name] = n
		}
	}
	return out
}

// since lists what ran before and was started or reloaded since.
func (w *world) since(before map[string]int) string {
	out := ""
	for _, m := range w.machines {
		for _, what := range []string{"containerd.service", "etcd.service", "etcd", "kube-apiserver", "kubelet.service", "quorate-haproxy.service", "quorate-keepalived.service", "quorate-nginx.service"} {
			if id := what + "@" + m.name; before["started "+id] > 0 {
				if m.starts[what] > before["started "+id] {
					out += "started " + id + "\n"
				}
				if m.reloads[what] > before["reloaded "+id] {
					out += "reloaded " + id + "\n"
				}
			}
		}
	}
	return out
}

// day is a date, which is not the same tomorrow.
var day = regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b`)

// textOf words a plan, or why there is none, for review in testdata.
func textOf(p *plan.Plan, refusals diag.List, brief bool) string {
	return day.ReplaceAllString(wordsOf(p, refusals, brief), "DATE")
}

func wordsOf(p *plan.Plan, refusals diag.List, brief bool) string {
	var b strings.Builder
	for _, d := range refusals {
		fmt.Fprintf(&b, "%s: %s\n  hint: %s\n", d.Severity, d.Summary, d.Hint)
	}
	if p == nil {
		return b.String()
	}
	if p.Empty() {
		return b.String() + "nothing to do\n"
	}
	for _, s := range p.Steps {
		b.WriteString(string(s.ID))
		if s.Impact != plan.ImpactNone {
			fmt.Fprintf(&b, " [%s]", s.Impact)
		}
		b.WriteString("\n")
		if !brief {
			fmt.Fprintf(&b, "  %s, since: %s\n", s.Title, s.Why)
		}
		for _, needs := range []struct {
			label string
			ids   []plan.ID
		}{{"after", s.Needs}, {"after one of", s.NeedsAny}} {
			if len(needs.ids) > 0 {
				fmt.Fprintf(&b, "  %s %s\n", needs.label, strings.Trim(fmt.Sprint(needs.ids), "[]"))
			}
		}
		if brief {
			continue
		}
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "  %s %s\n", c.Action, c.What)
			for line := range strings.Lines(c.Diff) {
				if c.Action != "create" {
					b.WriteString("    " + line)
				}
			}
		}
	}
	return b.String()
}
