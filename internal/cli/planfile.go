package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/config"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/ui"
	"github.com/quorate/quorate/internal/version"
)

// namesFile reports whether an --output is a file to write to, and not the name
// of a format: it ends in .json or has a folder in it.
func namesFile(output string) bool {
	return strings.HasSuffix(output, ".json") || strings.ContainsRune(output, filepath.Separator)
}

// clusterSources are the files that the cluster was read from, with their
// absolute paths and what they held.
func clusterSources(inputs []config.Input) ([]plan.Source, error) {
	var out []plan.Source
	for _, in := range inputs {
		path, err := filepath.Abs(in.Path)
		if err != nil {
			return nil, err
		}
		out = append(out, plan.Source{Path: path, SHA256: in.SHA256, Gathered: !in.Named})
	}
	return out, nil
}

// bundleSource is the bundle that hosts are installed from, nil where there is
// none. Its path is noted only where the user named it.
func bundleSource(b *bundle.Bundle, named string) (*plan.Source, error) {
	if b == nil {
		return nil, nil
	}
	if named != "" {
		var err error
		if named, err = filepath.Abs(named); err != nil {
			return nil, err
		}
	}
	manifest, err := json.Marshal(b.Manifest())
	if err != nil {
		return nil, fmt.Errorf("reading the bundle's manifest: %w", err)
	}
	source := plan.SourceOf(named, manifest)
	return &source, nil
}

// readRegular reads a regular file of at most so many bytes; anything else
// might never end.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", path, limit>>20)
	}
	return content, err
}

// maySave refuses to write a plan over anything but a saved plan, and one that
// nobody could apply.
func maySave(path string, from clusterFiles) error {
	if slices.Contains(from.paths, "-") {
		return usageError(errors.New("a plan of a cluster file from standard input cannot be saved: whoever applies it must read the file again; put it into a file"))
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	old, err := readRegular(path, plan.MaxSavedSize)
	if err == nil && !plan.IsSaved(old) {
		err = errors.New("it is no saved plan")
	}
	if err != nil {
		return usageError(fmt.Errorf("%s exists and is not written over: %w; name another file", path, err))
	}
	return nil
}

// savePlan writes a plan into a file that only its owner can read.
func savePlan(s *session.Session, path string, p *plan.Plan, made time.Time, files clusterFiles, bundleDir string) error {
	from, err := clusterSources(s.Inputs)
	if err != nil {
		return err
	}
	b, err := bundleSource(s.Bundle, bundleDir)
	if err != nil {
		return err
	}
	content, err := plan.Saved{
		Quorate: version.String(), Made: made, ClusterFiles: from, Kubernetes: files.kubernetes, NetworkPlugin: files.networkPlugin, Bundle: b, Plan: p,
	}.Encode()
	if err != nil {
		return err
	}
	return session.ReplaceFile(path, content)
}

// reviewedPlan is a saved plan that is to be applied as it was reviewed.
type reviewedPlan struct {
	path  string // of the file that holds it
	saved *plan.Saved
}

// readReviewed reads a saved plan. What is wrong with it is a bad file's error.
func readReviewed(path string) (*reviewedPlan, error) {
	content, err := readRegular(path, plan.MaxSavedSize)
	if err != nil {
		return nil, usageError(fmt.Errorf("reading the plan: %w", err))
	}
	saved, err := plan.DecodeSaved(content)
	if err != nil {
		return nil, usageError(fmt.Errorf("reading the plan: %s: %w", path, err))
	}
	return &reviewedPlan{path, saved}, nil
}

// retarget makes an apply work on what the plan was made from, unless the user
// says where that is now.
func (r *reviewedPlan) retarget(t *target, fileGiven bool) {
	if !fileGiven {
		t.files.paths = nil
		for _, source := range r.saved.ClusterFiles {
			if !source.Gathered {
				t.files.paths = append(t.files.paths, source.Path)
			}
		}
	}
	if t.files.kubernetes == "" {
		t.files.kubernetes = r.saved.Kubernetes
	}
	if t.files.networkPlugin == "" {
		t.files.networkPlugin = r.saved.NetworkPlugin
	}
	if t.bundleDir == "" && r.saved.Bundle != nil {
		t.bundleDir = r.saved.Bundle.Path
	}
}

// sameFiles refuses a plan whose cluster files do not hold what they did.
func (r *reviewedPlan) sameFiles(t target, inputs []config.Input) error {
	now, err := clusterSources(inputs)
	if err != nil {
		return err
	}
	was := r.saved.ClusterFiles
	for i, source := range now {
		if i >= len(was) || source.SHA256 != was[i].SHA256 {
			return r.stale(t.files, "the cluster file "+source.Path+" was changed since", "")
		}
	}
	if len(now) < len(was) {
		return r.stale(t.files, "the cluster file "+was[len(now)].Path+" is not read any more", "")
	}
	return nil
}

// compare refuses a plan that is not the one that would be made now.
func (r *reviewedPlan) compare(t target, b *bundle.Bundle, now *plan.Plan) error {
	is, err := bundleSource(b, t.bundleDir)
	if err != nil {
		return err
	}
	was := r.saved.Bundle
	if (is == nil) != (was == nil) || is != nil && is.SHA256 != was.SHA256 {
		return r.stale(t.files, "the bundle to install from is another one now", "")
	}
	if now.Digest() == r.saved.Plan.Digest() {
		return nil
	}
	reason := "what would be done now is not what it says"
	if made := r.saved.Quorate; made != version.String() {
		reason += fmt.Sprintf(" (quorate %s made it, and this is %s)", made, version.String())
	}
	return r.stale(t.files, reason, "\n"+strings.TrimRight(ui.PlanDifference(plan.Compare(r.saved.Plan, now)), "\n"))
}

func (r *reviewedPlan) stale(files clusterFiles, reason, details string) error {
	return &stalePlan{
		text: fmt.Sprintf("%s, made %s, is stale: %s. Nothing was changed.%s", r.path, r.saved.Made.UTC().Format(time.DateTime+" MST"), reason, details),
		hint: "make it anew and review it: quorate plan" + files.flags() + " -o " + shellWord(r.path),
	}
}

// stalePlan is why a saved plan is not applied.
type stalePlan struct{ text, hint string }

func (e *stalePlan) Error() string { return e.text }

// Hint says what to do about it.
func (e *stalePlan) Hint() string { return e.hint }
