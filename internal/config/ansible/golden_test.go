package ansible_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/config/importtest"
)

// TestInventories reads each inventory of testdata, a file or a folder.
func TestInventories(t *testing.T) {
	importtest.Files(t, func(path string) []string {
		data, err := os.ReadFile(filepath.Join(path, "named.args"))
		if err != nil {
			return []string{path}
		}
		var named []string // the files that are named with -f
		for name := range strings.FieldsSeq(string(data)) {
			named = append(named, filepath.Join(path, name))
		}
		return named
	})
}
