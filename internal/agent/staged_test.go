package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// A writer that is gone leaves nothing behind for ever, and one that still
// writes is left alone.
func TestStagedSweepsWhatIsDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubelet")
	orphan := filepath.Join(filepath.Dir(path), ".quorate-kubelet-123")
	other := filepath.Join(filepath.Dir(path), ".quorate-kubeadm-123")
	for _, name := range []string{orphan, other} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	living, err := stage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer living.discard()
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("the half-written file of a dead agent is still there: %v", err)
	}
	second, err := stage(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.discard()
	for _, name := range []string{living.file.Name(), other} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s, which is not dead or of another path, was removed: %v", name, err)
		}
	}
	if err := living.commit(); err != nil {
		t.Errorf("the first writer could not finish: %v", err)
	}
}
