package agent

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// RemoveOlder removes the agents of other versions from folder, keeping the
// one named keep, and uploads that were cut off. One under way, which another
// operator may be making this minute, is left alone. What cannot be removed
// does no harm and is tried again next time.
func RemoveOlder(folder, keep string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Name() == keep {
			continue
		}
		if strings.HasPrefix(entry.Name(), ".") {
			info, err := entry.Info()
			if err != nil || time.Since(info.ModTime()) < time.Hour {
				continue
			}
		}
		os.Remove(filepath.Join(folder, entry.Name()))
	}
}
