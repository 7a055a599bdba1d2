package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/session"
)

func TestNamesFile(t *testing.T) {
	for output, want := range map[string]bool{
		"plan.json": true, "./plan": true, "plans/today": true, "/tmp/p.json": true,
		"json": false, "text": false, "yaml": false, "plan": false, "": false,
	} {
		if namesFile(output) != want {
			t.Errorf("%q is a file: %v, want %v", output, !want, want)
		}
	}
}

// planOf is a plan of one step with this reason.
func planOf(t *testing.T, why string) *plan.Plan {
	t.Helper()
	p, err := plan.New("prod", "apply", []plan.Step{{ID: "os/settings@a", Host: "a", Why: why}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inputsOf is a cluster file as it is read.
func inputsOf(t *testing.T, path string) []config.Input {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return []config.Input{{Path: path, SHA256: plan.SourceOf(path, content).SHA256, Named: true}}
}

// saved writes a cluster file and a plan made from it into a folder.
func saved(t *testing.T) (clusterFile, planFile string) {
	t.Helper()
	dir := t.TempDir()
	clusterFile, planFile = filepath.Join(dir, "cluster.yaml"), filepath.Join(dir, "plan.json")
	if err := os.WriteFile(clusterFile, []byte("kind: Cluster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &session.Session{Inputs: inputsOf(t, clusterFile)}
	if err := savePlan(s, planFile, planOf(t, "missing"), time.Now(), clusterFiles{kubernetes: "v1.36.3", networkPlugin: "flannel"}, ""); err != nil {
		t.Fatal(err)
	}
	return clusterFile, planFile
}

func TestReviewedPlan(t *testing.T) {
	clusterFile, planFile := saved(t)
	if info, err := os.Stat(planFile); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v (%v), want 0600", info.Mode(), err)
	}
	r, err := readReviewed(planFile)
	if err != nil {
		t.Fatal(err)
	}
	to := target{files: filesAt("cluster.yaml")}
	if r.retarget(&to, false); to.files.String() != clusterFile || to.files.kubernetes != "v1.36.3" || to.files.networkPlugin != "flannel" {
		t.Errorf("the cluster file is %s with%s, want %s with what the plan was made with", to.files, to.files.flags(), clusterFile)
	}
	if err := r.sameFiles(to, inputsOf(t, clusterFile)); err != nil {
		t.Errorf("the same cluster file: %v", err)
	}
	if err := r.compare(to, nil, planOf(t, "missing")); err != nil {
		t.Errorf("the same plan: %v", err)
	}
	stale := func(name string, err error, words ...string) {
		t.Helper()
		var s *stalePlan
		if !errors.As(err, &s) {
			t.Errorf("%s: error %v, want a stale plan", name, err)
			return
		}
		for _, w := range append(words, "Nothing was changed") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, err, w)
			}
		}
		if !strings.Contains(s.Hint(), "quorate plan -f "+clusterFile+" --with-kubernetes v1.36.3 --network-plugin flannel -o "+planFile) {
			t.Errorf("%s: hint %q", name, s.Hint())
		}
	}
	stale("another plan", r.compare(to, nil, planOf(t, "differs")), "os/settings@a", "missing", "differs")
	r.saved.Bundle = &plan.Source{SHA256: "x"}
	stale("another bundle", r.compare(to, nil, planOf(t, "missing")), "bundle")
	if err := os.WriteFile(clusterFile, []byte("kind: Cluster # changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stale("another cluster file", r.sameFiles(to, inputsOf(t, clusterFile)), "cluster file", "changed since")
	stale("fewer cluster files", r.sameFiles(to, nil), "cluster file", "not read any more")
}

func TestReviewedPlanOfAMovedClusterFile(t *testing.T) {
	clusterFile, planFile := saved(t)
	r, err := readReviewed(planFile)
	if err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "moved.yaml")
	if err := os.Rename(clusterFile, moved); err != nil {
		t.Fatal(err)
	}
	to := target{files: filesAt(moved)}
	if r.retarget(&to, true); to.files.String() != moved {
		t.Errorf("the cluster file is %s, want %s", to.files, moved)
	}
	if err := r.sameFiles(to, inputsOf(t, moved)); err != nil {
		t.Errorf("the same content elsewhere: %v", err)
	}
}

func TestPlanFilesThatAreNone(t *testing.T) {
	clusterFile, planFile := saved(t)
	fifo := filepath.Join(t.TempDir(), "fifo.json")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	usage := func(err error) bool {
		var exit *exitError
		return errors.As(err, &exit) && exit.code == exitUsage
	}
	for _, path := range []string{clusterFile, fifo, filepath.Dir(clusterFile), filepath.Join(filepath.Dir(clusterFile), "no.json")} {
		if _, err := readReviewed(path); !usage(err) {
			t.Errorf("reading %s as a plan: error %v, want a bad file's", path, err)
		}
	}
	for _, path := range []string{clusterFile, fifo, filepath.Dir(clusterFile)} {
		if err := maySave(path, filesAt(clusterFile)); !usage(err) {
			t.Errorf("saving a plan to %s: error %v, want a refusal", path, err)
		}
	}
	for _, path := range []string{planFile, filepath.Join(filepath.Dir(clusterFile), "no.json")} {
		if err := maySave(path, filesAt(clusterFile)); err != nil {
			t.Errorf("saving a plan to %s: %v", path, err)
		}
	}
	if err := maySave(planFile, filesAt(clusterFile, "-")); !usage(err) {
		t.Errorf("a cluster file from standard input: error %v, want a refusal", err)
	}
}
