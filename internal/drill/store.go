package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of a run in the records' folder, by the run's ID.
const (
	recordSuffix  = ".json"
	historySuffix = ".history.json"
)

// Save keeps a run's record in a folder, which is made if need be, and its
// whole history where something is wrong with it. It gives the record's path.
func Save(dir string, r Record, h History) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keeping the drill's record: %w", err)
	}
	base := filepath.Join(dir, r.Started.Format("20060102T150405Z")+"-"+r.RunID)
	write := func(path string, value any) error {
		text, err := json.MarshalIndent(value, "", " ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("keeping the drill's record: %w", err)
		}
		return nil
	}
	if !r.Verdict.OK() {
		if err := write(base+historySuffix, h); err != nil {
			return "", err
		}
	}
	return base + recordSuffix, write(base+recordSuffix, r)
}

// HistoryPath is where the history of a run with a record at path is kept.
func HistoryPath(path string) string { return strings.TrimSuffix(path, recordSuffix) + historySuffix }

// List gives the paths of a folder's records, the oldest first.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the drills' records: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), recordSuffix) && !strings.HasSuffix(e.Name(), historySuffix) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(out) // names begin with the time
	return out, nil
}

// Read reads a record.
func Read(path string) (Record, error) {
	var r Record
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && (r.Format < 1 || r.Format > recordFormat) {
		err = fmt.Errorf("its format is %d; this program reads %d", r.Format, recordFormat)
	}
	if err != nil {
		return r, fmt.Errorf("reading the drill's record %s: %w", path, err)
	}
	return r, nil
}
