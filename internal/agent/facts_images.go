package agent

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/agent/protocol"
)

const containerdSocket = "/run/containerd/containerd.sock"

// imagesTimeout bounds the question to containerd, on a host that may be busy
// with a hundred other things.
const imagesTimeout = 20 * time.Second

// listImages maps the names of the images in containerd's k8s.io namespace to
// their digests. A host without containerd has none; a containerd that does
// not answer is an error.
func (a *Agent) listImages(ctx context.Context, ctr string) (map[string]string, error) {
	if ctr == "" {
		ctr = "ctr"
	}
	if a.spawner != nil {
		// Without its socket ctr would wait for it to appear.
		if _, err := os.Stat(containerdSocket); err != nil {
			return nil, nil
		}
	}
	reply, err := a.exec(ctx, Command{
		Argv:      []string{ctr, "--connect-timeout", "10s", "-n", "k8s.io", "images", "ls"},
		Timeout:   imagesTimeout,
		MaxOutput: protocol.MaxContent * 16,
	})
	if err != nil {
		return nil, err
	}
	if reply.ExitCode != 0 {
		return nil, protocol.Failure(protocol.KindOther, "containerd does not tell its images: %s", strings.TrimSpace(string(reply.Stderr)))
	}
	return parseImages(string(reply.Stdout)), nil
}

// parseImages reads the table of "ctr images ls". Its first column is the name
// and its third the digest; sizes hold spaces, so later columns are not counted.
func parseImages(table string) map[string]string {
	images := map[string]string{}
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) >= 3 && strings.HasPrefix(fields[2], "sha256:") {
			images[fields[0]] = fields[2]
		}
	}
	return images
}
