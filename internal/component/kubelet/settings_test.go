package kubelet

import (
	"context"
	"testing"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/host"
	"github.com/quorate/quorate/internal/host/hosttest"
)

// An API server that ends while kubeadm asks it is no reason to give up.
func TestFetchIsTriedAgain(t *testing.T) {
	tries := 0
	h := hosttest.Agent(t, t.TempDir(), func(_ context.Context, c hosttest.Command) (protocol.RunReply, error) {
		if tries++; tries < 3 {
			return protocol.RunReply{ExitCode: 1, Stderr: []byte("error: unexpected EOF\nTo see the stack trace of this error execute with --v=5 or higher\n")}, nil
		}
		return protocol.RunReply{}, nil
	})
	rt := &component.Runtime{Hosts: map[string]*host.Host{"node-1": h}}
	if err := fetch(t.Context(), rt, "node-1", func(string) {}); err != nil || tries != 3 {
		t.Errorf("%v, after %d tries", err, tries)
	}
}
