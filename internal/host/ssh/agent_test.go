package ssh

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/agent/embedded"
	"go.uber.org/goleak"
)

// TestMain builds the agent that the tests put onto "hosts".
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "quorate-agent-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := exec.Command("../../../hack/build-agent", dir)
	build.Env = append(os.Environ(), "QUORATE_AGENT_ARCHES="+runtime.GOARCH)
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the agent: %v\n%s", err, output)
		os.Exit(1)
	}
	os.Setenv("QUORATE_AGENT_DIR", dir)
	code := m.Run()
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestRealServer(t *testing.T) {
	server := startSSHD(t)
	options := server.options(t)
	for i := range 2 { // the second time the agent is there
		h, err := Connect(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		if changed, err := h.WriteFile(t.Context(), filepath.Join(options.agentFolder, "../hello"), []byte("hello"), 0o600); err != nil || changed != (i == 0) {
			t.Errorf("writing: changed %v, %v", changed, err)
		}
		if err := h.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(options.agentFolder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the agent's folder holds %v, %v", entries, err)
	}
}

func TestNotBuilt(t *testing.T) {
	t.Setenv("QUORATE_AGENT_DIR", t.TempDir())
	server := startSSHD(t)
	_, err := Connect(t.Context(), server.options(t))
	if !errors.Is(err, embedded.ErrNotBuilt) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without an agent: %v", err)
	}
}
