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
	// containers, which costs the host more: one in two seconds.
	crashEvery = 8
	// maxEnded is for how many looks in a row a pod's program may have ended and
	// not run again before the wait gives up: 30 seconds. The kubelet waits ever
	// longer before it starts a program again that ends again and again.
	maxEnded = 15
)

// crashWatch notices, over several looks at a static pod, that its program has
// ended and is not started any more, as it comes with a flag that it does not know.
type crashWatch struct {
	host  *remote.Host
	pod   string
	looks int
	ended int // looks in a row
}

// look returns a Final error with the program's last words when it has ended for
// long. It has no say where the container runtime has none: the wait goes on.
func (c *crashWatch) look(ctx context.Context) error {
	if c.looks++; c.looks%crashEvery != 0 {
		return nil
	}
	filter := fmt.Sprintf(`labels."io.kubernetes.container.name"==%s,labels."io.kubernetes.pod.namespace"==kube-system`, c.pod)
	ids, running, err := containers(ctx, c.host, filter)
	if err != nil {
		return nil
	}
	if c.ended++; running || len(ids) == 0 {
		c.ended = 0
	}
	if c.ended < maxEnded {
		return nil
	}
	words := "(its log cannot be read)"
	for _, id := range slices.Backward(ids) {
		path := fmt.Sprintf("/var/log/containers/%s-%s_kube-system_%s-%s.log", c.pod, c.host.Name(), c.pod, id)
		reply, err := c.host.Run(ctx, remote.Command{Argv: []string{"tail", "--lines", "6", path}, MaxOutput: 4 << 10})
		if err == nil && len(reply.Stdout) > 0 {
			words = logText(string(reply.Stdout))
			break
		}
	}
	return component.Final{Err: fmt.Errorf("%s of %s has ended, and again whenever it was started; its last words:\n%s", c.pod, c.host.Name(), words)}
}

// containers lists the containers that a filter of the container runtime finds,
// and tells whether any of them runs.
func containers(ctx context.Context, h *remote.Host, filter string) (ids []string, running bool, err error) {
	list, err := ctr(ctx, h, "containers", "list", "--quiet", filter)
	if err != nil {
		return nil, false, err
	}
	tasks, err := ctr(ctx, h, "tasks", "list")
	if err != nil {
		return nil, false, err
	}
	ids = strings.Fields(list)
	for line := range strings.Lines(tasks) {
		// ID, process, status
		if f := strings.Fields(line); len(f) == 3 && f[2] == "RUNNING" && slices.Contains(ids, f[0]) {
			running = true
		}
	}
	return ids, running, nil
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
