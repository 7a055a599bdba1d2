package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/kube"
	"github.com/quorate/quorate/internal/session"
)

// kubeconfigPath is where the administrator's kubeconfig goes.
func kubeconfigPath(o applyOptions, c *cluster.Cluster) string {
	if o.kubeconfig != "" {
		return o.kubeconfig
	}
	return filepath.Join(o.files.folder(), c.Name+".kubeconfig")
}

// writeKubeconfig writes the administrator's kubeconfig and says where it is.
func writeKubeconfig(ctx context.Context, s *session.Session, o applyOptions, stderr io.Writer) error {
	path := kubeconfigPath(o, s.Cluster)
	if err := s.SaveKubeconfig(ctx, path, warnOf(stderr)); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Kubeconfig: %s\n", path)
	return nil
}

// warnOf tells of a host whose credentials are not used, where another host's are.
func warnOf(stderr io.Writer) func(*kube.CredentialsError) {
	return func(e *kube.CredentialsError) { fmt.Fprintf(stderr, "warning: %v\nhint: %s\n", e, e.Hint()) }
}

// mayWriteKubeconfig refuses, before anything is changed, a place for the
// kubeconfig that could not be written in the end.
func mayWriteKubeconfig(path string, c *cluster.Cluster) error {
	if err := session.MayReplaceKubeconfig(path, c); err != nil {
		return usageError(err)
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-*")
	if err != nil {
		if pathError, ok := errors.AsType[*os.PathError](err); ok {
			err = pathError.Err
		}
		return usageError(fmt.Errorf("the kubeconfig cannot be written to %s: %w; name another file with --kubeconfig", path, err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}
