package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/quorate/quorate/internal/bundle"
)

func newKubectlCommand() *cobra.Command {
	o := applyOptions{}
	cmd := &cobra.Command{
		Use:   "kubectl [flags] -- ARGS...",
		Short: "Run kubectl on the cluster, through an API server that answers",
		Long: `Runs kubectl with the kubeconfig that apply wrote, on the first API server that
is ready: a control-plane host that is down does not matter. It is the bundle's
kubectl, of the cluster's own version, where the bundle is for this machine's
kind; else the one in PATH.`,
		Example: `  quorate kubectl -f cluster.yaml -- get nodes
  quorate kubectl -- get pods --all-namespaces`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKubectl(cmd.Context(), o, args, cmd.ErrOrStderr())
		},
	}
	o.files.flag(cmd)
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "the administrator's kubeconfig (default: NAME.kubeconfig beside the cluster file)")
	o.bundleFlag(cmd)
	return cmd
}

func runKubectl(ctx context.Context, o applyOptions, args []string, stderr io.Writer) error {
	s, err := o.load(ctx, stderr)
	if err != nil {
		return err
	}
	defer s.Close()
	path := kubeconfigPath(o, s.Cluster)
	config, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return usageError(fmt.Errorf("there is no kubeconfig at %s yet: `quorate apply` writes it", path))
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	name, err := readyContext(ctx, config)
	if err != nil {
		return err
	}
	kubectl, err := findKubectl(s.Bundle)
	if err != nil {
		return err
	}
	argv := append([]string{kubectl, "--kubeconfig", path, "--context", name}, args...)
	return fmt.Errorf("running %s: %w", kubectl, unix.Exec(kubectl, argv, os.Environ()))
}

// readyTimeout bounds the question to one API server; all are asked at once.
const readyTimeout = 3 * time.Second

// readyContext is the context of the first API server that says it is ready.
func readyContext(ctx context.Context, config *clientcmdapi.Config) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	type answer struct {
		name string
		err  error
	}
	answers := make(chan answer, len(config.Contexts))
	for name := range config.Contexts {
		go func() { answers <- answer{name, askReady(ctx, config, name)} }()
	}
	var reasons []error
	for range config.Contexts {
		a := <-answers
		if a.err == nil {
			return a.name, nil
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", a.name, a.err))
	}
	return "", fmt.Errorf("no API server is ready: %w", errors.Join(reasons...))
}

func askReady(ctx context.Context, config *clientcmdapi.Config, name string) error {
	c, err := clientcmd.NewNonInteractiveClientConfig(*config, name, nil, nil).ClientConfig()
	if err != nil {
		return err
	}
	c.Timeout = readyTimeout
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Host+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

// findKubectl takes kubectl out of the bundle, once, into the user's cache;
// without a bundle for this machine's kind it is the one in PATH.
func findKubectl(b *bundle.Bundle) (string, error) {
	if b == nil || runtime.GOOS != "linux" || b.Manifest().Arch != runtime.GOARCH {
		path, err := exec.LookPath("kubectl")
		if err != nil {
			return "", fmt.Errorf("there is neither a bundle for this machine nor a kubectl in PATH: %w", err)
		}
		return path, nil
	}
	file, ok := b.Binary("kubectl")
	if !ok {
		return "", fmt.Errorf("the bundle %s has no kubectl", b.Dir())
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for kubectl: %w", err)
	}
	path := filepath.Join(cache, "quorate", "tools", "kubectl-"+file.SHA256)
	// What is run is what the bundle holds, not whatever lies under its name by now.
	if sum, err := sumOf(path); err == nil && sum == file.SHA256 {
		return path, nil
	}
	return path, takeOut(b, file, path)
}

// sumOf is a file's sha256 in hexadecimal.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// takeOut writes a binary of the bundle to a path, verified.
func takeOut(b *bundle.Bundle, file bundle.File, path string) error {
	stored, err := b.OpenFile(file)
	if err != nil {
		return err
	}
	defer stored.Close()
	decoded, err := zstd.NewReader(stored)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file.Name, err)
	}
	defer decoded.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making a place for %s: %w", file.Name, err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", file.Name, err)
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(temporary, sum), decoded); err != nil {
		return fmt.Errorf("writing %s: %w", file.Name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		return fmt.Errorf("%s in the bundle is damaged: run `quorate bundle verify`", file.Name)
	}
	if err := temporary.Chmod(0o755); err != nil {
		return fmt.Errorf("writing %s: %w", file.Name, err)
	}
	if err := temporary.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", file.Name, err)
	}
	return os.Rename(temporary.Name(), path)
}
