package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// An agent of another version that its operator is about to start is not removed
// between the two.
func TestRemoveOlderLeavesWhatIsAboutToStart(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		"mine": 48 * time.Hour, "theirs": time.Minute, "old": 2 * inUse, ".upload.1": time.Minute, ".upload.2": 2 * inUse,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	RemoveOlder(dir, "mine")
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := []string{".upload.1", "mine", "theirs"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("left %q, %v; want %q", got, err, want)
	}
}
