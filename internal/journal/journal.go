// Package journal keeps a record of each run on the operator's machine: one
// file a run, one line of JSON an event, readable while the run goes on and
// after the tool was killed.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/event"
	"github.com/quorate/quorate/internal/plan"
)

const (
	// format is the version of the files' layout, in their header.
	format = 1
	// kept is how many runs of a cluster are kept.
	kept   = 50
	suffix = ".jsonl"
	// stampLayout makes names sort by time.
	stampLayout = "20060102T150405.000Z"
)

// Header is a journal's first line: what run this is and what it is to do.
type Header struct {
	Format  int        `json:"format"`
	RunID   string     `json:"run"`
	Cluster string     `json:"cluster"`
	Verb    string     `json:"verb"`
	Tool    string     `json:"tool,omitempty"` // the version of quorate
	Started time.Time  `json:"started"`
	Plan    *plan.Plan `json:"plan,omitempty"`
}

// Dir is where the runs of a cluster are recorded:
// $XDG_STATE_HOME/quorate/runs/<cluster>, by default under ~/.local/state.
func Dir(cluster string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification says to ignore relative ones
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding a place for the run's journal: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "quorate", "runs", folder(cluster)), nil
}

// folder makes a cluster's name one safe path element.
func folder(cluster string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r < ' ' {
			return '_'
		}
		return r
	}, cluster)
	if strings.Trim(name, ".") == "" {
		return "_" + name
	}
	return name
}

// Journal writes one run's record. A journal that can't be written never
// stops a run: it warns once, and tells later in the file how many events it
// lost if writing works again.
type Journal struct {
	file *os.File
	path string
	warn func(error)

	good   int64 // length of the whole lines written
	lost   int   // events since the last one written
	warned bool
}

// Open starts the record of a run in dir, which it makes (mode 0700) if need
// be, and removes the oldest records beyond 50. warn, which may be nil, is
// called at most once, with the first failure to write.
func Open(dir string, h Header, warn func(error)) (*Journal, error) {
	h.Format = format
	if h.Started.IsZero() {
		h.Started = time.Now()
	}
	h.Started = h.Started.UTC()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the run's journal: %w", err)
	}
	path := filepath.Join(dir, h.Started.Format(stampLayout)+"-"+folder(h.RunID)+suffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the run's journal: %w", err)
	}
	j := &Journal{file: f, path: path, warn: warn}
	j.write(h)
	if err := prune(dir); err != nil {
		j.complain(fmt.Errorf("removing old journals: %w", err))
	}
	return j, nil
}

// Path is the journal's file.
func (j *Journal) Path() string { return j.path }

// Send records an event; it is an event.Sink for one goroutine at a time.
// Failures and the run's end are on the disk when it returns.
func (j *Journal) Send(e event.Event) {
	if j.lost > 0 {
		note := event.Event{Time: e.Time, Body: event.Note{Text: fmt.Sprintf("the journal lost %d events before this one", j.lost)}}
		if !j.write(note) {
			j.lost++
			return
		}
		j.lost = 0
	}
	if !j.write(e) {
		j.lost++
		return
	}
	switch e.Body.(type) {
	case event.StepFailed, event.StepInterrupted, event.RunDone:
		if err := j.file.Sync(); err != nil {
			j.complain(err)
		}
	}
}

// Close ends the record and makes sure that it is on the disk.
func (j *Journal) Close() error {
	err := errors.Join(j.file.Sync(), j.file.Close())
	if err != nil {
		return fmt.Errorf("closing the run's journal: %w", err)
	}
	return nil
}

// write adds one line in one system call, and takes back what a full disk
// left of it, so that only the last line of a file can ever be torn.
func (j *Journal) write(v any) bool {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		j.complain(err)
		_ = j.file.Truncate(j.good) // Read skips the torn line if this fails too
		return false
	}
	j.good += int64(len(line)) + 1
	return true
}

func (j *Journal) complain(err error) {
	if j.warned || j.warn == nil {
		return
	}
	j.warned = true
	j.warn(fmt.Errorf("the run's journal %s is incomplete: %w", j.path, err))
}

// List gives the paths of dir's journals, oldest first. A folder that isn't
// there has none.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths) // names begin with the time
	return paths, nil
}

func prune(dir string) error {
	paths, err := List(dir)
	if err != nil {
		return err
	}
	for _, path := range paths[:max(0, len(paths)-kept)] {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
