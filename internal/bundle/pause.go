package bundle

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/internal/catalog"
)

// pauseName is the name of the sandbox's program and of its part.
const pauseName = "pause"

// pauseKey is a digest of what the pause program is made from: its source comes
// with the Kubernetes module.
func pauseKey(r catalog.Release, arch string) string {
	return keyOf(recipeVersion, pauseName, r.Kubernetes, r.Pause, arch)
}

// compilePause compiles Kubernetes' own pause.c, which reaps orphans, ends on
// SIGTERM, and answers -v as kubeadm's upgrade job asks. dir holds the source
// module of Kubernetes.
func compilePause(ctx context.Context, r catalog.Release, dir, out, arch string) ([]File, error) {
	kubernetes := kubernetesPart(r)
	module, err := command{
		dir: dir, env: kubernetes.environment(arch),
		argv: []string{"go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"},
	}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding the source of pause: %w", err)
	}
	raw := filepath.Join(dir, pauseName)
	source := filepath.Join(strings.TrimSpace(string(module)), "build", "pause", "linux", "pause.c")
	_, err = command{dir: dir, argv: []string{
		"gcc", "-Os", "-Wall", "-static", "-s", "-Wl,--build-id=none", "-DVERSION=v" + r.Pause, "-o", raw, source,
	}}.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("compiling pause: %w", err)
	}
	f, err := writeCompressed(filepath.Join(out, pauseName+".zst"), func(w io.Writer) error { return copyFile(w, raw) })
	f.Path, f.Name, f.Version, f.Mode, f.Kind = pauseName+".zst", pauseName, r.Pause, 0o755, KindBinary
	return []File{f}, err
}
