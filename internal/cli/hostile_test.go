package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

const (
	asQuorate   = "QUORATE_TEST_AS_QUORATE"
	inNamespace = "QUORATE_TEST_IN_NAMESPACE"
)

// TestMain makes the test's program the tool itself, or a hostile host's, when it is told to: what is tried is
// a process of its own, with all that the tool does to its terminal and its memory.
func TestMain(m *testing.M) {
	if os.Getenv(asQuorate) != "" {
		os.Exit(Main())
	}
	if liar := os.Getenv(asLiar); liar != "" {
		os.Exit(lieBySSHD(liar))
	}
	os.Exit(m.Run())
}

// A host that lies must not run anything on the operator's machine, write there, steer
// the terminal, take its memory, learn a password that sudo did not ask for, or keep a
// command for ever: whatever the command is, and the error names the host.
func TestHostileHost(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	agents := fakeAgents(t)
	commands := connectingCommands(newRootCommand())
	if len(commands) < 7 {
		t.Fatalf("commands that connect: %q", commands)
	}
	try := func(t *testing.T, serve func(*testing.T, string, *liar) lyingServer, lie, command string) {
		t.Run(lie+"/"+strings.ReplaceAll(command, " ", "-"), func(t *testing.T) {
			t.Parallel()
			tryHostile(t, serve, agents, lie, command)
		})
	}
	t.Run("in-process", func(t *testing.T) {
		for _, lie := range lies {
			for _, command := range commands {
				if lie == lieSilence && command != "status" && command != "preflight" {
					continue // it takes each as long as a host may take to answer
				}
				try(t, serveInProcess, lie, command)
			}
		}
	})
	// A real server: each lie and each command once at least.
	t.Run("sshd", func(t *testing.T) {
		if _, err := os.Stat(sshd); err != nil {
			t.Skip("no " + sshd + ": install openssh-server to run this test")
		}
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
		addAlice(t)
		reaching := slices.DeleteFunc(slices.Clone(commands), isGuide)
		quick := slices.DeleteFunc(slices.Clone(lies), func(lie string) bool { return lie == lieSilence })
		for i := range max(len(quick), len(reaching)) {
			try(t, serveBySSHD, quick[i%len(quick)], reaching[i%len(reaching)])
		}
		try(t, serveBySSHD, lieSilence, "status")
	})
}

// hostileAddress is the liars': 127.0.0.1 is no server's.
const hostileAddress = "10.99.0.1"

// inNamespaces runs the test once more in a network namespace, with an address of its
// own on loopback, and in a mount namespace. It tells whether this is that run.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inNamespace) == "" {
		if os.Getuid() != 0 {
			t.Skip("not root: no namespaces can be made")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestHostileHost$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !bytes.Contains(out, []byte("--- PASS: TestHostileHost/")) {
			t.Fatalf("nothing was tried:\n%s", out)
		}
		return false
	}
	for _, argv := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ip", "address", "add", hostileAddress + "/32", "dev", "lo"}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	return true
}

// fakeAgents are what is put onto hosts; a host that lies needs none.
func fakeAgents(t *testing.T) string {
	dir := t.TempDir()
	for _, arch := range []string{"amd64", "arm64"} {
		for name, content := range map[string]string{".sha256": strings.Repeat("0a", 32) + "\n", ".gz": "none"} {
			if err := os.WriteFile(filepath.Join(dir, "quorate-agent-linux-"+arch+name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// connectingCommands are the command lines of all that connect to the hosts of a file.
func connectingCommands(cmd *cobra.Command) []string {
	var out []string
	for _, inner := range cmd.Commands() {
		out = append(out, connectingCommands(inner)...)
	}
	if cmd.Runnable() && cmd.Flags().Lookup("accept-new-host-keys") != nil {
		out = append(out, strings.TrimPrefix(cmd.CommandPath(), "quorate "))
	}
	slices.Sort(out)
	return out
}

// isGuide is of a command that reads the file alone, and takes the flags of those that
// go on from there.
func isGuide(command string) bool { return command == "endpoint guide" }

// more are the arguments that a command needs besides the file.
func more(cmd *cobra.Command, lie string) []string {
	var out []string
	if lie == lieSilence {
		out = append(out, "--timeout", "3s")
	}
	if cmd.Flags().Lookup("yes") != nil {
		out = append(out, "--yes")
	}
	switch cmd.CommandPath() {
	case "quorate probe":
		out = append(out, "--for", "1s")
	case "quorate drill run":
		out = append(out, "--all")
	}
	return out
}

// What one hostile host may cost at most.
const (
	mostTime   = 60 * time.Second
	mostMemory = 600 << 10 // KiB
)

func tryHostile(t *testing.T, serve func(*testing.T, string, *liar) lyingServer, agents, lie, command string) {
	home := t.TempDir()
	canary := filepath.Join(home, "canary")
	l := newLiar(t, hostileAddress, lie, canary)
	server := serve(t, hostileAddress, l)
	file := filepath.Join(home, "cluster.yaml")
	balancer := ""
	if command == "endpoint check" {
		balancer = ", loadBalancer: {mode: external, address: 10.99.0.2}"
	}
	for path, content := range map[string]string{
		filepath.Join(home, "known_hosts"): server.knownHosts,
		canary + "-secret":                 localSecret,
		file: fmt.Sprintf(`apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: hostile}
spec:
  ssh: {user: alice, port: %d, timeout: 5s, knownHostsPath: %s/known_hosts, sudoPasswordFrom: {env: SUDO_OF_OPERATOR}%s}
  hosts: [{name: cp-1, address: %s, roles: [control-plane, etcd, worker]}]
  endpoint: {domain: lb.hostile.test%s}
`, server.port, home, server.login, hostileAddress, balancer),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	words := strings.Fields(command)
	found, _, err := newRootCommand().Find(words)
	if err != nil {
		t.Fatal(err)
	}
	before := filesBelow(t, home)
	ctx, cancel := context.WithTimeout(t.Context(), mostTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append(append(words, "-f", file), more(found, lie)...)...)
	cmd.Env = []string{asQuorate + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "QUORATE_AGENT_DIR=" + agents, "SUDO_OF_OPERATOR=" + sudoOfOperator, "GOMAXPROCS=1"}
	cmd.Dir = home
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	said := stdout.String() + stderr.String()
	switch {
	case ctx.Err() != nil:
		t.Errorf("it does not end: %s", said)
	case isGuide(command):
	case l.noted(noteReached) == "":
		t.Errorf("the host was not reached, so nothing was tried: %s", said)
	case err == nil && (command == "drill end" || command == "reset"):
		// A host that says that nothing is there.
	case err == nil:
		t.Errorf("it ends well: %s", said)
	case lie == lieSilence && !strings.Contains(strings.Join(strings.Fields(said), " "), "did not answer within 3s"), strings.Contains(said, "deadline exceeded"):
		t.Errorf("that it is silent is not told in words: %s", said)
	case !strings.Contains(said, "cp-1") && !strings.Contains(said, "no cluster here yet"):
		t.Errorf("the host is not named: %s", said)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	if steered(said) || strings.Contains(said, "\x1b") {
		t.Errorf("the terminal is steered: %q", said)
	}
	if strings.Contains(said, "panic:") || strings.Contains(said, sudoOfOperator) {
		t.Errorf("it panics, or shows the password: %s", said)
	}
	for path, content := range filesBelow(t, home) {
		if content != before[path] && !strings.HasPrefix(path, filepath.Join(home, ".local/state/quorate")+"/") {
			t.Errorf("%s was written: %q", path, content)
		}
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); !ok || usage.Maxrss > mostMemory {
		t.Errorf("it took %d MiB", usage.Maxrss>>10)
	}
	if leak := l.noted(noteLeak); leak != "" {
		t.Errorf("the host learned %s", leak)
	}
}

func filesBelow(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		out[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
