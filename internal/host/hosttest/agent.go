// Package hosttest stands in for real machines in tests: New is a strict fake
// that fails the test at an operation it was not told of, Agent is the real
// agent on a temporary directory.
package hosttest

import (
	"context"
	"net"
	"testing"

	"github.com/quorate/quorate/internal/agent"
	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/host"
)

// Command is a program that an agent under test is asked to run.
type Command = agent.Command

// Agent is a handle to the real agent, in this process, with root as its root
// directory. Run is called in place of every program, including those of the
// unit and packages operations; when it is nil, programs really run. The
// agent ends with the test.
func Agent(t testing.TB, root string, run func(context.Context, Command) (protocol.RunReply, error)) *host.Host {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	server := agent.New(agent.Options{Root: root, Exec: run})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- server.Serve(ctx, far) }()
	h, err := host.NewConn(t.Context(), "test-host", near, nil)
	if err != nil {
		cancel()
		t.Fatalf("speaking to the agent: %v", err)
	}
	t.Cleanup(func() {
		h.Close(context.Background())
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
	})
	return h
}
