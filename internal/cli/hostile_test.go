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

// TestMain makes the test's program the tool itself when it is told to: what is tried is
// a process of its own, with all that the tool does to its terminal and its memory.
func TestMain(m *testing.M) {
	if os.Getenv(asQuorate) != "" {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// A host that lies must not run anything on the operator's machine, write there, steer
// the terminal, take its memory, learn a password that sudo did not ask for, or keep a
// command for ever: whatever the command is, and the error names the host.
func TestHostileHost(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		// An address of a loopback interface of its own: 127.0.0.1 is no server's.
		if os.Getuid() != 0 {
			t.Skip("not root: no network namespace can be made")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestHostileHost$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), inNamespace+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !bytes.Contains(out, []byte("--- PASS: TestHostileHost/")) {
			t.Fatalf("nothing was tried:\n%s", out)
		}
		return
	}
	const address = "10.99.0.1"
	for _, argv := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ip", "address", "add", address + "/32", "dev", "lo"}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	agents := fakeAgents(t)
	commands := connectingCommands(newRootCommand())
	if len(commands) < 7 {
		t.Fatalf("commands that connect: %q", commands)
	}
	for _, lie := range lies {
		for _, command := range commands {
			if lie == lieSilence && command != "status" {
				continue // it takes each as long as a host may take to answer
			}
			t.Run(lie+"/"+strings.ReplaceAll(command, " ", "-"), func(t *testing.T) {
				t.Parallel()
				tryHostile(t, address, agents, lie, command)
			})
		}
	}
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

// more are the arguments that a command needs besides the file.
func more(cmd *cobra.Command) []string {
	var out []string
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
	mostTime   = 100 * time.Second // three looks at a host that says nothing
	mostMemory = 600 << 10         // KiB
)

func tryHostile(t *testing.T, address, agents, lie, command string) {
	home := t.TempDir()
	canary := filepath.Join(home, "canary")
	server := serveLies(t, address, lie, canary)
	file := filepath.Join(home, "cluster.yaml")
	balancer := ""
	if command == "endpoint check" {
		balancer = ", loadBalancer: {mode: external, address: 10.99.0.2}"
	}
	for path, content := range map[string]string{
		filepath.Join(home, "known_hosts"): server.knownHosts,
		canary + "-secret":                 "LOCAL-SECRET-OF-OPERATOR",
		file: fmt.Sprintf(`apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: hostile}
spec:
  ssh: {user: alice, port: %d, timeout: 5s, knownHostsPath: %s/known_hosts, sudoPasswordFrom: {env: SUDO_OF_OPERATOR}}
  hosts: [{name: cp-1, address: %s, roles: [control-plane, etcd, worker]}]
  endpoint: {domain: lb.hostile.test%s}
`, server.port, home, address, balancer),
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
	cmd := exec.CommandContext(ctx, os.Args[0], append(append(words, "-f", file), more(found)...)...)
	cmd.Env = []string{asQuorate + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "QUORATE_AGENT_DIR=" + agents, "SUDO_OF_OPERATOR=" + sudoOfOperator, "GOMAXPROCS=1"}
	cmd.Dir = home
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	said := stdout.String() + stderr.String()
	switch {
	case ctx.Err() != nil:
		t.Errorf("it does not end: %s", said)
	case command == "endpoint guide":
		// It reads the file alone, and takes the flags of those that go on from there.
	case !server.wasReached():
		t.Errorf("the host was not reached, so nothing was tried: %s", said)
	case err == nil && (command == "drill end" || command == "reset"):
		// A host that says that nothing is there.
	case err == nil:
		t.Errorf("it ends well: %s", said)
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
	if leak := server.learned(); leak != "" {
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
