package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/ui"
	"github.com/quorate/quorate/internal/version"
)

// namesFile reports whether an --output is a file to write to, and not the name
// of a format: it ends in .json or has a folder in it.
func namesFile(output string) bool {
	return strings.HasSuffix(output, ".json") || strings.ContainsRune(output, filepath.Separator)
}

// clusterSource is the cluster file as it is now, under its absolute path.
func clusterSource(file string) (plan.Source, error) {
	if file == "-" {
		return plan.Source{}, usageError(errors.New("a plan of a cluster file from standard input cannot be saved: whoever applies it must read the file again; put it into a file"))
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return plan.Source{}, err
	}
	content, err := readRegular(path, plan.MaxSavedSize)
	if err != nil {
		return plan.Source{}, usageError(fmt.Errorf("reading the cluster file: %w", err))
	}
	return plan.SourceOf(path, content), nil
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

// maySave refuses to write a plan over anything but a saved plan.
func maySave(path string) error {
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
func savePlan(path string, p *plan.Plan, made time.Time, from plan.Source, b *plan.Source) error {
	content, err := plan.Saved{
		Quorate: version.String(), Made: made, ClusterFiles: []plan.Source{from}, Bundle: b, Plan: p,
	}.Encode()
	if err == nil {
		err = replaceFile(path, content)
	}
	if err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
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
func (r *reviewedPlan) retarget(t *target, fileGiven bool) error {
	source := r.saved.ClusterFiles[0]
	if !fileGiven {
		t.file = source.Path
	}
	if t.bundleDir == "" && r.saved.Bundle != nil {
		t.bundleDir = r.saved.Bundle.Path
	}
	now, err := clusterSource(t.file)
	if err != nil {
		return err
	}
	if now.SHA256 != source.SHA256 {
		return r.stale(t.file, "the cluster file "+t.file+" was changed since", "")
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
		return r.stale(t.file, "the bundle to install from is another one now", "")
	}
	if now.Digest() == r.saved.Plan.Digest() {
		return nil
	}
	reason := "what would be done now is not what it says"
	if made := r.saved.Quorate; made != version.String() {
		reason += fmt.Sprintf(" (quorate %s made it, and this is %s)", made, version.String())
	}
	return r.stale(t.file, reason, "\n"+strings.TrimRight(ui.PlanDifference(plan.Compare(r.saved.Plan, now)), "\n"))
}

func (r *reviewedPlan) stale(file, reason, details string) error {
	return &stalePlan{
		text: fmt.Sprintf("%s, made %s, is stale: %s. Nothing was changed.%s", r.path, r.saved.Made.UTC().Format(time.DateTime+" MST"), reason, details),
		hint: "make it anew and review it: quorate plan -f " + shellWord(file) + " -o " + shellWord(r.path),
	}
}

// stalePlan is why a saved plan is not applied.
type stalePlan struct{ text, hint string }

func (e *stalePlan) Error() string { return e.text }

// Hint says what to do about it.
func (e *stalePlan) Hint() string { return e.hint }
