package agent

import (
	"os"
	"path/filepath"
	"time"
)

// inUse is how long an agent, or an upload, is taken for one that another operator is
// about to start: who finds an agent on the host touches it before starting it.
const inUse = time.Hour

// RemoveOlder removes the agents of other versions from folder, keeping the
// one named keep, and uploads that were cut off. What another operator may be
// about to start is left alone. What cannot be removed does no harm and is tried
// again next time.
func RemoveOlder(folder, keep string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Name() == keep {
			continue
		}
		if info, err := entry.Info(); err != nil || time.Since(info.ModTime()) < inUse {
			continue
		}
		os.Remove(filepath.Join(folder, entry.Name()))
	}
}
