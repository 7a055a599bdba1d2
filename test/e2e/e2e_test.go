// Package e2e proves Quorate on real clusters: every script in this folder
// makes lab hosts of its own, runs the real binary on them, and takes them
// down. It needs root and a bundle; `make e2e` sees to both.
package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
)

// TestScripts runs *.txtar in this folder. QUORATE_E2E is the binary to test.
func TestScripts(t *testing.T) { runScripts(t, ".", os.Getenv("QUORATE_E2E")) }

// TestMore runs those in more, which take too long for every change.
func TestMore(t *testing.T) { runScripts(t, "more", os.Getenv("QUORATE_E2E_MORE")) }

func runScripts(t *testing.T, dir, binary string) {
	t.Helper()
	if binary == "" {
		t.Skip("builds real clusters: run `make e2e` or `make e2e-more`, which name the binary")
	}
	tools := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(tools, "quorate")); err != nil {
		t.Fatal(err)
	}
	release, err := catalog.Lookup(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	extractKubectl(t, release, filepath.Join(tools, "kubectl"))
	measured, others, err := scriptsIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		// Progress is as interesting as failure when a script takes minutes.
		TestWork: false,
		Setup: func(env *testscript.Env) error {
			name := "t-" + strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
			lab := filepath.Join("/var/lib/quorate/labs", name)
			env.Setenv("LAB", name)
			env.Setenv("CLUSTER", filepath.Join(lab, "cluster.yaml"))
			env.Setenv("KUBECONFIG", filepath.Join(lab, name+".kubeconfig"))
			env.Setenv("AGNHOST", release.AgnhostImage())
			env.Setenv("VERSION", release.Kubernetes)
			env.Setenv("PATH", tools+":"+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			cache, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			env.Setenv("XDG_CACHE_HOME", cache)
			env.Defer(func() {
				out, err := exec.Command(binary, "lab", "down", "--name", name).CombinedOutput()
				if err != nil {
					t.Errorf("taking lab %s down: %v\n%s", name, err, out)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until": until, "within": within, "interrupted": interrupted, "signalled": signalled, "agnhost": agnhost, "gap": gap, "stranger": stranger,
		},
	}
	s := newScripts(t)
	for _, group := range []struct {
		files []string
		quiet bool
	}{{measured, true}, {others, false}} {
		if s.quiet, params.Files = group.quiet, group.files; len(group.files) > 0 {
			testscript.RunT(s, params)
		}
	}
}

// scriptsIn are the scripts in a folder: those that measure times, which must have the
// machine for themselves, and the others, of which as many run at a time as -parallel says.
func scriptsIn(dir string) (measured, others []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		if dir != "." || measures.Match(text) {
			measured = append(measured, path)
		} else {
			others = append(others, path)
		}
	}
	return measured, others, err
}

// measures finds what a script measures with.
var measures = regexp.MustCompile(`(?m)^(gap|within|(exec|! exec|until .*) quorate drill run) `)

// until LIMIT COMMAND… runs a command again and again until it succeeds.
func until(ts *testscript.TestScript, neg bool, args []string) {
	limit, args := limitOf(ts, "until", neg, args)
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still failing after %s: %v", limit, err)
		}
		<-tick.C
	}
}

// within LIMIT [!] COMMAND… runs a command that must end in time; with the
// exclamation mark it must fail in time.
func within(ts *testscript.TestScript, neg bool, args []string) {
	limit, args := limitOf(ts, "within", neg, args)
	wantFailure := args[0] == "!"
	if wantFailure {
		args = args[1:]
	}
	start := time.Now()
	err := ts.Exec(args[0], args[1:]...)
	took := time.Since(start)
	switch {
	case took > limit:
		ts.Fatalf("it took %s, more than %s", took, limit)
	case wantFailure && err == nil:
		ts.Fatalf("unexpected success")
	case !wantFailure && err != nil:
		ts.Fatalf("%v", err)
	}
	ts.Logf("took %s", took.Round(10*time.Millisecond))
}

// interrupted AFTER COMMAND… starts a command and kills it with SIGKILL after a
// time; a command that is quicker is no failure.
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	after, args := limitOf(ts, "interrupted", neg, args)
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, lookPath(ts, args[0]), args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"), "PATH="+ts.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	ts.Logf("ended after %s: %v; its last line: %s", after, err, lines[len(lines)-1])
	if err != nil && ctx.Err() == nil {
		ts.Fatalf("it failed by itself:\n%s", out)
	}
}

// signalled SIGNAL CODE AFTER COMMAND… starts a command, sends it INT or TERM
// after a time, and expects it to end with an exit code.
func signalled(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}
	if neg || len(args) < 4 || signals[args[0]] == nil {
		ts.Fatalf("usage: signalled INT|TERM CODE DURATION COMMAND…")
	}
	code := args[1]
	after, argv := limitOf(ts, "signalled", neg, args[2:])
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, lookPath(ts, argv[0]), argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(signals[args[0]]) }
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"), "PATH="+ts.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != code {
		ts.Fatalf("exit code %s (%v), not %s:\n%s", got, err, code, out)
	}
}

// lookPath finds a command in the script's PATH.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	ts.Fatalf("no command %s", name)
	return ""
}

func limitOf(ts *testscript.TestScript, name string, neg bool, args []string) (time.Duration, []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: %s DURATION COMMAND…", name)
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	return limit, args[1:]
}

// agnhost HOST… imports Kubernetes' own test image from the bundle into the
// container runtime of lab hosts.
func agnhost(ts *testscript.TestScript, neg bool, hosts []string) {
	if neg || len(hosts) == 0 {
		ts.Fatalf("usage: agnhost HOST…")
	}
	dir, err := bundle.DefaultDir(ts.Getenv("VERSION"), "amd64")
	ts.Check(err)
	b, err := bundle.Open(dir)
	ts.Check(err)
	defer b.Close()
	for _, host := range hosts {
		r, w := io.Pipe()
		go func() { w.CloseWithError(b.WriteImageArchive(w, ts.Getenv("AGNHOST"))) }()
		cmd := exec.Command(lookPath(ts, "quorate"), "lab", "exec", "--name", ts.Getenv("LAB"), host, "--",
			"ctr", "--namespace", "k8s.io", "images", "import", "--local", "-")
		cmd.Stdin = r
		out, err := cmd.CombinedOutput()
		r.CloseWithError(io.ErrClosedPipe)
		if err != nil {
			ts.Fatalf("importing the test image into %s: %v\n%s", host, err, out)
		}
	}
}

// extractKubectl puts the bundle's kubectl at path.
func extractKubectl(t *testing.T, release catalog.Release, path string) {
	t.Helper()
	dir, err := bundle.DefaultDir(release.Kubernetes, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := extract(b, "kubectl", path); err != nil {
		t.Fatalf("taking kubectl from the bundle: %v", err)
	}
}

func extract(b *bundle.Bundle, name, path string) error {
	f, ok := b.Binary(name)
	if !ok {
		return fmt.Errorf("the bundle has no %s", name)
	}
	r, err := b.OpenFile(f)
	if err != nil {
		return err
	}
	defer r.Close()
	z, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, z); err != nil {
		return err
	}
	return out.Close()
}
