package embedded

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("QUORATE_AGENT_DIR", dir)
	if _, err := Find("amd64"); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("an empty folder: %v", err)
	}
	program := []byte("a program")
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	w.Write(program)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	for name, content := range map[string][]byte{
		"quorate-agent-linux-amd64.gz":     compressed.Bytes(),
		"quorate-agent-linux-amd64.sha256": []byte(hex.EncodeToString(sum[:]) + "\n"),
		"quorate-agent-linux-arm64.sha256": []byte("'; rm -rf /\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	agent, err := Find("amd64")
	if err != nil || agent.SHA256 != hex.EncodeToString(sum[:]) || agent.Name != agent.SHA256[:16] {
		t.Fatalf("%+v, %v", agent, err)
	}
	if got, err := agent.Program(); err != nil || !bytes.Equal(got, program) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Find("arm64"); err == nil || errors.Is(err, ErrNotBuilt) {
		t.Errorf("a digest that is none, and that a shell would run: %v", err)
	}
}

// What quorate was built with, if anything, must be whole.
func TestBuilt(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		agent, err := Find(arch)
		if errors.Is(err, ErrNotBuilt) {
			t.Skip("no agent was built: run hack/build-agent")
		}
		if err != nil {
			t.Fatal(err)
		}
		program, err := agent.Program()
		if sum := sha256.Sum256(program); err != nil || hex.EncodeToString(sum[:]) != agent.SHA256 {
			t.Errorf("%s: the program does not have its digest (%v)", arch, err)
		}
		// It is given to hundreds of hosts at once.
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, size, err := agent.Compressed()
		runtime.ReadMemStats(&after)
		if taken := int64(after.TotalAlloc - before.TotalAlloc); err != nil || taken > size/10 {
			t.Errorf("%s: opening %d bytes takes %d (%v)", arch, size, taken, err)
		}
	}
}
