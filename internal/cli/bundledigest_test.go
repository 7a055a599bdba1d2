package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/quorate/quorate/internal/bundle"
	"github.com/quorate/quorate/internal/catalog"
)

// kubectlBundle makes a bundle for this machine that holds nothing but a kubectl, and
// gives the sha256 of its manifest.
func kubectlBundle(t *testing.T, content string) (dir, digest string) {
	t.Helper()
	sum := func(b []byte) string {
		s := sha256.Sum256(b)
		return hex.EncodeToString(s[:])
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	stored := encoder.EncodeAll([]byte(content), nil)
	manifest, err := json.Marshal(bundle.Manifest{
		FormatVersion: bundle.FormatVersion, Kubernetes: catalog.Default(), OS: "linux", Arch: runtime.GOARCH,
		Files: []bundle.File{{
			Path: "bin/kubectl.zst", Kind: bundle.KindBinary, Name: "kubectl", InstallPath: "/usr/local/bin/kubectl", Mode: 0o755, Compression: "zstd",
			SHA256: sum([]byte(content)), Size: int64(len(content)), StoredSHA256: sum(stored), StoredSize: int64(len(stored)),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"bin/kubectl.zst": stored, "manifest.json": manifest} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, sum(manifest)
}

// What a bundle holds can be compared with what its builder saw.
func TestBundleTellsItsManifestsDigest(t *testing.T) {
	dir, digest := kubectlBundle(t, "kubectl")
	for _, verb := range []string{"show", "verify"} {
		out, err := runBundle(t, verb, dir)
		if err != nil || !strings.Contains(out, "manifest.json: sha256 "+digest) {
			t.Errorf("bundle %s: %v\n%s", verb, err, out)
		}
	}
}

// A kubectl that was put under the right name after it had been verified is not run.
func TestCachedKubectlIsReadAgain(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, _ := kubectlBundle(t, "kubectl")
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	path, err := findKubectl(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("another"), 0o755); err != nil {
		t.Fatal(err)
	}
	again, err := findKubectl(b)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(again); err != nil || string(text) != "kubectl" {
		t.Errorf("%s holds %q: %v", again, text, err)
	}
}
