package kubekey_test

import (
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/config/importtest"
)

// TestFiles reads each file of testdata, and each folder of files that belong
// together.
func TestFiles(t *testing.T) {
	importtest.Files(t, func(path string) []string {
		if inside, _ := filepath.Glob(path + "/*.yaml"); len(inside) > 0 {
			return inside
		}
		return []string{path}
	})
}
