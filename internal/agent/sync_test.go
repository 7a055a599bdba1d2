package agent

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
)

// Syncing takes what is there, through a link that a folder is, and is not held up
// by what is no file: a pipe that nobody writes to, a link that leads nowhere.
func TestSync(t *testing.T) {
	root := t.TempDir()
	a := New(Options{Root: root})
	defer a.Close()
	for _, dir := range []string{"etc/kubernetes/pki", "disk/kubelet"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"etc/kubernetes/admin.conf", "etc/kubernetes/pki/ca.crt", "disk/kubelet/config.yaml"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"kubelet": "disk/kubelet", "etc/kubernetes/nowhere": "gone"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "etc/kubernetes/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{
		`{"paths":["/etc/kubernetes","/kubelet","/kubelet/config.yaml","/not/there"]}`: http.StatusOK,
		`{"paths":["relative"]}`: http.StatusBadRequest,
	} {
		if r := post(a, protocol.OpSync, "", body); r.Code != want {
			t.Errorf("%s: %d: %s", body, r.Code, r.Body)
		}
	}
}
