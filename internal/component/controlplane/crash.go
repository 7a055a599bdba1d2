package controlplane

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/component"
	remote "github.com/quorate/quorate/internal/host"
)

const (
	// crashEvery is how many looks at a pod that is waited for make one at its
	// containers, which costs the host more.
	crashEvery = 8
	// maxContainers is how many containers a pod may start during a wait before
	// the wait gives up: they end again and again. The first few may end for want
	// of what starts beside them.
	maxContainers = 3
)

// crashWatch notices, over several looks at a static pod, that its program ends
// again and again, as it does with a flag that it does not know.
type crashWatch struct {
	host  *remote.Host
	pod   string
	looks int
	known []string // containers of before, or nil before the first look
	since []string // containers that were started since
}

// look returns a Final error with the program's last words when it keeps ending.
// It has no say where the container runtime has none: the wait goes on.
func (c *crashWatch) look(ctx context.Context) error {
	if c.looks++; c.looks%crashEvery != 0 {
		return nil
	}
	filter := fmt.Sprintf(`labels."io.kubernetes.container.name"==%s,labels."io.kubernetes.pod.namespace"==kube-system`, c.pod)
	list, err := ctr(ctx, c.host, "containers", "list", "--quiet", filter)
	if err != nil {
		return nil
	}
	ids := strings.Fields(list)
	if c.known == nil {
		c.known = append([]string{}, ids...)
		return nil
	}
	for _, id := range ids {
		if !slices.Contains(c.known, id) && !slices.Contains(c.since, id) {
			c.since = append(c.since, id)
		}
	}
	if len(c.since) < maxContainers {
		return nil
	}
	words := "(its log cannot be read)"
	for _, id := range slices.Backward(c.since) {
		path := fmt.Sprintf("/var/log/containers/%s-%s_kube-system_%s-%s.log", c.pod, c.host.Name(), c.pod, id)
		reply, err := c.host.Run(ctx, remote.Command{Argv: []string{"tail", "--lines", "6", path}, MaxOutput: 4 << 10})
		if err == nil && len(reply.Stdout) > 0 {
			words = logText(string(reply.Stdout))
			break
		}
	}
	return component.Final{Err: fmt.Errorf("%s of %s ends again and again (%d times so far); its last words:\n%s", c.pod, c.host.Name(), len(c.since), words)}
}

// logText takes time, stream and tag off the lines of a container's log.
func logText(log string) string {
	var out []string
	for line := range strings.Lines(log) {
		if f := strings.SplitN(strings.TrimRight(line, "\n"), " ", 4); len(f) == 4 {
			line = f[3]
		}
		out = append(out, "  "+strings.TrimRight(line, "\n"))
	}
	return strings.Join(out, "\n")
}
