package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/internal/agent/protocol"
)

func TestUnitCommands(t *testing.T) {
	running := protocol.Unit{Load: "loaded", Active: "active", Enabled: "enabled"}
	stopped := protocol.Unit{Load: "loaded", Active: "inactive", Enabled: "disabled"}
	failed := protocol.Unit{Load: "loaded", Active: "failed", Enabled: "enabled"}
	changed := protocol.Unit{Load: "loaded", Active: "active", Enabled: "enabled", NeedsReload: true}
	ending := protocol.Unit{Load: "loaded", Active: "activating", Sub: "auto-restart", Restarts: 4, Enabled: "enabled"}
	unknown := protocol.Unit{Load: "not-found", Active: "inactive"}
	masked := protocol.Unit{Load: "masked", Active: "inactive", Enabled: "masked"}
	static := protocol.Unit{Load: "loaded", Active: "inactive", Enabled: "static"}
	tests := map[string]struct {
		unit    protocol.Unit
		request protocol.UnitRequest
		want    []string
	}{
		"all is so already":    {running, protocol.UnitRequest{DaemonReload: true, Enable: "enable", Verb: "start"}, nil},
		"nothing asked":        {stopped, protocol.UnitRequest{}, nil},
		"from nothing":         {unknown, protocol.UnitRequest{DaemonReload: true, Enable: "enable", Verb: "start"}, []string{"daemon-reload", "enable -- x", "start -- x"}},
		"file changed":         {changed, protocol.UnitRequest{DaemonReload: true, Verb: "restart"}, []string{"daemon-reload", "restart -- x"}},
		"start what failed":    {failed, protocol.UnitRequest{Verb: "start"}, []string{"reset-failed -- x", "start -- x"}},
		"restart what ends":    {ending, protocol.UnitRequest{Verb: "restart"}, []string{"reset-failed -- x", "restart -- x"}},
		"stop what ends":       {ending, protocol.UnitRequest{Verb: "stop"}, []string{"reset-failed -- x", "stop -- x"}},
		"forgive what ends":    {ending, protocol.UnitRequest{Verb: "reset-failed"}, []string{"reset-failed -- x"}},
		"reload always":        {running, protocol.UnitRequest{Verb: "reload-or-restart"}, []string{"reload-or-restart -- x"}},
		"without waiting":      {stopped, protocol.UnitRequest{Verb: "start", NoBlock: true}, []string{"start --no-block -- x"}},
		"stop what stopped":    {stopped, protocol.UnitRequest{Verb: "stop", Enable: "disable"}, nil},
		"stop what failed":     {failed, protocol.UnitRequest{Verb: "stop"}, nil},
		"stop and disable":     {running, protocol.UnitRequest{Verb: "stop", Enable: "disable"}, []string{"disable -- x", "stop -- x"}},
		"static":               {static, protocol.UnitRequest{Enable: "enable"}, nil},
		"mask":                 {running, protocol.UnitRequest{Enable: "mask"}, []string{"mask -- x"}},
		"masked already":       {masked, protocol.UnitRequest{Enable: "mask"}, nil},
		"unmask":               {masked, protocol.UnitRequest{Enable: "unmask"}, []string{"unmask -- x"}},
		"unmask what is not":   {running, protocol.UnitRequest{Enable: "unmask"}, nil},
		"reset what is well":   {running, protocol.UnitRequest{Verb: "reset-failed"}, nil},
		"reset what failed":    {failed, protocol.UnitRequest{Verb: "reset-failed"}, []string{"reset-failed -- x"}},
		"disable what is gone": {unknown, protocol.UnitRequest{Enable: "disable", Verb: "stop"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.request.Name = "x"
			var got []string
			for _, argv := range unitCommands(test.request, test.unit) {
				got = append(got, strings.Join(argv, " "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnitRequestsRefused(t *testing.T) {
	for _, request := range []protocol.UnitRequest{
		{},
		{Name: "--force"},
		{Name: "a b"},
		{Name: "a\nb"},
		{Name: "a", Verb: "kill"},
		{Name: "a", Enable: "link"},
		{Verb: "start", DaemonReload: true},
	} {
		if err := checkUnitRequest(request); err == nil {
			t.Errorf("%+v was taken", request)
		}
	}
}

// script answers programs by the beginning of their command line.
type script struct {
	t       *testing.T
	answers map[string]func() protocol.RunReply
	ran     []string
}

func (s *script) run(_ context.Context, c Command) (protocol.RunReply, error) {
	line := strings.Join(c.Argv, " ")
	s.ran = append(s.ran, line)
	longest := ""
	for prefix := range s.answers {
		if strings.HasPrefix(line, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if longest == "" {
		s.t.Errorf("unexpected program: %s", line)
		return protocol.RunReply{ExitCode: 127}, nil
	}
	return s.answers[longest](), nil
}

func says(code int, stdout, stderr string) func() protocol.RunReply {
	return func() protocol.RunReply {
		return protocol.RunReply{ExitCode: code, Stdout: []byte(stdout), Stderr: []byte(stderr)}
	}
}

func TestUnitFailureCarriesTheJournal(t *testing.T) {
	s := &script{t: t, answers: map[string]func() protocol.RunReply{
		"systemctl show":  says(0, "LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\n", ""),
		"systemctl start": says(1, "", "Job for etcd.service failed."),
		"journalctl":      says(0, "etcd: bind: address already in use\n", ""),
	}}
	a := New(Options{Exec: s.run})
	defer a.Close()
	reply, err := a.unit(t.Context(), protocol.UnitRequest{Name: "etcd", Verb: "start"})
	if err != nil || reply.Failure != "Job for etcd.service failed." || !strings.Contains(reply.Journal, "already in use") {
		t.Errorf("%+v, %v", reply, err)
	}
}

// aptHost is an agent on a root that looks like Debian's.
func aptHost(t *testing.T, s *script) *Agent {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"usr/bin/apt-get", "usr/bin/dpkg-query"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := New(Options{Root: root, Exec: s.run})
	t.Cleanup(a.Close)
	return a
}

// The policy holds for this process alone, and not for another one that has its number
// after it was killed: nothing would start on the host for as long as that one runs.
func TestServiceStartsAreForbiddenByOneProcess(t *testing.T) {
	a := New(Options{Root: t.TempDir()})
	defer a.Close()
	restore, err := a.forbidServiceStarts()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.root, "usr/sbin/policy-rc.d")
	policy, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	self := "/proc/" + strconv.Itoa(os.Getpid()) + "/"
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	for name, c := range map[string]struct {
		proc string
		want int
	}{
		"this process":              {self, 101},
		"another one of its number": {"/proc/" + strconv.Itoa(other.Process.Pid) + "/", 0},
		"none":                      {"/proc/0/", 0},
	} {
		changed := strings.ReplaceAll(string(policy), self, c.proc)
		cmd := exec.Command("/bin/sh", "-c", changed)
		if cmd.Run(); cmd.ProcessState.ExitCode() != c.want {
			t.Errorf("%s: the policy ends with %d, want %d:\n%s", name, cmd.ProcessState.ExitCode(), c.want, changed)
		}
	}
	restore()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the policy is still there: %v", err)
	}
}

func TestAptInstallsFilesThatAreMissingOrOlder(t *testing.T) {
	installed := "installed\tolder\t1.0\ninstalled\tsame\t2.0\n"
	s := &script{t: t}
	a := aptHost(t, s)
	policy := filepath.Join(a.root, "usr/sbin/policy-rc.d")
	s.answers = map[string]func() protocol.RunReply{
		"dpkg-deb --show":                    nil, // replaced below
		"dpkg-query":                         func() protocol.RunReply { return says(1, installed, "no packages found")() },
		"dpkg --compare-versions 1.0 ge 2.0": says(1, "", ""),
		"dpkg --compare-versions 2.0 ge 2.0": says(0, "", ""),
		"dpkg --install": func() protocol.RunReply {
			if content, err := os.ReadFile(policy); err != nil || !strings.Contains(string(content), "exit 101") {
				t.Errorf("services may start during the installation: %q, %v", content, err)
			}
			installed = "installed\tolder\t2.0\ninstalled\tsame\t2.0\ninstalled\tnew\t2.0\n"
			return says(0, "Setting up", "")()
		},
	}
	for _, name := range []string{"older", "same", "new"} {
		show := fmt.Sprintf("dpkg-deb --show --showformat=installed\\t${Package}\\t${Version}\\n -- %s/debs/%s.deb", a.root, name)
		s.answers[show] = says(0, "installed\t"+name+"\t2.0\n", "")
	}
	reply, err := a.packages(t.Context(), protocol.PackagesRequest{
		Names: []string{"new"}, Files: []string{"/debs/older.deb", "/debs/same.deb", "/debs/new.deb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"new", "older"}, reply.Changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	install := s.ran[slices.IndexFunc(s.ran, func(line string) bool { return strings.HasPrefix(line, "dpkg --install") })]
	if strings.Contains(install, "same.deb") || !strings.Contains(install, "older.deb") {
		t.Errorf("ran %s", install)
	}
	if _, err := os.Stat(policy); !os.IsNotExist(err) {
		t.Errorf("the policy is still there: %v", err)
	}
}

func TestAptRefreshesListsOnce(t *testing.T) {
	installed, fresh := "", false
	s := &script{t: t, answers: map[string]func() protocol.RunReply{
		"dpkg-query": func() protocol.RunReply { return says(0, installed, "")() },
		"apt-get": func() protocol.RunReply {
			return says(100, "", "E: Unable to locate package haproxy")()
		},
	}}
	a := aptHost(t, s)
	update := strings.Join(aptGet("update"), " ")
	install := strings.Join(aptGet("install", "--no-remove", "haproxy"), " ")
	s.answers[update] = func() protocol.RunReply { fresh = true; return says(0, "", "")() }
	s.answers[install] = func() protocol.RunReply {
		if !fresh {
			return says(100, "", "E: Unable to locate package haproxy")()
		}
		installed = "installed\thaproxy\t2.6\n"
		return says(0, "", "")()
	}
	reply, err := a.packages(t.Context(), protocol.PackagesRequest{Names: []string{"haproxy"}})
	if err != nil || len(reply.Changed) != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
	reply, err = a.packages(t.Context(), protocol.PackagesRequest{Names: []string{"haproxy"}})
	if err != nil || len(reply.Changed) != 0 {
		t.Errorf("a second time: %+v, %v", reply, err)
	}
}

func TestPackagesRefused(t *testing.T) {
	a := aptHost(t, &script{t: t})
	for _, name := range []string{"", "-o", "a b", "a\nb", "./x.deb"} {
		if _, err := a.packages(t.Context(), protocol.PackagesRequest{Names: []string{name}}); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
