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
	"time"

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

// What lies where others may write is not run as root, whoever has put it there.
func TestUnsafeFolder(t *testing.T) {
	server := startSSHD(t)
	for name, spoil := range map[string]func(above, folder string) error{
		"above is writable by its group": func(above, _ string) error { return os.Chmod(above, 0o775) },
		"above is writable by all":       func(above, _ string) error { return os.Chmod(above, 0o757) },
		"the folder is writable by all":  func(_, folder string) error { return os.Chmod(folder, 0o722) },
		"above is another's":             func(above, _ string) error { return os.Chown(above, 65534, 65534) },
		"the folder is another's":        func(_, folder string) error { return os.Chown(folder, 65534, 65534) },
		"the folder is a link to such": func(_, folder string) error {
			theirs := filepath.Join(t.TempDir(), "theirs")
			return errors.Join(os.Rename(folder, theirs), os.Chown(theirs, 65534, 65534), os.Symlink(theirs, folder))
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := server.options(t)
			above := filepath.Dir(options.agentFolder)
			if err := os.MkdirAll(options.agentFolder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := spoil(above, options.agentFolder); err != nil {
				t.Fatal(err)
			}
			_, err := Connect(t.Context(), options)
			if !errors.Is(err, ErrAgentStart) || !strings.Contains(err.Error(), "others than root may write where the agent is run from, "+above) {
				t.Errorf("got %v", err)
			}
			if entries, _ := os.ReadDir(options.agentFolder); len(entries) != 0 {
				t.Errorf("something was put there: %v", entries)
			}
		})
	}
}

// An agent that is found is touched, so that another version's does not take it for one
// that nobody needs before it is started.
func TestFoundAgentIsTouched(t *testing.T) {
	server := startSSHD(t)
	options := server.options(t)
	mustConnect(t, options)
	entries, err := os.ReadDir(options.agentFolder)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	path := filepath.Join(options.agentFolder, entries[0].Name())
	before := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	mustConnect(t, options)
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the agent is of %v, %v", info.ModTime(), err)
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
