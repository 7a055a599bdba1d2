// Command quorate-agent answers the operations of a quorate run on one host.
// The operator's side starts it through SSH and speaks to it over its standard
// input and output; it ends when that connection does. It is of no use by hand.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/quorate/quorate/internal/agent"
	"github.com/quorate/quorate/internal/agent/protocol"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "quorate-agent:", err)
		os.Exit(1)
	}
}

// start is what the program was started for: to serve an operator, or, in a unit of
// its own, to do and undo a fault.
func start() error {
	// A mask and a PATH that do not depend on how the agent was started:
	// package scripts rely on both.
	syscall.Umask(0o022)
	os.Setenv("PATH", agent.CleanPath)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == agent.FaultHold {
		return agent.HoldFault(ctx, os.Args[2])
	}
	if len(os.Args) == 3 && os.Args[1] == agent.FaultUndo {
		return agent.UndoFault(ctx, os.Args[2])
	}
	return serve(ctx)
}

func serve(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	options := agent.Options{Log: log}
	// The one argument is the folder that agents live in, so that it can be
	// kept clean and, in the end, removed.
	if self, err := os.Executable(); err == nil && len(os.Args) == 2 && filepath.Dir(self) == os.Args[1] {
		options.OwnFolder = os.Args[1]
		agent.RemoveOlder(options.OwnFolder, filepath.Base(self))
	}
	// The operator's side waits for this line: what a login shell or a banner
	// printed before it is passed over.
	if _, err := fmt.Fprintln(os.Stdout, protocol.Greeting); err != nil {
		return err
	}
	return agent.New(options).Serve(ctx, agent.Stdio(os.Stdin, os.Stdout))
}
